/**
 * A loop of tries without delay cannot be, whatever servers, networks, pages and applications do:
 * the session and the route on a virtual clock under random misfortunes, and the whole client where
 * everything fails at once.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Martlet, type WebSocketClass } from "../src/index.js";
import { connected, World } from "./world.js";
import { ALL, Net, STREAM, type Behaviour } from "./net.js";

/** A try takes a token of two, and one comes back each second. */
const IN_TEN_SECONDS = 12;

/** Numbers in [0, 1) that are the same each time. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function most(times: number[], window: number): number {
  return Math.max(
    0,
    ...times.map((begin) => times.filter((at) => at >= begin && at < begin + window).length),
  );
}

const NODES = [undefined, "https://b.example.com", "http://b.example.com", "nonsense", ""];

/** What may become of a try; `id` is the number of its `connect`. */
const FATES: ((world: World, id: number, random: () => number) => void)[] = [
  (world, id) => accept(world, id),
  (world, id, random) => {
    accept(world, id);
    close(world, 3000, random, 0);
  },
  (world, _id, random) => close(world, 3000, random, 0),
  (world, _id, random) => close(world, 3011, random, 1),
  (world, _id, random) => close(world, 3010, random),
  (world, id, random) => {
    accept(world, id);
    close(world, 3004, random);
  },
  (world, id, random) => {
    accept(world, id);
    close(world, 3007, random);
  },
  (world) => world.lose(),
  (world, id) => {
    accept(world, id);
    world.lose();
  },
  (world, id) => refuse(world, id, 3011, 0),
  (world, id) => refuse(world, id, 1304, 1),
  (world, id) => refuse(world, id, 1102),
  (world, id) => refuse(world, id, 1105),
  (world, id) => {
    accept(world, id);
    close(world, 3502, () => 0);
    world.session.connect(world.now);
  },
  (world) => {
    const refused = { code: 0, name: "http_status", message: "", temporary: true, after: 0 };
    world.session.handleConnectRefused(world.now, refused);
  },
  (world, id) => {
    accept(world, id);
    world.session.handleFreeze();
    world.session.handleWake(world.now);
  },
];

function accept(world: World, id: number): void {
  world.event("connected", connected(world.now), id);
}

function close(world: World, code: number, random: () => number, after?: number): void {
  const node = NODES[Math.floor(random() * NODES.length)];
  const more = { ...(after === undefined ? {} : { after }), ...(node === undefined ? {} : { node }) };
  const reconnect = code < 3500;
  world.event("close", { code, name: "close", message: "", reconnect, ...more });
}

function refuse(world: World, id: number, code: number, after?: number): void {
  const more = after === undefined ? {} : { after };
  world.event("error", { code, name: "no", message: "", temporary: code !== 1102, ...more }, id);
}

/** Runs a client for a minute under what `fate` has for its tries; gives the times of what it did. */
function lifeOf(seed: number, fate: number | undefined): { dials: number[]; fetches: number[] } {
  const random = dice(seed);
  const fetches = random() < 0.5;
  const world = new World({ backoffMin: 250, backoffMax: 20_000, random, fetches });
  const wakes = random() < 0.3 ? 0.5 : 0;
  const [dials, tokens]: [number[], number[]] = [[], []];
  const begin = world.now;
  world.session.connect(world.now);
  for (let turn = 0; world.now < begin + 60_000; turn++) {
    assert.ok(turn < 200_000, "time stands still");
    world.settle();
    const [fetched] = world.take("fetch_token");
    if (fetched !== undefined) {
      tokens.push(world.now);
      const error = random() < 0.5 ? new Error("no") : undefined;
      world.session.handleToken(world.now, undefined, "t", error);
      world.settle();
    }
    for (const { commands } of world.take("dial")) {
      dials.push(world.now);
      const which = fate ?? Math.floor(random() * FATES.length);
      FATES[which]?.(world, commands[0]?.id ?? 0, random);
    }
    if (random() < wakes) {
      world.session.handleWake(world.now);
    }
    const step = world.outputs.some((output) => output.do === "dial") ? 0 : 1 + random() * 20;
    const next = Math.min(world.now + step, Math.max(world.now, world.session.deadline));
    world.now = next;
    world.outputs = world.outputs.filter((output) => output.do === "dial");
  }
  return { dials, fetches: tokens };
}

test("whatever becomes of the tries, they are few in any ten seconds", () => {
  for (const fate of [undefined, ...FATES.keys()]) {
    for (let seed = 1; seed <= 12; seed++) {
      const { dials, fetches } = lifeOf(seed, fate);
      const found = Math.max(most(dials, 10_000), most(fetches, 10_000));
      assert.ok(found <= IN_TEN_SECONDS, `fate ${fate}, seed ${seed}: ${found}`);
      assert.ok(dials.length > 0);
    }
  }
});

test("a race opens each transport once, and one of them once more", () => {
  const random = dice(3);
  for (let round = 0; round < 300; round++) {
    const maybe = (): number | undefined => (random() < 0.5 ? Math.floor(random() * 2_000) : undefined);
    const behave = (): Behaviour => {
      const fails = random() < 0.3 ? 0 : maybe();
      return fails === undefined ? {} : { fails };
    };
    const behaviours = Object.fromEntries(ALL.map((name) => [name, behave()]));
    const net = new Net(behaviours);
    net.dial();
    net.advance(60_000);
    const opened = net.log.filter((line) => line.includes(" open ")).length;
    assert.ok(opened <= ALL.length + 1, `${net.log}`);
  }
});

test("news of the network again and again tries better transports no oftener than now and then", () => {
  const net = new Net({ websocket: { fails: 0 }, sse: { fails: 0 }, stream: { fails: 0 }, poll: STREAM });
  net.dial();
  net.advance(1_000);
  assert.equal(net.route.transport, "poll");
  net.log.length = 0;
  for (let i = 0; i < 1_000; i++) {
    net.route.handleWake(net.now);
    net.advance(10);
  }
  const opened = net.log.filter((line) => line.includes(" open ")).length;
  assert.ok(opened >= 2 && opened <= 20, `${opened} in ten seconds`);
});

test("clients where everything fails at once make few tries", async () => {
  let opened = 0;
  let asked = 0;
  class Forbidden {
    constructor() {
      opened += 1;
      throw new Error("The page's policy forbids it.");
    }
  }
  const began = performance.now();
  const options = {
    WebSocket: Forbidden as unknown as WebSocketClass,
    fetch: () => {
      opened += 1;
      return Promise.reject(new TypeError("no"));
    },
  };
  const getToken = () => {
    asked += 1;
    throw new Error("no");
  };
  const clients = [options, { ...options, getToken }].map((one) => {
    const client = new Martlet("http://127.0.0.1:9", one);
    client.on("error", () => undefined);
    client.on("state", () => client.connect());
    return client;
  });
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  clients.forEach((client) => client.close());
  const tries = 2 + Math.ceil((performance.now() - began) / 1_000);
  assert.ok(asked >= 2 && asked <= tries, `asked ${asked} times for a token`);
  assert.ok(opened >= 4 && opened <= tries * (ALL.length + 1), `opened ${opened}`);
});
