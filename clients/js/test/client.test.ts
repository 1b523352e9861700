/** The whole client over real sockets, on both transports, against the test double. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import WebSocket from "ws";

import {
  type Emitter,
  Martlet,
  MartletError,
  type MartletOptions,
  type Publication,
  type Subscription,
  type TransportName,
  type WebSocketClass,
} from "../src/index.js";
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
  const client = new Martlet(server.url, {
    WebSocket: socket,
    backoffMin: 10,
    backoffMax: 40,
    ...options,
  });
  clients.push(client);
  return client;
}

/** Waits for one event. */
function next<Events, K extends keyof Events>(from: Emitter<Events>, name: K): Promise<Events[K]> {
  return new Promise((resolve) => from.once(name, resolve));
}

/** Waits for a state. */
function reaches(client: Martlet, state: Martlet["state"]) {
  return new Promise((resolve) => {
    const off = client.on("state", (event) => {
      if (event.state === state) {
        off();
        resolve(event);
      }
    });
  });
}

/** Collects publications until there are so many. */
function collect(subscription: Subscription, count: number): Promise<Publication[]> {
  const publications: Publication[] = [];
  return new Promise((resolve) => {
    subscription.on("publication", (publication) => {
      publications.push(publication);
      if (publications.length === count) {
        resolve(publications);
      }
    });
  });
}

for (const transport of ["websocket", "sse", "stream", "poll"] as const) {
  const transports: TransportName[] = [transport];

  test(`over ${transport}: publishes, and follows what is published`, async () => {
    const client = connect({ transports });
    const news = client.subscribe("news");
    const got = collect(news, 3);
    await next(news, "subscribed");
    assert.equal(client.transport, transport);
    const options = { name: "line", ref: "r1", tags: { lang: "en" } };
    const receipt = await client.publish("news", { text: "grüße 🐦" }, options);
    await client.publish("news", new Uint8Array([0, 255]));
    await client.publish("news", null);
    const [first, second, third] = await got;
    assert.equal(receipt.id, first?.id);
    assert.deepEqual(first?.data, { text: "grüße 🐦" });
    assert.deepEqual([first?.name, first?.ref, first?.tags], ["line", "r1", { lang: "en" }]);
    assert.equal(first?.from?.client, client.id);
    assert.deepEqual(second?.bytes, new Uint8Array([0, 255]));
    assert.equal(third?.data, null);
  });

  test(`over ${transport}: misses nothing by a cut, and hears it once`, async () => {
    const client = connect({ transports });
    const news = client.subscribe("news");
    const got = collect(news, 20);
    await next(news, "subscribed");
    for (let i = 1; i <= 20; i += 2) {
      server.hub.publish("news", { data: i });
      const back = next(news, "subscribed");
      server.hub.cutAll();
      server.hub.publish("news", { data: i + 1 });
      assert.equal((await back).recovered, true);
    }
    assert.deepEqual(
      (await got).map(({ data }) => data),
      [...Array(20).keys()].map((i) => i + 1),
    );
    assert.equal(client.cursor, "20.e0000001.news");
  });

  test(`over ${transport}: is told of what is gone`, async () => {
    server.hub.keeps = 2;
    const client = connect({ transports, backoffMin: 100, backoffMax: 200 });
    const news = client.subscribe("news");
    await next(news, "subscribed");
    const gap = next(news, "gap");
    const lost = reaches(client, "disconnected");
    server.hub.cutAll();
    await lost;
    for (let i = 1; i <= 5; i++) {
      server.hub.publish("news", { data: i });
    }
    const { from, to, reason } = await gap;
    assert.deepEqual([from, to, reason], [1, 3, "expired"]);
  });

  test(`over ${transport}: a publication whose answer was lost is published once`, async () => {
    const client = connect({ transports });
    await reaches(client, "connected");
    server.hub.dropReceipts = 1;
    const published = client.publish("news", 1);
    const second = client.publish("news", 2);
    await second;
    server.hub.cutAll();
    assert.equal((await published).duplicate, true);
    assert.equal(server.hub.channel("news").offset, 2);
  });

  test(`over ${transport}: what is published without a connection waits for it`, async () => {
    const client = connect({ transports });
    const published = [client.publish("news", 1), client.publish("news", 2)];
    assert.deepEqual(
      (await Promise.all(published)).map(({ offset }) => offset),
      [1, 2],
    );
  });

  test(`over ${transport}: history, presence and a round trip`, async () => {
    const client = connect({ transports });
    const news = client.subscribe("news");
    await next(news, "join");
    server.hub.publish("news", { data: "a" });
    server.hub.publish("news", { data: "b" });
    const page = await client.history("news", { limit: 1, reverse: true });
    assert.deepEqual(
      page.publications.map(({ channel, data }) => [channel, data]),
      [["news", "b"]],
    );
    assert.equal(page.more, true);
    const presence = await client.presence("news");
    assert.deepEqual(presence.members, [{ client: client.id }]);
    assert.ok((await client.ping()) >= 0);
  });

  test(`over ${transport}: follows from a time, and from a cursor`, async () => {
    server.hub.publish("news", { data: 1 });
    server.hub.publish("news", { data: 2 });
    const recent = await collect(connect({ transports }).subscribe("news", { since: "1m" }), 2);
    assert.deepEqual(
      recent.map(({ data }) => data),
      [1, 2],
    );
    const again = connect({ transports, cursor: "1.e0000001.news" });
    const [second] = await collect(again.subscribe("news"), 1);
    assert.equal(second?.data, 2);
  });

  test(`over ${transport}: obeys a close, and ends with one for good`, async () => {
    const client = connect({ transports });
    await reaches(client, "connected");
    const state = next(client, "state");
    const close = { code: 3502, name: "disconnected", message: "out", reconnect: false };
    server.hub.closeAll(close);
    assert.deepEqual(await state, {
      state: "disconnected",
      code: 3502,
      name: "disconnected",
      message: "out",
    });
    await assert.rejects(client.publish("news", 1), { name: "stopped" });
  });

  test(`over ${transport}: comes back with a token when its grant is refused`, async () => {
    server.hub.tokens.set("t1", "ann");
    const client = connect({ transports, getToken: async () => "t1" });
    await reaches(client, "connected");
    assert.equal(client.user, "ann");
    server.hub.grantsRefused = true;
    const back = reaches(client, "connected");
    server.hub.cutAll();
    await back;
    const connects = server.hub.commands.filter(({ name }) => name === "connect");
    assert.deepEqual(
      connects.map(({ body }) => ["token" in body, "grant" in body]),
      [
        [true, false],
        [false, true],
        [true, false],
      ],
    );
  });

  test(`over ${transport}: a silent server is left`, async () => {
    server.hub.heartbeat = { ping: 20, pong: 20 };
    const client = connect({ transports });
    await reaches(client, "connected");
    const lost = (await reaches(client, "disconnected")) as { name: string };
    assert.equal(lost.name, "silent");
  });

  test(`over ${transport}: a refused token is told, and ends the tries`, async () => {
    server.hub.tokens.set("t1", "ann");
    const client = connect({ transports, token: "bad" });
    const told = next(client, "error");
    const waiting = client.publish("news", 1);
    const lost = (await reaches(client, "disconnected")) as { code: number; retryIn?: number };
    assert.deepEqual([lost.code, lost.retryIn], [1101, undefined]);
    await assert.rejects(waiting, (error) => error instanceof MartletError && error.code === 1101);
    assert.equal((await told).name, "token_invalid");
  });

  test(`over ${transport}: what is too large is refused without a frame`, async () => {
    server.hub.frameBytes = 1_000;
    const client = connect({ transports });
    await reaches(client, "connected");
    const large = client.publish("news", "x".repeat(1_000));
    await assert.rejects(large, { name: "frame_too_large" });
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => client.publish("news", `${i}`.repeat(99))),
    );
    assert.equal(server.hub.channel("news").offset, 20);
  });
}

test("commands of one tick go in one frame", async () => {
  const client = connect({ transports: ["sse"] });
  await reaches(client, "connected");
  const answers = [client.publish("a", 1), client.presence("a"), client.history("a")];
  await Promise.all(answers);
  assert.equal(server.sends.length, 1);
  assert.equal(server.sends[0]?.split("\n").length, 3);
});

test("a WebSocket that never opens is overtaken", async () => {
  server.faults.stallWebSocket = true;
  const client = connect();
  await reaches(client, "connected");
  assert.equal(client.transport, "sse");
});

test("a WebSocket that is refused is overtaken at once, and the other way round", async () => {
  server.faults.refuseWebSocket = 403;
  const first = connect();
  await reaches(first, "connected");
  assert.equal(first.transport, "sse");
  server.faults = { foreign: { sse: { status: 502, body: "<html>" } } };
  const second = connect({ transports: ["sse", "websocket"] });
  await reaches(second, "connected");
  assert.equal(second.transport, "websocket");
});

test("a client resumes on the other transport", async () => {
  const client = connect();
  const news = client.subscribe("news");
  const begun = next(news, "subscribed");
  while ((await next(client, "transport")).to !== "websocket") {
    // First a stream carries the session.
  }
  await begun;
  const { id } = client;
  server.faults.refuseWebSocket = 502;
  const back = next(news, "subscribed");
  const got = collect(news, 1);
  server.hub.cutAll();
  server.hub.publish("news", { data: "meanwhile" });
  assert.equal((await back).recovered, true);
  assert.equal((await got)[0]?.data, "meanwhile");
  assert.deepEqual([client.transport, client.id], ["sse", id]);
});

test("a refusal of who it is ends the tries on SSE; a proxy's page does not", async () => {
  const refused = { code: 1109, name: "origin_denied", message: "no", hint: "h" };
  server.faults.foreign = { sse: { status: 403, body: JSON.stringify(refused) } };
  const client = connect({ transports: ["sse"] });
  const state = (await reaches(client, "disconnected")) as { code: number; retryIn?: number };
  assert.deepEqual([state.code, state.retryIn], [1109, undefined]);
  server.faults.foreign = { sse: { status: 502, body: "<html>" } };
  client.connect();
  const again = (await reaches(client, "disconnected")) as { name: string; retryIn?: number };
  assert.equal(again.name, "http_status");
  assert.ok((again.retryIn ?? 0) > 0);
});

test("characters that are cut in two arrive whole", async () => {
  server.pieces = 1;
  const client = connect({ transports: ["sse"] });
  const got = collect(client.subscribe("news", { since: 0 }), 1);
  server.hub.publish("news", { data: "é€😀\u2028" });
  assert.equal((await got)[0]?.data, "é€😀\u2028");
});

test("a session that the server forgot is begun anew", async () => {
  const client = connect({ transports: ["sse"] });
  await reaches(client, "connected");
  server.hub.peers.clear();
  const receipt = await client.publish("news", 1);
  assert.equal(receipt.offset, 1);
});

test("without any transport it says so", async () => {
  const client = new Martlet(server.url, { transports: ["websocket"] });
  clients.push(client);
  const lost = (await reaches(client, "disconnected")) as { message: string };
  assert.match(lost.message, /no transport/);
});

test("closing from within a listener ends quietly", async () => {
  const client = connect();
  const news = client.subscribe("news");
  const ended = next(news, "unsubscribed");
  news.on("subscribed", () => client.close());
  await ended;
  assert.equal(client.state, "disconnected");
  await assert.rejects(client.publish("news", 1), { name: "closed" });
});
