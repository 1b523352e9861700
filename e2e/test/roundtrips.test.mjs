/**
 * How long a new client waits for its first publication, counted in round trips of a slow network: a
 * WebSocket that is never answered may cost less than one more than a network that lets it through.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { badGateway, FaultyProxy } from "../proxies/faulty.mjs";
import { nodeSeats } from "../seats.mjs";
import { MartletServer } from "../server.mjs";

const DELAY = 100;
const TRIP = 2 * DELAY;
/** The best of a few is what the network takes; the rest is what this machine is busy with. */
const TRIES = 3;

let server;
let seats;
let open;

before(async () => {
  server = await MartletServer.start();
  seats = await nodeSeats();
  await server.publish("first", "the first");
  open = await trips({ answer: () => undefined });
});

after(async () => {
  await server?.stop();
  await seats?.close();
});

/** The round trips until the first publication, of a client that was never on the network. */
async function trips(faults) {
  const took = [];
  for (let i = 0; i < TRIES; i++) {
    took.push(await wait(faults));
  }
  return Math.min(...took) / TRIP;
}

/** A proxy of its own, so that no connection is open already. */
async function wait(faults) {
  const proxy = await FaultyProxy.start(server.url, { delay: DELAY, ...faults });
  const options = { url: proxy.url, channel: "first", since: "1h", storage: false };
  const traveller = await seats.sit(options);
  await traveller.hears("the first");
  const { firstAfter } = await traveller.close();
  await proxy.close();
  return firstAfter;
}

const refused = ({ url }) => (url.startsWith("/v1/ws") ? badGateway() : undefined);

for (const [name, faults] of Object.entries({
  "never answered": { silentWebSocket: true },
  "made an ordinary request": { noUpgrade: true },
  "answered with an error": { answer: refused },
})) {
  test(`a WebSocket that is ${name} costs less than a round trip`, { timeout: 60_000 }, async (t) => {
    const count = await trips(faults);
    t.diagnostic(`${count.toFixed(2)} round trips, and ${open.toFixed(2)} where it is let through`);
    assert.ok(count - open < 1, `${count} round trips, ${open} where it is let through`);
    // Opening a connection takes one, and asking over it another; less would mean a broken clock.
    assert.ok(open >= 2, `${open} round trips`);
  });
}
