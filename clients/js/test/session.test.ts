/** The session on a virtual clock: connecting, losing, coming back, and what waits meanwhile. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { MartletError } from "../src/error.js";
import type { Command } from "../src/wire.js";
import { connected, publication, subscribed, World } from "./world.js";

test("connect carries every subscription, and comes once", () => {
  const world = new World({ token: "t1" });
  world.session.subscribe("news", { fetches: false, since: 7 });
  world.session.subscribe("room:1", { fetches: false, token: "ct" });
  const { body } = world.connect();
  assert.deepEqual(body, {
    token: "t1",
    agent: "test/1",
    subscribe: [
      { channel: "news", since: 7 },
      { channel: "room:1", token: "ct" },
    ],
  });
  assert.equal(world.state().state, "connected");
  world.session.connect(world.now);
  world.advance(1_000);
  assert.deepEqual(world.commands(), []);
});

test("coming back uses grant, session and positions in one frame", () => {
  const world = new World({ token: "t1" });
  world.connect();
  world.follow(5);
  world.event("publication", publication(6));
  world.event("grant", { grant: "g2" });
  world.lose();
  const state = world.state();
  assert.equal(state.state, "disconnected");
  assert.ok((state.retryIn ?? 0) >= 1 && (state.retryIn ?? 0) <= 600);
  world.advance(600);
  const connect = world.accept({ resumed: true });
  assert.deepEqual(connect.body, {
    grant: "g2",
    session: "s1",
    agent: "test/1",
    subscribe: [{ channel: "news", epoch: "e0000000", offset: 6 }],
  });
  world.event("subscribed", subscribed(6, { head: 8, recovered: true }), connect.id);
  world.event("publication", publication(7));
  assert.deepEqual(
    world.told().map(({ name }) => name),
    ["publication", "subscribed", "publication"],
  );
});

test("a refused grant is given up for the token", () => {
  for (const code of [1105, 1106]) {
    const world = new World({ token: "t1" });
    world.connect();
    world.lose();
    world.advance(600);
    const { id } = world.command("connect");
    world.take("hang_up");
    world.event("error", { code, name: "grant", message: "no" }, id);
    assert.equal(world.take("hang_up").length, 1);
    world.advance(1_000);
    assert.deepEqual(world.accept().body, { token: "t1", agent: "test/1" });
    assert.equal(world.state().state, "connected");
  }
});

test("a refused token ends the tries and whatever waits", () => {
  const world = new World({ token: "bad" });
  world.session.connect(world.now);
  world.settle();
  world.session.ask(world.now, "presence", { channel: "news" });
  const { id } = world.command("connect");
  world.event("error", { code: 1101, name: "token_invalid", message: "no" }, id);
  const state = world.state();
  assert.deepEqual([state.state, state.code, state.retryIn], ["disconnected", 1101, undefined]);
  const [settled] = world.take("settle");
  assert.ok(settled?.answer instanceof MartletError && settled.answer.code === 1101);
  world.advance(3_600_000);
  assert.deepEqual(world.commands(), []);
});

test("waits grow, have their jitter, are never zero and begin anew after a success", () => {
  for (const [random, first, last] of [
    [0, 100, 400],
    [0.999, 200, 10_000],
  ] as const) {
    const world = new World({ random: () => random });
    world.session.connect(world.now);
    const waits: number[] = [];
    for (let i = 0; i < 12; i++) {
      world.settle();
      world.lose();
      const wait = world.state().retryIn ?? 0;
      waits.push(wait);
      world.commands();
      world.advance(wait);
    }
    assert.ok(Math.abs((waits[0] ?? 0) - first) <= 1, `${waits}`);
    assert.ok(Math.abs((waits.at(-1) ?? 0) - last) <= last / 100, `${waits}`);
    world.accept();
    world.advance(6_000);
    world.lose();
    const soon = 1 + 599 * random;
    assert.equal(world.state().retryIn, soon, "soon, and not all in one moment");
  }
});

test("the server's advice is obeyed, and not cut short by news of the network", () => {
  const world = new World();
  world.connect();
  const close = { code: 3000, name: "shutdown", message: "bye", reconnect: true, after: 7_000 };
  world.event("close", close);
  assert.equal(world.state().retryIn, 7_000);
  world.session.handleWake(world.now);
  world.advance(6_999);
  assert.deepEqual(world.commands(), []);
  world.advance(1);
  assert.equal(world.command("connect").name, "connect");
});

test("a close for good is for good until the application says otherwise", () => {
  const world = new World();
  world.connect();
  world.follow(5);
  const close = { code: 3502, name: "disconnected", message: "out", reconnect: false };
  world.event("close", close);
  assert.equal(world.state().retryIn, undefined);
  world.advance(3_600_000);
  assert.deepEqual(world.commands(), []);
  assert.deepEqual(world.connect().body.subscribe, [
    { channel: "news", epoch: "e0000000", offset: 5 },
  ]);
});

test("news of the network ends a wait early, though not at once", () => {
  const world = new World({ random: () => 0.9 });
  world.session.connect(world.now);
  for (let i = 0; i < 10; i++) {
    world.settle();
    world.lose();
    if (i < 9) {
      world.advance(world.state().retryIn ?? 0);
    }
  }
  world.commands();
  world.session.handleWake(world.now);
  world.settle();
  assert.deepEqual(world.commands(), []);
  world.advance(101);
  assert.equal(world.command("connect").name, "connect");
});

test("waking up asks a live connection whether it lives", () => {
  const world = new World();
  world.connect();
  world.session.handleWake(world.now);
  world.settle();
  const { id } = world.command("ping");
  world.advance(1_000);
  world.event("pong", { time: world.now }, id);
  world.advance(10_000);
  world.session.handleWake(world.now);
  world.settle();
  world.state();
  world.advance(3_000);
  assert.equal(world.state().name, "silent");
});

test("a silent server is left after ping and pong; any sign of life counts", () => {
  const world = new World();
  world.connect();
  world.state();
  for (let i = 0; i < 5; i++) {
    world.advance(30_000);
    world.session.handleAlive(world.now);
  }
  assert.deepEqual(world.take("state"), []);
  world.advance(34_999);
  assert.deepEqual(world.take("state"), []);
  world.advance(1);
  assert.equal(world.state().name, "silent");
  assert.equal(world.take("hang_up").length, 1);
});

test("the server's ping is answered", () => {
  const world = new World();
  world.connect();
  world.event("ping", {});
  assert.deepEqual(world.commands(), [{ id: 0, name: "pong", body: {} }]);
});

test("a try that comes to nothing is given up", () => {
  const world = new World();
  world.session.connect(world.now);
  world.settle();
  world.state();
  world.advance(10_000);
  assert.equal(world.state().name, "connect_timeout");
});

test("what was not answered is sent again, in its order, with its key and a new number", () => {
  const world = new World();
  world.session.connect(world.now);
  world.settle();
  const publish = (key: string) =>
    world.session.ask(world.now, "publish", { channel: "news", json: "1", key });
  const keys = (sent: Command[]) => sent.map(({ body }) => (body as { key?: string }).key);
  publish("k1");
  world.accept();
  world.settle();
  const [before] = world.commands();
  assert.deepEqual(keys(before === undefined ? [] : [before]), ["k1"]);
  const second = publish("k2");
  world.settle();
  world.lose();
  publish("k3");
  world.advance(600);
  world.accept();
  const sent = world.commands();
  assert.deepEqual(keys(sent), ["k1", "k2", "k3"]);
  const numbers = sent.map(({ id }) => id);
  assert.ok(numbers.every((id, i) => id > (numbers[i - 1] ?? before?.id ?? 0)), `${numbers}`);
  const receipt = { channel: "news", id: "p1", epoch: "e0000000", offset: 1, time: 1 };
  world.event("published", receipt, before?.id);
  assert.deepEqual(world.take("settle"), [], "an answer of the lost connection is none");
  world.event("published", receipt, numbers[1]);
  assert.deepEqual(
    world.take("settle").map(({ id }) => id),
    [second],
  );
});

test("coming back at once is told to nobody, unless it happens again and again", () => {
  const world = new World();
  world.connect();
  world.take("state");
  const full = { code: 3009, name: "stream_full", message: "", reconnect: true, after: 0 };
  world.event("close", full);
  world.accept({ resumed: true });
  assert.deepEqual(world.take("state"), []);
  world.event("close", full);
  assert.deepEqual(world.commands(), []);
  const { retryIn } = world.state();
  assert.ok((retryIn ?? 0) >= 100, `${retryIn}`);
  world.advance(retryIn ?? 0);
  world.accept({ resumed: true });
  world.advance(2_000);
  world.take("state");
  world.event("close", { ...full, code: 3004, name: "replaced" });
  world.accept({ resumed: true });
  assert.deepEqual(world.take("state"), []);
});

test("a page that is put away hangs up, and comes back when it is shown", () => {
  const world = new World();
  world.connect();
  world.follow(5);
  world.session.handleFreeze();
  world.settle();
  assert.equal(world.take("hang_up").length, 1);
  assert.equal(world.state().name, "frozen");
  world.advance(3_600_000);
  assert.deepEqual(world.commands(), []);
  world.session.handleWake(world.now);
  world.advance(101);
  const { body } = world.accept({ resumed: true });
  assert.deepEqual(body.subscribe, [{ channel: "news", epoch: "e0000000", offset: 5 }]);
});

test("after sleep there is time to read what came meanwhile", () => {
  const world = new World();
  world.connect();
  world.take("state");
  world.now += 3_600_000;
  world.session.handleWake(world.now);
  world.settle();
  const { id } = world.command("ping");
  assert.deepEqual(world.take("state"), []);
  world.advance(2_999);
  world.event("pong", {}, id);
  world.advance(10_000);
  assert.deepEqual(world.take("state"), []);
});

test("the queue is bounded in number and bytes, and answers that come make room", () => {
  const world = new World();
  world.connect();
  const publish = (json: string) =>
    world.session.ask(world.now, "publish", { channel: "news", json, key: "k" });
  const ids = [1, 2, 3, 4].map(() => publish("1"));
  publish("1");
  world.settle();
  const [full, ...more] = world.take("settle");
  assert.equal(more.length, 0);
  assert.ok(full?.answer instanceof MartletError && full.answer.name === "queue_full");
  world.event("error", { code: 1304, name: "rate_limited", message: "", after: 9 }, ids[0]);
  const [refused] = world.take("settle");
  assert.ok(refused?.answer instanceof MartletError && refused.answer.after === 9);
  publish("x".repeat(998));
  world.settle();
  assert.equal(world.take("settle").length, 1);
  publish("x".repeat(997));
  world.settle();
  assert.equal(world.take("settle").length, 0);
});

test("a command that nobody answers is given up in time", () => {
  const world = new World();
  world.connect();
  world.session.ask(world.now, "presence", { channel: "news" });
  world.settle();
  for (let i = 0; i < 6; i++) {
    world.event("ping", {});
    world.advance(10_000);
  }
  const [late] = world.take("settle");
  assert.ok(late?.answer instanceof MartletError && late.answer.name === "timeout");
});

test("a ping does not outlive the connection it measures", () => {
  const world = new World();
  world.connect();
  world.session.ask(world.now, "ping", {});
  world.settle();
  world.lose();
  const [gone] = world.take("settle");
  assert.ok(gone?.answer instanceof MartletError && gone.answer.name === "disconnected");
});

test("closing ends subscriptions and what waits, and refuses what comes later", () => {
  const world = new World();
  world.connect();
  world.follow();
  world.session.ask(world.now, "presence", { channel: "news" });
  world.session.close();
  world.settle();
  assert.deepEqual(world.told(), [{ name: "unsubscribed", body: { channel: "news" } }]);
  const [closed] = world.take("settle");
  assert.ok(closed?.answer instanceof MartletError && closed.answer.name === "closed");
  assert.throws(() => world.session.subscribe("news", { fetches: false }), /closed/);
  world.session.connect(world.now);
  world.advance(60_000);
  assert.deepEqual(world.take("dial"), []);
});

test("many subscriptions go in several commands, each of a bearable size", () => {
  const world = new World();
  for (let i = 0; i < 120; i++) {
    const token = "t".repeat(1_000);
    world.session.subscribe(`room:${i}`, { fetches: false, token });
  }
  const { body } = world.connect();
  const sent = world.commands().map((command) => command.body as { channel: string }[]);
  const lists = [body.subscribe ?? [], ...sent];
  assert.equal(lists.flat().length, 120);
  assert.ok(lists.length > 3);
  assert.ok(lists.every((list) => JSON.stringify(list).length < 32_768));
});

test("events of no connection are nothing", () => {
  const world = new World();
  world.event("connected", connected(world.now));
  world.event("publication", publication(1));
  world.lose();
  assert.deepEqual(world.outputs, []);
});
