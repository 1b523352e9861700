/** The whole client over real sockets on bad networks, and while it moves between transports. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import WebSocket from "ws";

import {
  type Emitter,
  Martlet,
  type MartletOptions,
  type TransportChange,
  type WebSocketClass,
} from "../src/index.js";
import { storageInMemory } from "../src/route/memory.js";
import { Server } from "./server.js";

let server: Server;
let clients: Martlet[];

beforeEach(async () => {
  server = await Server.start();
  clients = [];
});

afterEach(async () => {
  clients.forEach((client) => client.close());
  await server.stop();
});

function connect(options: MartletOptions = {}): Martlet {
  const socket = WebSocket as unknown as WebSocketClass;
  const client = new Martlet(server.url, { WebSocket: socket, backoffMin: 10, ...options });
  clients.push(client);
  return client;
}

function next<Events, K extends keyof Events>(from: Emitter<Events>, name: K): Promise<Events[K]> {
  return new Promise((resolve) => from.once(name, resolve));
}

/** Waits until the session is carried by a transport. */
async function carriedBy(client: Martlet, name: string): Promise<void> {
  while (client.transport !== name) {
    await next(client, "transport");
  }
}

test("a WebSocket that is dropped silently keeps nobody waiting", async () => {
  server.faults.stallWebSocket = true;
  const client = connect();
  const change = await next(client, "transport");
  assert.deepEqual(change, { to: "sse", why: "first" });
  assert.equal((await client.publish("news", 1)).offset, 1);
});

test("where all streams are held back, polls carry the session", async () => {
  server.faults = { refuseWebSocket: 403, buffer: true };
  const client = connect();
  await carriedBy(client, "poll");
  assert.equal((await client.publish("news", 1)).offset, 1);
});

test("a portal's page with status 200 is no server", async () => {
  const page = { status: 200, body: "<html>log in</html>" };
  server.faults = { refuseWebSocket: 302, foreign: { sse: page, stream: page } };
  const client = connect();
  await carriedBy(client, "poll");
  server.faults.foreign = { poll: page, sse: page, stream: page, send: page };
  const published = client.publish("news", 1);
  server.faults.foreign = {};
  assert.equal((await published).offset, 1);
});

test("a session moves without a word, while everybody publishes", async () => {
  server.hub.keeps = 10_000;
  const moves: TransportChange[] = [];
  const client = connect();
  client.on("transport", (change) => moves.push(change));
  const states: string[] = [];
  client.on("state", ({ state }) => states.push(state));
  const news = client.subscribe("news", { since: 0 });
  const got: number[] = [];
  const done = new Promise<void>((resolve) => {
    news.on("publication", ({ offset }) => got.push(offset) === 600 && resolve());
  });
  news.on("gap", () => assert.fail("a gap"));
  const timer = setInterval(() => server.hub.publish("news", { data: server.next() }), 0);
  const own = Array.from({ length: 100 }, () => client.publish("news", server.next()));
  await done;
  clearInterval(timer);
  const receipts = await Promise.all(own);
  assert.equal(new Set(receipts.map(({ offset }) => offset)).size, 100);
  assert.equal(client.transport, "websocket");
  assert.ok(
    got.every((offset, i) => offset === i + 1),
    `something came twice or not at all: ${got.slice(0, 20)}`,
  );
  assert.deepEqual(states, ["connecting", "connected"]);
  assert.ok(moves.length <= 2, JSON.stringify(moves));
});

test("what comes over the new transport while the old one is read counts too", async () => {
  server.hub.keepsOld = true;
  server.faults.stallWebSocket = true;
  const client = connect();
  const news = client.subscribe("news");
  const got: number[] = [];
  await next(news, "subscribed");
  await carriedBy(client, "sse");
  news.on("publication", ({ offset }) => got.push(offset));
  server.releaseWebSockets();
  while (server.hub.commands.filter(({ name }) => name === "connect").length < 2) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  // The new connection has the session; this goes there, and only there.
  server.hub.publish("news", { data: 1 });
  server.hub.publish("news", { data: 2 });
  await carriedBy(client, "websocket");
  const last = next(news, "publication");
  server.hub.publish("news", { data: 3 });
  await last;
  assert.deepEqual(got, [1, 2, 3]);
});

test("a channel without history has no gap by a move", async () => {
  server.hub.keeps = 0;
  const client = connect();
  const news = client.subscribe("news");
  news.on("gap", () => assert.fail("a gap"));
  await carriedBy(client, "websocket");
  const publication = next(news, "publication");
  server.hub.publish("news", { data: 1 });
  assert.equal((await publication).data, 1);
});

/** Waits until the server knows so many clients, or so many have left it. */
async function counts(count: () => number, wanted: number): Promise<void> {
  while (count() !== wanted) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("who was not first in a race is no member too many", async () => {
  server.faults.stallStreams = true;
  const client = connect({ transports: ["websocket", "sse"] });
  const news = client.subscribe("news");
  const begun = next(news, "subscribed");
  await carriedBy(client, "websocket");
  await begun;
  assert.equal((await client.presence("news")).count, 2, "both have said connect");
  const told = (["join", "publication", "unsubscribed"] as const).map((name) => next(news, name));
  let heard = false;
  void Promise.race(told).then(() => (heard = true));
  server.releaseStreams();
  await counts(() => server.hub.left.length, 1);
  const { members } = await client.presence("news");
  assert.deepEqual(members.map((member) => member.client), [client.id]);
  assert.equal(client.transport, "websocket");
  assert.ok(!heard, "the loser was heard");
});

test("a race that is called off leaves nobody behind", async () => {
  for (const end of [(client: Martlet) => client.close(), () => undefined]) {
    server.faults.stallStreams = true;
    const before = { peers: server.hub.peers.size, left: server.hub.left.length };
    // The second ends by itself: nothing connects in time.
    const limits = { connectTimeout: 400, backoffMin: 5_000 };
    const client = connect({ transports: ["stream", "sse"], ...limits });
    client.subscribe("news");
    const off = new Promise<void>((resolve) => {
      client.on("state", ({ state }) => state === "disconnected" && resolve());
    });
    await counts(() => server.hub.peers.size, before.peers + 1);
    end(client);
    await off;
    const begun = server.hub.peers.size - before.peers;
    server.releaseStreams();
    await counts(() => server.hub.left.length, before.left + begun);
    assert.deepEqual([...server.hub.channel("news").readers], []);
    client.close();
  }
});

test("what worked is remembered, and then begun alone", async () => {
  const storage = storageInMemory();
  const first = connect({ storage });
  await carriedBy(first, "websocket");
  const before = server.requests.length;
  const second = connect({ storage });
  await carriedBy(second, "websocket");
  assert.deepEqual(server.requests.slice(before), []);
  assert.match(storage.getItem("martlet:networks") ?? "", /127\.0\.0\.1/);
});

for (const transport of ["sse", "stream", "poll"] as const) {
  test(`over ${transport}: a send whose answer is lost is done once`, async () => {
    const client = connect({ transports: [transport] });
    await carriedBy(client, transport);
    server.faults.loseAnswers = { send: 2 };
    const members = client.presence("news");
    const receipt = await client.publish("news", 1, { key: "k" });
    assert.equal(receipt.duplicate, undefined);
    assert.equal((await members).count, 0);
    await client.ping(); // It goes up behind what is sent again.
    assert.equal(server.sends.length, 4);
    assert.equal(new Set(server.sends.slice(0, 3)).size, 1, "not the same bytes");
    const publishes = server.hub.commands.filter(({ name }) => name === "publish");
    assert.equal(publishes.length, 1);
  });
}

test("a poll whose answer is lost is asked for again", async () => {
  const client = connect({ transports: ["poll"] });
  const news = client.subscribe("news", { since: 0 });
  await next(news, "subscribed");
  const publication = next(news, "publication");
  server.faults.loseAnswers = { poll: 1 };
  // What is under way is answered as it should be; the one after it is not.
  server.hub.publish("news", { data: 1 });
  await publication;
  const second = next(news, "publication");
  server.hub.publish("news", { data: 2 });
  assert.equal((await second).data, 2);
  const batches = server.polls.asked.map((query) => /batch=(\d+)/.exec(query)?.[1]);
  assert.ok(batches.some((batch, i) => i > 0 && batch !== undefined && batch === batches[i - 1]));
});

test("traffic is counted by transport", async () => {
  const client = connect({ transports: ["stream"] });
  await carriedBy(client, "stream");
  assert.deepEqual(client.traffic.transports.websocket, undefined);
  const { up, down } = client.traffic;
  assert.ok(up > 20 && down > 100, `${up} ${down}`);
  await client.publish("news", "x".repeat(1_000));
  const now = client.traffic;
  assert.ok(now.up >= up + 1_000 && now.up < up + 1_300, `${now.up}`);
  assert.ok(now.down > down);
  assert.deepEqual(now.transports.stream, { up: now.up, down: now.down });
  await client.ping();
  assert.ok((client.traffic.latency ?? -1) >= 0);
});

test("a stream that is full is followed by the next, and nobody is told", async () => {
  const client = connect({ transports: ["stream"] });
  const news = client.subscribe("news");
  await next(news, "subscribed");
  const off = client.on("state", ({ name }) => assert.fail(name));
  const back = next(news, "subscribed");
  const full = { code: 3009, name: "stream_full", message: "", reconnect: true, after: 0 };
  server.hub.closeAll(full);
  server.hub.publish("news", { data: 1 });
  assert.equal((await back).recovered, true);
  off();
});

test("a WebSocket that breaks is a lost connection, whatever its close is numbered", async () => {
  const client = connect({ transports: ["websocket"] });
  await carriedBy(client, "websocket");
  while (client.state !== "connected") {
    await next(client, "state");
  }
  const lost = next(client, "state");
  server.hub.cutAll();
  const { code, name } = await lost;
  assert.deepEqual([code, name], [1006, "connection_lost"]);
});
