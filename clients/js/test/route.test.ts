/** The route on a virtual clock: racing, moving, falling back and remembering. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Memory, storageInMemory } from "../src/route/memory.js";
import { planOf } from "../src/route/plan.js";
import type { TransportName } from "../src/transport.js";
import { ALL, Net, SILENT, SOCKET, STREAM, TRIP } from "./net.js";

test("on an unknown network a stream carries the session until the WebSocket takes over", () => {
  const net = new Net({ websocket: SOCKET, sse: STREAM });
  net.dial();
  net.advance(1_000);
  assert.deepEqual(net.log, [
    "0 open websocket first",
    "0 open sse first",
    "100 carry sse first",
    "100 speak websocket move",
    "150 carry websocket better",
  ]);
  assert.deepEqual(net.open, ["websocket"]);
});

test("where WebSocket is dropped silently, it costs no more than a round trip", () => {
  const good = new Net({ websocket: SOCKET, sse: STREAM });
  const bad = new Net({ websocket: SILENT, sse: STREAM });
  const only = new Net({ websocket: SOCKET }, ["websocket"]);
  for (const net of [good, bad, only]) {
    net.dial();
    net.advance(5_000);
  }
  assert.ok(bad.carriedAt <= good.carriedAt + TRIP, `${bad.carriedAt}`);
  assert.ok(bad.carriedAt <= only.carriedAt + TRIP, `${bad.carriedAt}`);
});

test("a known WebSocket is begun alone, and something beside it only after a while", () => {
  const net = new Net({ websocket: SOCKET, sse: STREAM });
  net.memory.handleWorked(0, "websocket", 150);
  net.dial();
  net.advance(5_000);
  assert.deepEqual(net.open, ["websocket"]);
  assert.ok(!net.log.some((line) => line.includes("sse")), `${net.log}`);
  const moved = new Net({ websocket: SILENT, sse: STREAM });
  moved.memory.handleWorked(0, "websocket", 150);
  moved.dial();
  moved.advance(5_000);
  assert.ok(moved.log.includes("300 open sse first"), `${moved.log}`);
  assert.equal(moved.carriedAt, 400);
});

test("what has not spoken stays in the race, and the next is begun beside it", () => {
  const net = new Net({ websocket: SILENT, sse: { speaks: 900 }, stream: SILENT, poll: SILENT });
  net.dial();
  net.advance(899);
  assert.deepEqual(net.open, ["websocket", "sse", "stream", "poll"]);
  net.advance(1);
  assert.equal(net.route.transport, "sse");
});

test("a proxy that buffers streams leaves the polls", () => {
  const net = new Net({ websocket: { fails: 20 }, sse: SILENT, stream: SILENT, poll: STREAM });
  net.dial();
  net.advance(2_000);
  assert.equal(net.route.transport, "poll");
  assert.ok(net.carriedAt <= 20 + 300 + 100, `${net.carriedAt}`);
  assert.deepEqual(net.open, ["poll"]);
  assert.equal(net.memory.standing(net.now, "websocket"), "fails");
});

test("what fails is followed by the next at once", () => {
  const fails = { fails: 10 };
  const net = new Net({ websocket: fails, sse: fails, stream: fails, poll: { speaks: 10 } });
  net.dial();
  net.advance(100);
  assert.equal(net.carriedAt, 20);
});

test("when all have failed the session hears of it, and no transport is blamed", () => {
  const refused = { code: 1007, name: "not_found", message: "no" };
  const closed = { code: 0, reason: "no", refused };
  const fails = { fails: 10 };
  const net = new Net({ websocket: fails, sse: { fails: 5, closed }, stream: fails, poll: fails });
  net.dial();
  net.advance(100);
  assert.deepEqual(net.failed, closed);
  assert.deepEqual(net.open, []);
  for (const name of ALL) {
    assert.equal(net.memory.standing(net.now, name), "unknown");
  }
});

test("a refusal of who the client is ends the race", () => {
  const refused = { code: 1101, name: "token_invalid", message: "no" };
  const net = new Net({ sse: { fails: 5, closed: { code: 0, reason: "no", refused } } });
  net.dial();
  net.advance(10);
  assert.equal(net.failed?.refused, refused);
  assert.deepEqual(net.open, []);
});

test("an open WebSocket does not wait for ever for a stream that is held back", () => {
  const net = new Net({ websocket: SOCKET, sse: SILENT, stream: SILENT, poll: SILENT });
  net.dial();
  net.advance(5_000);
  assert.equal(net.route.transport, "websocket");
  assert.equal(net.carriedAt, 250);
});

test("a WebSocket that opens much later is moved to", () => {
  const net = new Net({ websocket: { opens: 7_000, speaks: TRIP }, sse: STREAM });
  net.dial();
  net.advance(8_000);
  assert.deepEqual(net.log.slice(2), [
    "100 carry sse first",
    "7000 speak websocket move",
    "7050 carry websocket better",
  ]);
});

test("the better one is tried again, less and less often, and for ever", () => {
  const net = new Net({ websocket: SILENT, sse: STREAM });
  net.dial();
  net.advance(3_600_000);
  const tries = net.log.filter((line) => line.endsWith("open websocket move"));
  const times = tries.map((line) => Number(line.split(" ")[0]));
  assert.ok((times[0] ?? 0) >= 30_000 && (times[0] ?? 0) <= 60_100, `${times}`);
  const waits = times.slice(1).map((time, i) => time - (times[i] ?? 0));
  assert.ok(waits.every((wait) => wait >= 30_000 && wait <= 300_000), `${waits}`);
  assert.ok(times.length > 10 && times.length < 40, `${times.length}`);
  net.behaviours = { websocket: SOCKET, sse: STREAM };
  net.advance(300_000);
  assert.equal(net.route.transport, "websocket");
});

test("news of the network brings the next try forward", () => {
  const net = new Net({ websocket: SILENT, sse: STREAM });
  net.dial();
  net.advance(1_000_000);
  net.behaviours = { websocket: SOCKET, sse: STREAM };
  net.route.handleWake(net.now);
  net.advance(4_000);
  assert.equal(net.route.transport, "websocket");
});

test("a stream is moved to only when something was seen to come over it", () => {
  const net = new Net({ websocket: SILENT, sse: SILENT, stream: SILENT, poll: STREAM });
  net.dial();
  net.advance(200_000);
  assert.ok(net.log.some((line) => line.endsWith("open sse probe")));
  assert.ok(!net.log.some((line) => line.endsWith("sse move")));
  assert.equal(net.route.transport, "poll");
  net.behaviours = { sse: STREAM, poll: STREAM };
  net.advance(400_000);
  assert.equal(net.route.transport, "sse");
  const done = net.log.map((line) => line.replace(/^\d+ /, ""));
  const carried = done.indexOf("carry sse better");
  assert.deepEqual(done.slice(carried - 2, carried), ["open sse probe", "open sse move"]);
});

test("a first request that went into a dead connection is made anew beside it, once", () => {
  const net = new Net({ poll: SILENT }, ["poll"]);
  net.dial();
  net.advance(2_999);
  net.behaviours = { poll: STREAM };
  net.advance(101);
  assert.deepEqual(net.log, ["0 open poll first", "3000 open poll first", "3100 carry poll first"]);
  assert.deepEqual(net.open, ["poll"]);
  const slow = new Net({ websocket: SILENT, poll: { speaks: 3_500 } }, ["websocket", "poll"]);
  slow.dial();
  slow.advance(60_000);
  assert.equal(slow.carriedAt, 3_500, "what is only slow stays in the race");
  const dead = new Net({});
  dead.dial();
  dead.advance(60_000);
  assert.deepEqual(dead.open.sort(), ["poll", "sse", "sse", "stream", "websocket"]);
});

/** Polls carry the session; there are better transports, which do not work yet. */
function polling(): Net {
  const net = new Net({ poll: STREAM }, ["websocket", "sse", "poll"]);
  net.dial();
  net.advance(200_000);
  assert.equal(net.route.transport, "poll");
  return net;
}

test("of better ones that come at the same moment one moves after the other, if at all", () => {
  const times = [20, 60, 100, 150, 200, 350];
  for (const opens of times) {
    const pairs = times.flatMap((speaks) => times.map((sse) => ({ speaks, sse })));
    for (const { speaks, sse } of pairs) {
      const net = polling();
      net.behaviours = { websocket: { opens, speaks }, sse: { speaks: sse }, poll: STREAM };
      net.route.handleWake(net.now);
      net.log.length = 0;
      net.advance(6_000);
      const what = `${opens} ${speaks} ${sse}: ${net.log}`;
      assert.equal(net.route.transport, "websocket", what);
      assert.deepEqual(net.open, ["websocket"], what);
      const steps = net.log.map((line) => line.replace(/^\d+ /, ""));
      const hellos = steps.filter((step) => /^(speak .*|open sse) move$|^carry/.test(step));
      hellos.forEach((step, i) => assert.ok(step.startsWith("carry") === (i % 2 === 1), what));
    }
  }
});

test("a better one that says nothing holds up the others only for a while", () => {
  const net = polling();
  net.replaces = false;
  net.behaviours = { websocket: { opens: 20 }, sse: { speaks: 30 }, poll: STREAM };
  net.route.handleWake(net.now);
  net.advance(15_000);
  assert.equal(net.route.transport, "sse", `${net.log}`);
  assert.equal(net.memory.standing(net.now, "websocket"), "fails");
});

test("the old transport delivers its last before the new one counts", () => {
  const net = new Net({ websocket: { opens: 500, speaks: 10 }, sse: STREAM });
  net.dial();
  net.advance(511);
  assert.equal(net.route.transport, "sse");
  assert.ok(net.route.moving);
  net.advance(39);
  assert.equal(net.route.transport, "websocket");
  const mute = new Net({ websocket: { opens: 500, speaks: 10 }, sse: STREAM });
  mute.replaces = false;
  mute.dial();
  mute.advance(1_009);
  assert.equal(mute.route.transport, "sse");
  mute.advance(1);
  assert.equal(mute.route.transport, "websocket");
});

test("a transport that takes the session and says nothing is given up for the next race", () => {
  const net = new Net({ websocket: { opens: 500 }, sse: STREAM });
  net.dial();
  net.advance(600);
  assert.equal(net.route.transport, undefined);
  net.advance(3_000);
  assert.ok(net.failed);
  net.dial();
  net.advance(200);
  assert.equal(net.route.transport, "sse");
  assert.ok(!net.open.includes("websocket"));
});

test("a transport that was lost is not begun alone, and not at all when it was lost soon", () => {
  const net = new Net({ websocket: SOCKET, sse: STREAM });
  net.memory.handleWorked(0, "websocket", 150);
  net.dial();
  net.advance(60_000);
  net.cut();
  assert.ok(net.failed);
  net.dial();
  assert.deepEqual(net.open, ["websocket", "sse"]);
  net.advance(1_000);
  assert.equal(net.route.transport, "websocket");
  net.cut();
  net.dial();
  assert.deepEqual(net.open, ["sse"]);
  net.advance(100_000);
  assert.equal(net.route.transport, "websocket", "but it is tried again");
});

test("a silent transport is doubted, one that the server ended goes on", () => {
  const net = new Net({ websocket: SILENT, sse: STREAM });
  net.dial();
  net.advance(60_000);
  net.route.hangUp("stream_full");
  net.settle();
  net.dial();
  assert.deepEqual(net.open, ["sse"]);
  net.advance(1_000);
  net.route.hangUp("silent");
  net.settle();
  net.dial();
  assert.deepEqual(net.open, ["sse", "stream"]);
});

test("a try that is planned is not put off by resuming again and again", () => {
  const net = new Net({ websocket: SILENT, sse: STREAM });
  net.dial();
  for (let i = 0; i < 40; i++) {
    net.advance(2_000);
    net.route.hangUp("stream_full");
    net.settle();
    net.dial();
  }
  const tries = net.log.filter((line) => line.endsWith("open websocket move"));
  assert.ok(tries.length >= 1, `${net.log}`);
});

test("what is known is forgotten in time, and believed no clock that was set back", () => {
  const memory = new Memory(storageInMemory(), () => "here");
  memory.handleWorked(0, "sse", 100);
  memory.handleFailed(0, "websocket");
  assert.equal(memory.standing(1, "sse"), "works");
  assert.equal(memory.standing(1, "websocket"), "fails");
  assert.equal(memory.standing(-1, "websocket"), "unknown");
  assert.equal(memory.standing(600_000, "websocket"), "unknown");
  assert.equal(memory.standing(86_399_999, "sse"), "works");
  assert.equal(memory.standing(86_400_000, "sse"), "unknown");
  memory.handleWorked(1, "websocket", 100);
  assert.equal(memory.standing(2, "websocket"), "works", "what works does not fail any more");
  memory.handleFailed(1_000, "sse");
  assert.equal(memory.standing(1_001, "sse"), "fails");
  assert.equal(memory.standing(700_000, "sse"), "works");
});

test("each network is remembered by itself, in whatever state the storage is", () => {
  const storage = storageInMemory();
  let here = "home";
  const memory = new Memory(storage, () => here);
  memory.handleWorked(0, "websocket", 100);
  here = "office";
  assert.equal(memory.standing(1, "websocket"), "unknown");
  memory.handleFailed(1, "websocket");
  here = "home";
  assert.equal(new Memory(storage, () => here).standing(2, "websocket"), "works");
  assert.equal(memory.took, 100);
  for (let i = 0; i < 100; i++) {
    here = `train ${i}`;
    memory.handleWorked(10 + i, "sse", 1);
  }
  assert.ok((storage.getItem("martlet:networks") ?? "").length < 2_000);
  for (const text of ["", "{", "null", "[1]", '{"home":1}', '{"home":{"transports":null}}']) {
    storage.setItem("martlet:networks", text);
    here = "home";
    assert.equal(memory.standing(1, "sse"), "unknown", text);
    memory.handleWorked(1, "sse", 5);
    assert.equal(memory.standing(1, "sse"), "works", text);
  }
  const forbidden = () => {
    throw new Error("forbidden");
  };
  const closed = new Memory({ getItem: forbidden, setItem: forbidden }, () => "here");
  closed.handleWorked(1, "sse", 5);
  assert.equal(closed.standing(1, "sse"), "unknown");
});

test("plans begin with what works, then the unknown, and with what fails last", () => {
  const plan = (known: Partial<Record<TransportName, "works" | "fails">>, more = {}) => {
    const standing = (name: TransportName) => known[name] ?? ("unknown" as const);
    const situation = { names: ALL, standing, steady: undefined, doubted: undefined, ...more };
    const { now, later } = planOf(situation);
    return [now.join("+"), later.join("+")];
  };
  assert.deepEqual(plan({}), ["websocket+sse", "stream+poll"]);
  assert.deepEqual(plan({ websocket: "works" }), ["websocket", "sse+stream+poll"]);
  assert.deepEqual(plan({ stream: "works" }), ["websocket+stream", "sse+poll"]);
  assert.deepEqual(plan({ websocket: "fails" }), ["sse", "stream+poll+websocket"]);
  assert.deepEqual(plan({ websocket: "fails", sse: "fails" }), ["stream", "poll+websocket+sse"]);
  assert.deepEqual(plan({}, { steady: "poll" }), ["poll", "websocket+sse+stream"]);
  assert.deepEqual(plan({}, { names: ["poll"] }), ["poll", ""]);
  assert.deepEqual(plan({}, { names: [] }), ["", ""]);
});
