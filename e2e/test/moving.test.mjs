/**
 * Clients move from one transport to another while a thousand publications a second come down, and
 * nothing is lost, comes twice or out of order. Where each run ends is where it has heard everything.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { bePage, Doors } from "../doors.mjs";
import { Flood } from "../flood.mjs";
import { nodeSeats } from "../seats.mjs";
import { MartletServer } from "../server.mjs";

const RUNS = 100;
const AT_ONCE = 20;
const RATE = 1_000;
const CHANNEL = "flood";

let server;
let seats;
let page;
let flood;

before(async () => {
  // More than a busy machine can fall behind; what is no longer kept would be a gap, and be told.
  server = await MartletServer.startOpen("history_size = 20000\n");
  seats = await nodeSeats();
  page = bePage();
  flood = new Flood(server, CHANNEL, RATE);
});

after(async () => {
  try {
    await flood?.stop();
  } finally {
    await server?.stop();
    await seats?.close();
  }
});

/** One client: SSE, WebSocket, long poll, WebSocket. Gives its account. */
async function run() {
  const doors = new Doors("websocket", "poll");
  const transports = ["websocket", "sse", "poll"];
  const url = server.url;
  const traveller = await seats.sit({ ...doors.options, url, transports, channel: CHANNEL });
  try {
    await traveller.subscribed();
    await traveller.carriedBy("sse");
    doors.open("websocket");
    page.online();
    await traveller.carriedBy("websocket");
    doors.open("poll");
    doors.shut("websocket", "sse");
    await traveller.carriedBy("poll");
    doors.open("websocket");
    page.online();
    await traveller.carriedBy("websocket");
    const newest = flood.count;
    await traveller.hears(newest);
  } finally {
    traveller.close();
  }
  return traveller.account();
}

test("moves under load lose nothing", { timeout: 150_000 }, async (t) => {
  const accounts = [];
  for (let wave = 0; wave < RUNS / AT_ONCE; wave++) {
    accounts.push(...(await Promise.all(Array.from({ length: AT_ONCE }, run))));
  }
  const sum = (of) => accounts.reduce((all, account) => all + of(account), 0);
  const counts = {
    runs: accounts.length,
    lost: sum(({ lost, first, begun }) => lost + first - begun - 1),
    twice: sum(({ twice }) => twice),
    disorder: sum(({ disorder }) => disorder),
    gaps: sum(({ gaps }) => gaps.length),
  };
  const heard = sum(({ count }) => count);
  t.diagnostic(`${heard} publications heard at ${flood.pace} a second: ${JSON.stringify(counts)}`);
  assert.deepEqual(counts, { runs: RUNS, lost: 0, twice: 0, disorder: 0, gaps: 0 });
  const ways = new Set(accounts.map(({ transports }) => transports.join(" ")));
  assert.deepEqual([...ways], ["sse websocket poll websocket"]);
});
