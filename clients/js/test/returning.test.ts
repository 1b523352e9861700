/** What the server advises, on every way it can come; and what coming back does not ask for. */

import assert from "node:assert/strict";
import { test } from "node:test";

import WebSocket from "ws";

import { Martlet, type State, type TransportName, type WebSocketClass } from "../src/index.js";
import { AnswerError, ask, mayPass } from "../src/transport/answer.js";
import { Net } from "./net.js";
import { Server } from "./server.js";
import { World } from "./world.js";

const SHUTDOWN = { code: 3000, name: "shutdown", message: "bye", reconnect: true };

function dialed(world: World): string {
  const [dial, ...more] = world.take("dial");
  assert.ok(dial !== undefined && more.length === 0, "it dialed once");
  world.outputs.push(dial);
  return dial.address;
}

test("the server's time is kept though the page sleeps, wakes, and hears of the network", () => {
  const world = new World();
  world.connect();
  world.event("close", { ...SHUTDOWN, after: 40_000 });
  assert.deepEqual(
    [world.state()].map(({ code, name, message, retryIn }) => [code, name, message, retryIn]),
    [[3000, "shutdown", "bye", 40_000]],
  );
  for (let i = 0; i < 30; i++) {
    world.advance(1_000);
    world.session.handleFreeze();
    world.advance(100);
    world.session.handleWake(world.now);
    world.session.connect(world.now);
  }
  world.advance(6_999);
  assert.deepEqual(world.commands(), []);
  world.advance(1);
  world.command("connect");
});

test("what something between said may be over with the next network", () => {
  const world = new World();
  world.session.connect(world.now);
  world.settle();
  world.commands();
  const refused = { code: 0, name: "http_status", message: "", temporary: true, after: 60_000 };
  world.session.handleConnectRefused(world.now, refused);
  world.settle();
  assert.equal(world.state().retryIn, 60_000);
  world.session.handleWake(world.now);
  world.advance(200);
  world.command("connect");
});

test("a refused connect says when to come back", () => {
  for (const code of [3011, 1304, 1018]) {
    const world = new World();
    world.session.connect(world.now);
    world.settle();
    const { id } = world.command("connect");
    const refusal = { code, name: "busy", message: "later", temporary: true, after: 4_321 };
    world.event("error", refusal, id);
    assert.equal(world.state().retryIn, 4_321);
    world.advance(4_320);
    assert.deepEqual(world.commands(), []);
    world.advance(1);
    world.command("connect");
  }
});

test("the numbers of a WebSocket's close say whether to come back", () => {
  for (const [code, comes] of [
    [1001, true],
    [1006, true],
    [1012, true],
    [1013, true],
    [3000, true],
    [3499, true],
    [3500, false],
    [3999, false],
  ] as const) {
    const world = new World();
    world.connect();
    world.session.handleClosed(world.now, { code, name: "x", message: "" });
    world.settle();
    assert.equal(world.state().retryIn !== undefined, comes, `${code}`);
  }
});

test("a named node is dialed with the grant, until a try there fails", () => {
  const world = new World({ token: "t1" });
  world.session.connect(world.now);
  world.settle();
  assert.equal(dialed(world), "https://realtime.example.com");
  world.accept();
  world.event("close", { ...SHUTDOWN, after: 5, node: "https://b.example.com/live" });
  world.advance(5);
  assert.equal(dialed(world), "https://b.example.com/live");
  assert.equal(world.accept().body.grant, "g1");
  world.advance(30_000);
  world.event("close", { ...SHUTDOWN, code: 3010, name: "aged" });
  assert.equal(dialed(world), "https://b.example.com/live", "it works, and is kept");
  world.commands();
  world.lose();
  world.advance(1_000);
  assert.equal(dialed(world), "https://realtime.example.com");
  assert.equal(world.accept().body.grant, "g1");
});

test("a token that is at hand is tried at once when the grant is refused", () => {
  const world = new World({ token: "t1" });
  world.connect();
  world.advance(10_000);
  world.lose();
  world.advance(600);
  world.event("error", { code: 1105, name: "g", message: "" }, world.command("connect").id);
  world.advance(1);
  assert.equal(world.accept().body.token, "t1");
});

test("coming back asks the application for no token while the grant is good", () => {
  const world = new World({ fetches: true });
  world.session.connect(world.now);
  world.settle();
  assert.equal(world.take("fetch_token").length, 1);
  world.session.handleToken(world.now, undefined, "t1");
  world.settle();
  world.accept();
  for (let i = 0; i < 20; i++) {
    world.advance(6_000);
    world.event("ping", {});
    if (i % 2 === 0) {
      world.lose();
    } else {
      world.event("close", { ...SHUTDOWN, after: 100 });
    }
    world.advance(600);
    assert.equal(world.accept().body.grant, "g1");
  }
  assert.deepEqual(world.take("fetch_token"), []);
});

async function answerOf(status: number, headers: Record<string, string>, body: string) {
  const fetch = () => Promise.resolve(new Response(body, { status, headers }));
  const { signal } = new AbortController();
  try {
    await ask(fetch, { url: "http://localhost/", signal, expected: { 200: "text/plain" } });
  } catch (error) {
    assert.ok(error instanceof AnswerError);
    return error;
  }
  return assert.fail("it was an answer");
}

test("an answer over HTTP says when to come back, in its body or its header", async () => {
  const busy = JSON.stringify({ code: 3011, name: "busy", message: "later" });
  const told = JSON.stringify({ code: 3011, name: "busy", message: "later", after: 1_500 });
  const cases = [
    [503, { "retry-after": "7" }, told, 3011, 1_500],
    [429, { "retry-after": "7" }, busy, 3011, 7_000],
    [503, { "retry-after": "7" }, "<p>Wait</p>", 0, 7_000],
    [503, { "retry-after": "Fri, 27 Nov 2026 20:00:00 GMT" }, "<p>Wait</p>", 0, undefined],
    [503, { "retry-after": "-7" }, "<p>Wait</p>", 0, undefined],
    [503, {}, "<p>Wait</p>", 0, undefined],
    [200, { "retry-after": "7", "content-type": "text/html" }, "<p>Portal</p>", 0, undefined],
  ] as const;
  for (const [status, headers, body, code, after] of cases) {
    const error = await answerOf(status, headers, body);
    assert.deepEqual([error.refused.code, error.refused.after], [code, after]);
    // The pauses of a request that is made again are much shorter than what was advised.
    assert.equal(mayPass(error), code === 0 && after === undefined);
  }
});

test("the server's word when to come back ends the race", () => {
  const refused = { code: 3011, name: "busy", message: "later", after: 900 };
  const net = new Net({ sse: { fails: 5, closed: { code: 0, reason: "no", refused } } });
  net.dial();
  net.advance(10);
  assert.equal(net.failed?.refused, refused);
  assert.deepEqual(net.open, []);
  const foreign = { code: 0, name: "http_status", message: "no", after: 900 };
  const between = new Net({ sse: { fails: 5, closed: { code: 0, reason: "no", refused: foreign } } });
  between.dial();
  between.advance(10);
  assert.equal(between.failed, undefined, "something between may let another transport pass");
});

for (const transport of ["websocket", "sse", "stream", "poll"] as const) {
  const transports: TransportName[] = [transport];

  test(`over ${transport}: it moves to the node that is named, uplink and all`, async () => {
    const [first, second] = [await Server.start(), await Server.start()];
    const socket = WebSocket as unknown as WebSocketClass;
    const client = new Martlet(first.url, { transports, WebSocket: socket, backoffMin: 10 });
    try {
      const states: State[] = [];
      const connected = () =>
        new Promise<void>((resolve) => {
          const off = client.on("state", (state) => {
            states.push(state);
            if (state.state === "connected") {
              off();
              resolve();
            }
          });
        });
      await connected();
      const back = connected();
      for (const peer of first.hub.peers.values()) {
        peer.down?.send({ close: { ...SHUTDOWN, after: 30, node: second.url } });
      }
      await back;
      const lost = states.find(({ state }) => state === "disconnected");
      assert.deepEqual([lost?.code, lost?.name, lost?.retryIn], [3000, "shutdown", 30]);
      const sends = first.sends.length;
      await client.publish("news", 1);
      assert.equal(second.hub.peers.size, 1);
      assert.equal(first.sends.length, sends, "nothing went to the first one any more");
    } finally {
      client.close();
      await Promise.all([first.stop(), second.stop()]);
    }
  });
}
