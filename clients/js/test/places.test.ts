/** Subscriptions on a virtual clock: order, duplicates, holes, gaps, refusals. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { publication, subscribed, World } from "./world.js";

function following(offset = 5): World {
  const world = new World();
  world.connect();
  world.follow(offset);
  return world;
}

function offsets(world: World): number[] {
  return world.told().flatMap(({ name, body }) => (name === "publication" ? [body.offset] : []));
}

test("duplicates are dropped, the order is kept", () => {
  const world = following(5);
  for (const offset of [5, 6, 6, 7, 3, 8]) {
    world.event("publication", publication(offset));
  }
  assert.deepEqual(offsets(world), [6, 7, 8]);
  assert.deepEqual([...world.session.positions()], [["news", { epoch: "e0000000", offset: 8 }]]);
});

test("a hole without a gap is asked for again from the last position", () => {
  const world = following(5);
  world.event("publication", publication(8));
  const sent = world.commands();
  assert.deepEqual(
    sent.map(({ name }) => name),
    ["unsubscribe", "subscribe"],
  );
  assert.deepEqual(sent[1]?.body, [{ channel: "news", epoch: "e0000000", offset: 5 }]);
  world.event("publication", publication(9));
  assert.deepEqual(offsets(world), []);
  world.event("subscribed", subscribed(5, { head: 9, recovered: true }), sent[1]?.id);
  for (const offset of [6, 7, 8, 9]) {
    world.event("publication", publication(offset));
  }
  assert.deepEqual(offsets(world), [6, 7, 8, 9]);
});

test("a hole that comes again is told as a gap instead of asking in circles", () => {
  const world = following(5);
  world.event("publication", publication(8));
  const { id } = world.command("subscribe");
  world.event("subscribed", subscribed(5), id);
  world.told();
  world.event("publication", publication(8));
  const [gap, next] = world.told();
  const body = { channel: "news", from: 6, to: 7, reason: "hole", epoch: "e0000000", offset: 7 };
  assert.deepEqual(gap, { name: "gap", body });
  assert.equal(next?.name, "publication");
  assert.deepEqual(world.commands(), []);
});

test("another epoch without a gap is a hole too", () => {
  const world = following(5);
  world.event("publication", publication(6, { epoch: "f0000000" }));
  assert.deepEqual(offsets(world), []);
  assert.equal(world.command("subscribe").name, "subscribe");
});

test("a gap moves the place, and lagged is told", () => {
  const world = following(5);
  world.event("lagged", { channel: "news", offset: 5, head: 90 });
  const place = { epoch: "f0000000", offset: 80 };
  world.event("gap", { channel: "news", from: 6, to: 80, reason: "expired", ...place });
  world.event("publication", publication(81, { epoch: "f0000000" }));
  assert.deepEqual(
    world.told().map(({ name }) => name),
    ["lagged", "gap", "publication"],
  );
});

test("after unsubscribe nothing is told, and subscribing anew begins anew", () => {
  const world = following(5);
  world.session.unsubscribe("news");
  world.settle();
  assert.deepEqual(world.command("unsubscribe").body, ["news"]);
  assert.deepEqual(world.told(), [{ name: "unsubscribed", body: { channel: "news" } }]);
  world.event("publication", publication(6));
  world.session.subscribe("news", { fetches: false });
  world.settle();
  const { id, body } = world.command("subscribe");
  assert.deepEqual(body, [{ channel: "news" }]);
  world.event("publication", publication(7));
  world.event("subscribed", subscribed(7), id);
  world.event("publication", publication(8));
  assert.deepEqual(
    world.told().map(({ name }) => name),
    ["subscribed", "publication"],
  );
});

test("a channel is followed once", () => {
  const world = following();
  assert.throws(() => world.session.subscribe("news", { fetches: false }), /already/);
});

test("a refusal ends the subscription; one that may pass is tried again", () => {
  const world = new World();
  world.connect();
  world.session.subscribe("news", { fetches: false });
  world.settle();
  const first = world.command("subscribe");
  const full = { code: 1211, name: "node_full", message: "full", temporary: true, after: 2_000 };
  world.event("error", { ...full, channel: "news" }, first.id);
  assert.deepEqual(
    world.told().map(({ name }) => name),
    ["error"],
  );
  world.advance(1_999);
  assert.deepEqual(world.commands(), []);
  world.advance(1);
  const second = world.command("subscribe");
  const denied = { code: 1202, name: "subscribe_denied", message: "no", channel: "news" };
  world.event("error", denied, second.id);
  assert.deepEqual(
    world.told().map(({ name }) => name),
    ["error", "unsubscribed"],
  );
  assert.equal(world.session.deadline > world.now + 20_000, true);
});

test("a refusal in connect's own frame concerns its channel only", () => {
  const world = new World();
  world.session.subscribe("news", { fetches: false });
  const connect = world.connect();
  const denied = { code: 1202, name: "subscribe_denied", message: "no", channel: "news" };
  world.event("error", denied, connect.id);
  assert.deepEqual(
    world.told().map(({ name }) => name),
    ["error", "unsubscribed"],
  );
  assert.equal(world.state().state, "connected");
});

test("already subscribed is mended once", () => {
  const world = new World();
  world.session.subscribe("news", { fetches: false });
  const connect = world.connect();
  const again = { code: 1208, name: "already_subscribed", message: "", channel: "news" };
  world.event("error", again, connect.id);
  const sent = world.commands();
  assert.deepEqual(
    sent.map(({ name }) => name),
    ["unsubscribe", "subscribe"],
  );
  world.event("error", again, sent[1]?.id);
  assert.deepEqual(
    world.told().map(({ name }) => name),
    ["error", "unsubscribed"],
  );
});

test("the server may begin and end a subscription", () => {
  const world = new World();
  world.connect();
  world.event("subscribed", subscribed(3));
  assert.deepEqual(
    world.take("begin").map(({ channel }) => channel),
    ["news"],
  );
  world.event("publication", publication(4));
  const ended = { channel: "news", code: 1202, name: "subscribe_denied", message: "out" };
  world.event("unsubscribed", ended);
  assert.deepEqual(
    world.told().map(({ name }) => name),
    ["subscribed", "publication", "unsubscribed"],
  );
  world.lose();
  world.advance(1_000);
  assert.equal(world.command("connect").body.subscribe, undefined);
});

test("joins and leaves are told", () => {
  const world = following();
  world.event("join", { channel: "news", client: "c2", user: "bob" });
  world.event("leave", { channel: "news", client: "c2", user: "bob" });
  world.event("join", { channel: "other", client: "c2" });
  assert.deepEqual(
    world.told().map(({ name }) => name),
    ["join", "leave"],
  );
});

test("what is refused together is asked for one by one", () => {
  const world = new World();
  for (const channel of ["news", "b", "c"]) {
    world.session.subscribe(channel, { fetches: false });
  }
  world.session.connect(world.now);
  world.settle();
  const many = { code: 1210, name: "too_many_channels", message: "" };
  world.event("error", many, world.command("connect").id);
  assert.notEqual(world.state().retryIn, undefined);
  world.advance(1_000);
  assert.equal(world.accept().body.subscribe, undefined);
  world.settle();
  const sent = world.commands();
  assert.deepEqual(
    sent.map(({ body }) => body),
    [[{ channel: "news" }], [{ channel: "b" }], [{ channel: "c" }]],
  );
  world.event("error", many, sent[0]?.id);
  assert.deepEqual(
    world.told().map(({ name }) => name),
    ["error", "unsubscribed"],
  );
  world.event("subscribed", subscribed(1, { channel: "b" }), sent[1]?.id);
  assert.deepEqual(
    world.told("b").map(({ name }) => name),
    ["subscribed"],
  );
});

test("names that are no channel's are refused before they can spoil a list", () => {
  const { session } = new World();
  for (const name of ["", "a b", "a\n", "\u200bx", "\ud800", "\u2029", "x".repeat(256)]) {
    assert.throws(() => session.subscribe(name, { fetches: false }), /not a channel name/);
  }
  session.subscribe("room:Zürich/1.ü~😀", { fetches: false });
});
