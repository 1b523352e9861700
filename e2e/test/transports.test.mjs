/**
 * Every transport of the TypeScript client through every kind of proxy: publishes, hears everything in
 * order and once, whatever is cut. Where a transport cannot work, another one carries the client.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { journey } from "../journeys.mjs";
import { missing } from "../proxies/process.mjs";
import { nodeSeats } from "../seats.mjs";
import { MartletServer } from "../server.mjs";
import { WAYS } from "../ways.mjs";

const TRANSPORTS = ["websocket", "sse", "stream", "poll"];

let server;
let seats;

before(async () => {
  server = await MartletServer.start();
  seats = await nodeSeats();
});

after(async () => {
  await server?.stop();
  await seats?.close();
});

/** One traveller on one way, with what is between it and the server of its own. */
async function travel({ start, lose, losses, server: more }, options) {
  const own = more === undefined ? undefined : await MartletServer.start(0, more);
  const proxy = await start((own ?? server).url);
  try {
    const losing = lose && ((traveller, i) => lose(proxy, traveller, i));
    const all = { url: proxy.url, lose: losing, losses, ...options };
    return await journey(own ?? server, seats, all);
  } finally {
    await proxy.close();
    await own?.stop();
  }
}

for (const [name, way] of Object.entries(WAYS)) {
  const skip = missing(...(way.needs ?? []));
  const channel = (by) => `way-${name.replaceAll(/\W+/g, "-")}-${by}`;

  // Not the suite is skipped but each test, so that each is counted.
  describe(name, { concurrency: 4 }, () => {
    for (const transport of TRANSPORTS.filter((one) => !way.without?.includes(one))) {
      test(`${name}: ${transport}`, { skip, timeout: 60_000 }, async () => {
        const options = { channel: channel(transport), transports: [transport] };
        const { transports, disconnected } = await travel(way, options);
        assert.deepEqual([...new Set(transports)], [transport]);
        assert.ok(way.losses !== undefined || disconnected === 0, `${disconnected} losses`);
      });
    }

    test(`${name}: whatever the client finds`, { skip, timeout: 60_000 }, async () => {
      const { transports } = await travel(way, { channel: channel("any") });
      const unfit = transports.filter((one) => way.without?.includes(one));
      assert.deepEqual(unfit, []);
    });
  });
}
