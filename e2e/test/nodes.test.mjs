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

/** As many travellers as nodes, which are killed under them. Says how often they lost their way. */
async function underKills(nodes, transport, round) {
  await nodes.inTurn();
  const kills = [];
  const lose = (_, i) => (kills[i] ??= nodes.kill(i));
  const travel = (_, i) => {
    const channel = `killed-${transport}-${round}-${i}`;
    const options = { url: nodes.url, channel, transports: [transport] };
    return journey(nodes.first, seats, { ...options, lose, losses: 4 });
  };
  const accounts = await Promise.all(nodes.all.map(travel));
  return accounts.reduce((sum, { disconnected }) => sum + disconnected, 0);
}

/** It is up to the balancer who sits where: once in a while all sit on the node that stays. */
async function untilSomebodyLoses(nodes, transport) {
  for (let round = 0; round < 5; round++) {
    if ((await underKills(nodes, transport, round)) > 0) {
      return;
    }
  }
  assert.fail("nobody lost anything");
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
        untilSomebodyLoses(nodes, transport));
    }
  });
}
