/**
 * Every transport of the TypeScript client over three nodes that a HAProxy deals requests out to in
 * turn: polls, uplinks and resumes land on any node, and nodes are killed meanwhile.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { journey } from "../journeys.mjs";
import { NEEDS, Nodes } from "../nodes.mjs";
import { missing } from "../proxies/process.mjs";
import { nodeSeats } from "../seats.mjs";

const TRANSPORTS = ["websocket", "sse", "stream", "poll"];
const skip = missing(...NEEDS);

let nodes;
let seats;

before(async () => {
  nodes = skip ? undefined : await Nodes.start(3);
  seats = await nodeSeats();
});

after(async () => {
  await nodes?.stop();
  await seats?.close();
});

describe("three nodes in turn", { concurrency: 4 }, () => {
  for (const transport of TRANSPORTS) {
    test(`three nodes in turn: ${transport}`, { skip, timeout: 60_000 }, async () => {
      const options = { url: nodes.url, channel: `turn-${transport}`, transports: [transport] };
      const { transports, disconnected } = await journey(nodes.first, seats, options);
      assert.deepEqual([[...new Set(transports)], disconnected], [[transport], 0]);
    });
  }
});

describe("nodes that are killed", { concurrency: 1 }, () => {
  for (const transport of TRANSPORTS) {
    test(`nodes that are killed: ${transport}`, { skip, timeout: 60_000 }, async () => {
      // So many travellers that each node has one.
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
    });
  }
});
