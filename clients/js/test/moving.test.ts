/** A live session that moves to another transport, on a virtual clock. */

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Command } from "../src/wire.js";
import { connected, publication, subscribed, World } from "./world.js";

/** Has the session compose its move; the old transport still delivers. */
function move(world: World): Extract<Command, { name: "connect" }> {
  const command = world.session.move(world.now);
  assert.ok(command?.name === "connect");
  return command;
}

/** The new transport has taken over. */
function moved(world: World, id: number): void {
  world.event("connected", connected(world.now, { resumed: true, session: "s2" }), id);
}

/** A world that follows `news` after offset 5. */
function live(): World {
  const world = new World();
  world.connect();
  world.follow(5);
  world.take("state");
  return world;
}

test("a move carries grant, session and positions, and is told to nobody", () => {
  const world = live();
  const { id, body } = move(world);
  assert.deepEqual(body, {
    grant: "g1",
    session: "s1",
    agent: "test/1",
    subscribe: [{ channel: "news", epoch: "e0000000", offset: 5 }],
  });
  world.event("publication", publication(6));
  moved(world, id);
  world.event("subscribed", subscribed(5, { head: 7, recovered: true }), id);
  world.event("publication", publication(6));
  world.event("publication", publication(7));
  assert.deepEqual(
    world.told().map(({ name, body: told }) => [name, (told as { offset: number }).offset]),
    [
      ["publication", 6],
      ["publication", 7],
    ],
  );
  assert.deepEqual(world.take("state"), []);
  assert.deepEqual(world.commands(), []);
  assert.deepEqual(Object.fromEntries(world.session.positions()), {
    news: { epoch: "e0000000", offset: 7 },
  });
});

test("a gap of what the old transport brought is none", () => {
  const world = live();
  const { id } = move(world);
  world.event("publication", publication(6));
  world.event("publication", publication(7));
  moved(world, id);
  const place = { epoch: "e0000000", offset: 7 };
  world.event("subscribed", subscribed(7), id);
  world.event("gap", { channel: "news", from: 6, to: 7, reason: "not_kept", ...place });
  world.event("publication", publication(8));
  const names = world.told().map(({ name }) => name);
  assert.deepEqual(names, ["publication", "publication", "publication"]);
});

test("a gap is told from where the old transport ended", () => {
  const world = live();
  const { id } = move(world);
  world.event("publication", publication(6));
  moved(world, id);
  world.told();
  const gap = { channel: "news", from: 6, to: 9, reason: "expired", epoch: "e0000000", offset: 9 };
  world.event("subscribed", subscribed(9), id);
  world.event("gap", gap as never);
  world.event("publication", publication(10));
  const [told, after] = world.told();
  assert.deepEqual(told, { name: "gap", body: { ...gap, from: 7 } });
  assert.equal(after?.name, "publication");
});

test("a gap that ends before what the old transport brought takes nothing back", () => {
  const world = live();
  const { id } = move(world);
  for (const offset of [6, 7, 8]) {
    world.event("publication", publication(offset));
  }
  moved(world, id);
  world.told();
  world.event("subscribed", subscribed(6), id);
  const place = { epoch: "e0000000", offset: 6 };
  world.event("gap", { channel: "news", from: 6, to: 6, reason: "expired", ...place });
  for (const offset of [7, 8, 9]) {
    world.event("publication", publication(offset));
  }
  assert.deepEqual(
    world.told().map(({ body }) => (body as { offset: number }).offset),
    [9],
  );
});

test("another epoch, and a history that is shorter, are told", () => {
  for (const [epoch, reason, offset] of [
    ["e0000001", "epoch", 2],
    ["e0000000", "ahead", 3],
  ] as const) {
    const world = live();
    const { id } = move(world);
    moved(world, id);
    world.event("subscribed", subscribed(offset, { epoch }), id);
    world.event("gap", { channel: "news", from: 6, reason, epoch, offset });
    world.event("publication", publication(offset + 1, { epoch }));
    assert.deepEqual(
      world.told().map(({ name }) => name),
      ["subscribed", "gap", "publication"],
    );
  }
});

test("what was not answered is asked anew, once", () => {
  const world = live();
  const body = { channel: "news", json: "1", key: "k1" };
  const ask = world.session.ask(world.now, "publish", body);
  world.settle();
  const { id: before } = world.command("publish");
  const { id } = move(world);
  moved(world, id);
  const again = world.command("publish");
  assert.deepEqual(again.body, body);
  assert.ok(again.id > before);
  const place = { epoch: "e0000000", offset: 6 };
  const receipt = { channel: "news", id: "p6", ...place, time: 1, duplicate: true };
  world.event("published", receipt, again.id);
  assert.deepEqual(
    world.take("settle").map((settled) => settled.id),
    [ask],
  );
});

test("a stream that begins while a move is under way goes on from where it is", () => {
  const world = new World();
  world.session.subscribe("news", { fetches: false, since: 0 });
  const { id: first } = world.connect();
  const { id, body } = move(world);
  assert.equal(body.subscribe, undefined);
  world.event("subscribed", subscribed(0), first);
  world.event("publication", publication(1));
  world.event("publication", publication(2));
  world.told();
  moved(world, id);
  const again = world.command("subscribe");
  assert.deepEqual(again.body, [{ channel: "news", epoch: "e0000000", offset: 2 }]);
  world.event("subscribed", subscribed(2, { recovered: true }), again.id);
  world.event("publication", publication(3));
  assert.deepEqual(
    world.told().map(({ name }) => name),
    ["publication"],
  );
});

test("channels come and go while a move is under way", () => {
  const world = live();
  world.session.subscribe("late", { fetches: false });
  const { id, body } = move(world);
  assert.equal(body.subscribe?.length, 1);
  world.session.unsubscribe("news");
  world.settle();
  world.commands();
  moved(world, id);
  const sent = world.commands().map(({ name, body: told }) => [name, told]);
  assert.deepEqual(sent, [
    ["unsubscribe", ["news"]],
    ["subscribe", [{ channel: "late" }]],
  ]);
  world.event("subscribed", subscribed(5), id);
  world.event("publication", publication(6));
  assert.deepEqual(
    world.told().map(({ name }) => name),
    ["unsubscribed"],
  );
});

test("a channel that was ended and begun anew meanwhile begins anew", () => {
  const world = live();
  const { id } = move(world);
  world.session.unsubscribe("news");
  world.session.subscribe("news", { fetches: false });
  moved(world, id);
  const sent = world.commands().map(({ name }) => name);
  assert.deepEqual(sent, ["unsubscribe", "subscribe"]);
  world.told();
  world.event("subscribed", subscribed(5), id);
  assert.deepEqual(world.told(), [], "that was the answer to the move");
});

test("more channels than fit move all the same", () => {
  const world = new World();
  world.connect();
  const channels = Array.from({ length: 80 }, (_, i) => `room:${i}`);
  const token = "t".repeat(1_000);
  channels.forEach((channel) => world.session.subscribe(channel, { fetches: false, token }));
  const answer = (commands: Command[]) =>
    commands.forEach((command) => {
      const list = command.name === "subscribe" ? command.body : [];
      for (const { channel } of list) {
        world.event("subscribed", subscribed(5, { channel, recovered: true }), command.id);
      }
    });
  world.settle();
  answer(world.commands());
  world.outputs = [];
  const { id, body } = move(world);
  const inMove = body.subscribe?.map(({ channel }) => channel) ?? [];
  assert.ok(inMove.length > 10 && inMove.length < 80);
  moved(world, id);
  inMove.forEach((channel) =>
    world.event("subscribed", subscribed(5, { channel, recovered: true }), id),
  );
  answer(world.commands());
  assert.deepEqual(world.take("tell"), []);
  world.event("publication", publication(6, { channel: "room:79" }));
  assert.equal(world.told("room:79").length, 1);
});

test("a move that comes to nothing changes nothing", () => {
  const world = live();
  move(world);
  world.event("publication", publication(6));
  world.lose();
  world.told();
  world.advance(1_000);
  const { body } = world.accept({ resumed: true });
  assert.equal(body.subscribe?.[0]?.offset, 6);
  const off = new World();
  assert.equal(off.session.move(off.now), undefined);
  assert.equal(off.session.probe(), undefined);
});

test("a probe leaves the session alone", () => {
  const world = live();
  assert.deepEqual(world.session.probe()?.body, { grant: "g1", agent: "test/1" });
});
