/** Tokens on a virtual clock: the first, the refresh, the channel's own, and failures of each. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { expiryOf } from "../src/session/token.js";
import { publication, START, subscribed, World } from "./world.js";

const jwt = (exp: number) => `h.${btoa(JSON.stringify({ exp: exp / 1000 }))}.s`;

test("the first token is fetched before connecting", () => {
  const world = new World({ fetches: true });
  world.session.connect(world.now);
  world.settle();
  assert.deepEqual(world.take("fetch_token"), [{ do: "fetch_token", channel: undefined }]);
  assert.deepEqual(world.commands(), []);
  world.session.handleToken(world.now, undefined, "t1");
  world.settle();
  assert.equal(world.accept().body.token, "t1");
});

test("a token that comes too late is used by the next try", () => {
  const world = new World({ fetches: true });
  world.session.connect(world.now);
  world.settle();
  world.advance(10_000);
  world.session.handleToken(world.now, undefined, "t1");
  world.advance(10_000);
  assert.equal(world.accept().body.token, "t1");
  assert.equal(world.take("fetch_token").length, 1);
});

test("fetching that fails is tried again after a wait", () => {
  const world = new World({ fetches: true });
  world.session.connect(world.now);
  world.settle();
  world.session.handleToken(world.now, undefined, undefined, new Error("offline"));
  world.settle();
  assert.match(world.take("complain")[0]?.error.message ?? "", /offline/);
  assert.equal(world.state().name, "token_failed");
  world.take("fetch_token");
  world.advance(1_000);
  assert.equal(world.take("fetch_token").length, 1);
});

test("a newer token is fetched before the old one ends, by the server's clock", () => {
  const world = new World({ fetches: true, token: "t1" });
  // The server's clock is an hour ahead.
  const time = START + 3_600_000;
  world.connect({ time, expires: time + 600_000 });
  for (let i = 0; i < 53; i++) {
    world.event("ping", {});
    world.advance(10_000);
  }
  assert.equal(world.take("fetch_token").length, 0);
  world.event("ping", {});
  world.advance(10_000);
  assert.equal(world.take("fetch_token").length, 1);
  world.session.handleToken(world.now, undefined, "t2");
  world.settle();
  const { id, body } = world.command("refresh");
  assert.deepEqual(body, { token: "t2" });
  world.event("refreshed", { expires: time + 1_200_000 }, id);
  assert.ok(world.session.deadline < Infinity);
});

test("an expired token is replaced, once for each refusal", () => {
  const world = new World({ fetches: true, token: "old" });
  world.session.connect(world.now);
  world.settle();
  const expired = { code: 1102, name: "token_expired", message: "" };
  world.event("error", expired, world.command("connect").id);
  world.advance(1_000);
  assert.equal(world.take("fetch_token").length, 1);
  world.session.handleToken(world.now, undefined, "also old");
  world.settle();
  world.event("error", expired, world.command("connect").id);
  assert.equal(world.state().retryIn, undefined);
});

test("a close for an expired token brings a new one back", () => {
  const world = new World({ fetches: true, token: "t1" });
  world.connect();
  const close = { code: 3007, name: "expired", message: "", reconnect: true };
  world.event("close", close);
  world.advance(1_000);
  assert.equal(world.take("fetch_token").length, 1);
});

test("a channel's token is fetched, kept fresh, and not needed to come back with a grant", () => {
  const world = new World();
  world.session.subscribe("news", { fetches: true });
  assert.equal(world.connect().body.subscribe, undefined);
  assert.deepEqual(world.take("fetch_token"), [{ do: "fetch_token", channel: "news" }]);
  const token = jwt(START + 100_000);
  world.session.handleToken(world.now, "news", token);
  world.settle();
  const { id, body } = world.command("subscribe");
  assert.deepEqual(body, [{ channel: "news", token }]);
  world.event("subscribed", subscribed(5), id);
  for (let i = 0; i < 8; i++) {
    world.event("ping", {});
    world.advance(10_000);
  }
  assert.equal(world.take("fetch_token").length, 1);
  world.session.handleToken(world.now, "news", jwt(START + 200_000));
  world.settle();
  const refresh = world.command("refresh");
  assert.equal(refresh.body.channel, "news");
  world.event("refreshed", { channel: "news", expires: START + 200_000 }, refresh.id);
  world.event("publication", publication(6));
  world.lose();
  world.advance(200_000);
  assert.deepEqual(world.commands().at(-1)?.body, {
    grant: "g1",
    session: "s1",
    agent: "test/1",
    subscribe: [{ channel: "news", epoch: "e0000000", offset: 6 }],
  });
});

test("a channel whose token has expired is followed again with a new one", () => {
  const world = new World();
  world.session.subscribe("news", { fetches: true, token: "ct1" });
  const connect = world.connect();
  world.event("subscribed", subscribed(5), connect.id);
  world.told();
  const ended = { channel: "news", code: 1102, name: "token_expired", message: "" };
  world.event("unsubscribed", ended);
  assert.deepEqual(world.told(), []);
  assert.equal(world.take("fetch_token").length, 1);
  world.session.handleToken(world.now, "news", "ct2");
  world.settle();
  assert.deepEqual(world.command("subscribe").body, [
    { channel: "news", token: "ct2", epoch: "e0000000", offset: 5 },
  ]);
});

test("a channel's token that is refused twice ends the subscription", () => {
  const world = new World();
  world.session.subscribe("news", { fetches: true, token: "ct1" });
  const denied = { code: 1202, name: "subscribe_denied", message: "", channel: "news" };
  world.event("error", denied, world.connect().id);
  world.session.handleToken(world.now, "news", "ct2");
  world.settle();
  world.event("error", denied, world.command("subscribe").id);
  assert.deepEqual(
    world.told().map(({ name }) => name),
    ["error", "unsubscribed"],
  );
});

test("a channel's token that cannot be had is asked for again", () => {
  const world = new World();
  world.session.subscribe("news", { fetches: true });
  world.connect();
  world.take("fetch_token");
  world.session.handleToken(world.now, "news", undefined, new Error("no"));
  world.settle();
  assert.deepEqual(
    world.told().map(({ name }) => name),
    ["error"],
  );
  world.advance(2_000);
  assert.equal(world.take("fetch_token").length, 1);
});

test("the end of a token is read where there is one", () => {
  assert.equal(expiryOf(jwt(5_000)), 5_000);
  for (const token of ["", "a.b", "a.%%.c", `a.${btoa("null")}.c`, `a.${btoa("[]")}.c`]) {
    assert.equal(expiryOf(token), undefined);
  }
});
