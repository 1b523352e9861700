/** When to come back: the cases that both clients share, and what must hold whatever happens. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { Comeback, staysAway, type Ending } from "../src/session/comeback.js";
import { Target } from "../src/session/target.js";

/** One client of the table. */
class Client {
  readonly comeback: Comeback;
  now = 1_000_000;
  #since: number | undefined;

  constructor(min: number, max: number) {
    this.comeback = new Comeback(min, max);
  }

  /** Does what a line says, and returns what the table has to have behind it. */
  take([word = "", ...rest]: string[]): string {
    if (word === "try") {
      this.#since = undefined;
      const soonest = this.comeback.soonest(this.now);
      const permit = this.comeback.permit(this.now);
      assert.equal(permit === undefined, soonest > 0);
      return permit === undefined ? `try ${soonest}` : "try yes";
    }
    if (word === "connected") {
      this.#since = this.now;
      return "connected";
    }
    if (word === "lost") {
      const [words = "", random = ""] = rest;
      return `lost ${words} ${random} = ${this.#lose(endingOf(words), Number(random))}`;
    }
    this.now += Number(word);
    return word;
  }

  #lose(ending: Ending, random: number): string {
    if (staysAway(ending.code)) {
      return "never";
    }
    const lived = this.#since === undefined ? undefined : this.now - this.#since;
    return `${Math.round(this.comeback.next(this.now, lived, ending, random))}`;
  }
}

function endingOf(words: string): Ending {
  const given = words.split(",").map((word) => word.split("="));
  const said = Object.fromEntries(given.map(([name, n]) => [name, Number(n)]));
  const { after, refused = 0, code = refused } = said as Record<string, number | undefined>;
  return { code, name: "", message: "", ...(after === undefined ? {} : { after }) };
}

test("it comes back as the table says, which the Rust client reads too", () => {
  const text = readFileSync(join(import.meta.dirname, "../../../../vectors/comeback.txt"), "utf8");
  let client = new Client(0, 0);
  let lines = 0;
  for (const [at, line] of text.split("\n").entries()) {
    if (line === "" || line.startsWith("#")) {
      continue;
    }
    const [word, ...rest] = line.split(" ");
    lines += 1;
    if (word === "client") {
      client = new Client(Number(rest[0]), Number(rest[1]));
    } else {
      assert.equal(client.take(line.split(" ")), line, `line ${at + 1}`);
    }
  }
  assert.ok(lines > 100);
});

/** Numbers in [0, 1) that are the same each time. */
function dice(seed: number): () => number {
  let state = seed * 2_654_435_761 + 1;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

test("after a server was killed nobody comes before others because of the waits", () => {
  const random = dice(7);
  const slots = new Array<number>(15).fill(0);
  const clients = 15_000;
  for (let i = 0; i < clients; i++) {
    const client = new Client(250, 20_000);
    client.take(["try"]);
    client.take(["connected"]);
    client.now += 60_000;
    const ending = { code: 1006, name: "", message: "" };
    const slot = Math.floor(client.comeback.next(client.now, 60_000, ending, random()) / 100);
    slots[slot] = (slots[slot] ?? 0) + 1;
  }
  const even = clients / slots.length;
  assert.equal(slots.length, 15, "nobody waits longer than 1.5 s");
  assert.ok(slots.every((count) => count > 0.8 * even && count < 1.2 * even), `${slots}`);
});

test("what is no time is no advice", () => {
  for (const after of [NaN, -1, "5", null]) {
    const comeback = new Comeback(250, 20_000);
    const ending = { code: 3000, name: "", message: "", after } as unknown as Ending;
    assert.equal(comeback.next(0, 60_000, ending, 0), 1);
  }
});

test("a node that is named is gone to for as long as it does its part", () => {
  const end = (code: number, node?: string) => ({
    code,
    name: "",
    message: "",
    ...(node === undefined ? {} : { node }),
  });
  const target = new Target("https://a.example.com");
  const at = (ending: Ending, live: boolean) => {
    target.handleEnd(ending, live);
    return target.address;
  };
  assert.equal(at(end(3000), true), "https://a.example.com");
  assert.equal(at(end(3000, "wss://b.example.com:8000/live/"), true), "https://b.example.com:8000/live");
  assert.equal(at(end(3010), true), "https://b.example.com:8000/live", "an aged connection stays");
  assert.equal(at(end(3000, "https://c.example.com"), true), "https://c.example.com");
  assert.equal(at(end(1006), false), "https://a.example.com", "a try that failed");
  assert.equal(at(end(3010, "https://b.example.com"), true), "https://b.example.com");
  assert.equal(at(end(1006), true), "https://a.example.com", "it broke off");
  assert.equal(at(end(3010, "https://b.example.com"), true), "https://b.example.com");
  assert.equal(at(end(3000), true), "https://a.example.com", "it stops, and names nobody");
  assert.equal(at(end(3010, "https://b.example.com"), true), "https://b.example.com");
  assert.equal(at(end(3011), false), "https://a.example.com", "it is busy");
  assert.equal(at(end(3008, "https://b.example.com"), false), "https://b.example.com");
});

test("what is no address of a node is not gone to, and nobody is sent out of TLS", () => {
  const bad = ["", "b", "//b", "/b", "ftp://b", "https://u:p@b", "https://b/?a", "https://b/#a", 7];
  for (const node of [...bad, "https://", "javascript:0", "http://b", "ws://b"]) {
    const target = new Target("https://a");
    const ending = { code: 3000, name: "", message: "", node } as unknown as Ending;
    target.handleEnd(ending, true);
    assert.equal(target.address, "https://a", `${node}`);
  }
  const target = new Target("http://a");
  target.handleEnd({ code: 3000, name: "", message: "", node: "https://b" }, true);
  assert.equal(target.address, "https://b", "into TLS is no harm");
});
