/**
 * Every transport of the TypeScript client over three nodes that a HAProxy deals requests out to in
 * turn: polls, uplinks and resumes land on any node, and nodes are killed meanwhile.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { journey } from "../journeys.mjs";
import { ENGINES, Nodes } from "../nodes.mjs";
import { missing } from "../proxies/process.mjs";
import { nodeSeats } from "../seats.mjs";

const TRANSPORTS = ["websocket", "sse", "stream", "poll"];

let seats;

before(async () => (seats = await nodeSeats()));
after(() => seats?.close());

/** A traveller on each node, all of which lose it when it is killed. */
async function underKills(nodes, transport) {
  await nodes.inTurn();
  const kills = [];
  const lose = (_, i) => (kills[i] ??= nodes.kill(i));
  const travel = (_, i) => {
    const channel = `killed-${transport}-${i}`;
    const options = { url: nodes.url, channel, transports: [transport] };
    return journey(nodes.first, seats, { ...options, lose, losses: 4 });
  };
  const accounts = await Promise.all(nodes.all.map(travel));
  const lost = accounts.map(({ disconnected }) => disconnected);
  assert.ok(lost.some((count) => count > 0), `nobody lost anything: ${lost}`);
}

for (const [engine, { needs }] of Object.entries(ENGINES)) {
  const skip = missing(...needs);

  describe(`three nodes on ${engine}`, { concurrency: 1 }, () => {
    let nodes;

    before(async () => (nodes = skip ? undefined : await Nodes.start(engine, 3)));
    after(() => nodes?.stop());

    for (const transport of TRANSPORTS) {
      test(`three nodes on ${engine}: ${transport}`, { skip, timeout: 60_000 }, async () => {
        const options = { url: nodes.url, channel: `turn-${transport}`, transports: [transport] };
        const { transports, disconnected } = await journey(nodes.first, seats, options);
        assert.deepEqual([[...new Set(transports)], disconnected], [[transport], 0]);
      });
    }

    for (const transport of TRANSPORTS) {
      test(`killed nodes on ${engine}: ${transport}`, { skip, timeout: 60_000 }, () =>
        underKills(nodes, transport));
    }
  });
}
