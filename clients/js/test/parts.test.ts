/** The small parts by themselves: event stream, cursor, codecs, options. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { baseOf } from "../src/address.js";
import { json } from "../src/codec/json.js";
import { proto } from "../src/codec/proto.js";
import { read, write } from "../src/codec/proto/message.js";
import { COMMAND, EVENT } from "../src/codec/proto/schema.js";
import { Reader, Writer } from "../src/codec/proto/varint.js";
import { formatCursor, parseCursor } from "../src/cursor.js";
import { Emitter } from "../src/emitter.js";
import { AGENT, timeOf } from "../src/options.js";
import { EventStream } from "../src/transport/event_stream.js";
import type { Command } from "../src/wire.js";

function events(pieces: Uint8Array[], limit = 1_000): string[] {
  const told: string[] = [];
  const onevent = (data: string) => told.push(data);
  const stream = new EventStream({ onevent, oncomment: () => told.push(":") }, limit);
  pieces.forEach((piece) => stream.push(piece));
  return told;
}

const STREAM = [
  "retry: 5\n: hello\n\n",
  "id: 1\nevent: x\ndata: a\ndata:b\ndata\n\n",
  "data: c\r\n\r\ndata: d\r\rdatax: no\n\n: é\r\n",
  "data:  two blanks é€😀\n\ndata: \n\n\n\nid: 7\n\ndata: unfinished",
].join("");
const TOLD = [":", "a\nb\n", "c", "d", ":", " two blanks é€😀", ""];

test("an event stream is read the same however it is cut", () => {
  const bytes = new TextEncoder().encode(STREAM);
  assert.deepEqual(events([bytes]), TOLD);
  for (let size = 1; size < bytes.length; size++) {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      pieces.push(bytes.subarray(at, at + size));
    }
    assert.deepEqual(events(pieces), TOLD, `pieces of ${size}`);
  }
});

test("an event that never ends is refused", () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  assert.throws(() => events([encode("data: " + "x".repeat(20))], 20), RangeError);
  assert.throws(() => events(Array(10).fill(encode("data: xxx\n")), 20), RangeError);
  assert.throws(() => events(Array(30).fill(encode("x")), 20), RangeError);
});

test("cursors are read and written as plain streams have them", () => {
  const positions = new Map([
    ["news", { epoch: "k3f9x2ab", offset: 42 }],
    ["room:1/ü~.%", { epoch: "0a1b2c3d", offset: 7 }],
  ]);
  const text = "42.k3f9x2ab.news~7.0a1b2c3d.room:1%2f%c3%bc%7e%2e%25";
  assert.equal(formatCursor(positions), text);
  assert.deepEqual(parseCursor(text), positions);
  assert.deepEqual(parseCursor(""), new Map());
  for (const bad of [
    "42",
    "x.k3f9x2ab.news",
    "+1.k3f9x2ab.news",
    "1.short.news",
    "1.k3f9x2ab.%ff",
  ]) {
    assert.throws(() => parseCursor(bad), RangeError, bad);
  }
  assert.throws(() => parseCursor("1".repeat(20_000)), RangeError);
});

test("JSON data passes as it was published, and frames are joined by line feeds", () => {
  const body = { channel: "a", json: '{"x":"\\u2028"}', name: "n", key: "k" };
  const publish = json.encode({ id: 4, name: "publish", body });
  assert.equal(
    publish,
    '{"id":4,"publish":{"channel":"a","name":"n","key":"k","data":{"x":"\\u2028"}}}',
  );
  const pong = json.encode({ id: 0, name: "pong", body: {} });
  assert.equal(json.join([publish, pong]), `${publish}\n{"pong":{}}`);
});

test("what is no frame is refused, what is unknown is passed over", () => {
  const bad = [
    "x",
    "[]",
    "1",
    "null",
    '{"publication":1}',
    '{"publication":{"channel":"a"}}',
    '{"connected":{"client":1}}',
    '{"history":{"channel":"a","epoch":"e","offset":1,"publications":null,"more":true}}',
  ];
  for (const frame of bad) {
    assert.throws(() => json.decode(frame), frame);
  }
  assert.deepEqual(json.decode('{"future":{}}\n\n{"ping":{},"more":1}\n'), [
    { id: 0, name: "ping", body: {} },
  ]);
  assert.throws(() => proto.decode("text"));
});

const COMMANDS: Command[] = [
  { id: 1, name: "connect", body: { token: "t", subscribe: [{ channel: "a", since: 5 }] } },
  { id: 2, name: "subscribe", body: [{ channel: "a", epoch: "e0000000", offset: 2 ** 40 }] },
  { id: 3, name: "unsubscribe", body: ["a", "b"] },
  { id: 0, name: "publish", body: { channel: "a", json: '{"é":1}', tags: { a: "b", c: "" } } },
  { id: 4, name: "publish", body: { channel: "a", bytes: new Uint8Array([0, 255]), key: "k" } },
  { id: 5, name: "history", body: { channel: "a", limit: 0, reverse: true } },
  { id: 6, name: "presence", body: { channel: "a" } },
  { id: 4_294_967_295, name: "ping", body: {} },
  { id: 0, name: "pong", body: {} },
  { id: 8, name: "refresh", body: { channel: "a", token: "t" } },
];

test("Protobuf commands are read back as they were written", () => {
  const frame = proto.join(COMMANDS.map(proto.encode)) as Uint8Array;
  const reader = new Reader(frame);
  for (const { id, name, body } of COMMANDS) {
    const message = read(COMMAND, reader.delimited());
    const listed = name === "subscribe" || name === "unsubscribe";
    const got = listed ? (message[name] as { channels: unknown }).channels : message[name];
    assert.equal(message["id"], id);
    const filled = name === "connect" ? body : name === "history" ? { ...body } : body;
    assert.deepEqual(got, filled, name);
  }
  assert.ok(reader.done);
});

test("Protobuf events are what JSON events are", () => {
  const place = { channel: "a", epoch: "e0000000", offset: 3 };
  const from = { client: "c", user: "u" };
  const publication = { ...place, id: "p", time: 5, name: "n", tags: { x: "y" }, from };
  const bodies: [string, Record<string, unknown>][] = [
    ["publication", { ...publication, data: { a: [1, null] } }],
    ["publication", { ...publication, data: null }],
    ["subscribed", { ...place, head: 9, recovered: false }],
    ["gap", { ...place, from: 1, reason: "epoch" }],
    ["join", { channel: "a", client: "c", info: { name: "Ann" } }],
    ["presence", { channel: "a", members: [{ client: "c" }], count: 1 }],
    ["history", { ...place, publications: [{ ...publication, data: 1 }], more: false }],
    ["close", { code: 3000, name: "shutdown", message: "m", reconnect: true, after: 0 }],
  ];
  for (const [name, body] of bodies) {
    const message = { id: 7, [name]: asJsonText(body) };
    const writer = new Writer();
    writer.delimited(write(EVENT, message));
    const [event] = proto.decode(writer.finish());
    assert.deepEqual(event, json.decode(JSON.stringify({ id: 7, [name]: body }))[0], name);
  }
});

/** JSON values inside Protobuf are texts. */
function asJsonText(body: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(body).map(([key, value]) => {
    if (key === "data" || key === "info") {
      return [key, JSON.stringify(value)];
    }
    return [key, key === "publications" ? (value as []).map(asJsonText) : value];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}

test("Protobuf that is none is refused, and unknown fields are passed over", () => {
  const bad = [[0x80], [0x05, 0x01], [0x02, 0x08], [0x02, 0x0b, 0x01], Array(12).fill(0xff)];
  for (const bytes of bad) {
    assert.throws(() => proto.decode(Uint8Array.from(bytes)), `${bytes}`);
  }
  assert.throws(() => proto.decode(Uint8Array.from([0x03, 0x6a, 0x05, 0x00])));
  const unknown = [0x0a, 0x6a, 0x00, 0x99, 0x06, 0, 0, 0, 0, 0, 0];
  assert.throws(() => proto.decode(Uint8Array.from(unknown)));
  const ping = [0x04, 0x6a, 0x00, 0xf8, 0x06, ...[]];
  assert.throws(() => proto.decode(Uint8Array.from(ping)));
  const good = [0x05, 0x6a, 0x00, 0xf8, 0x06, 0x01];
  assert.deepEqual(proto.decode(Uint8Array.from(good)), [{ id: 0, name: "ping", body: {} }]);
});

test("random bytes never do more than throw", () => {
  let seed = 1;
  const random = () => (seed = (seed * 48_271) % 0x7fff_ffff);
  for (let round = 0; round < 2_000; round++) {
    const bytes = Uint8Array.from({ length: random() % 40 }, () => random() & 0xff);
    for (const codec of [proto, json]) {
      try {
        codec.decode(bytes);
      } catch (error) {
        assert.ok(error instanceof Error);
      }
    }
  }
});

test("the client calls itself by the package's version", () => {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  assert.equal(AGENT, `martlet-js/${(JSON.parse(text) as { version: string }).version}`);
});

test("addresses and ages are understood, or refused", () => {
  assert.equal(baseOf("http://localhost:8000/"), "http://localhost:8000");
  assert.equal(baseOf("wss://example.org/live//"), "https://example.org/live");
  assert.throws(() => baseOf("ftp://example.org"));
  assert.throws(() => baseOf("/relative"));
  assert.equal(timeOf("90s", 100_000), 10_000);
  assert.equal(timeOf(new Date(5), 0), 5);
  assert.throws(() => timeOf("soon", 0), RangeError);
});

test("a listener that throws does not keep the others from hearing", (context) => {
  class Bell extends Emitter<{ ring: number }> {
    ring(loud: number): void {
      this.emit("ring", loud);
    }
  }
  const later = context.mock.method(globalThis, "queueMicrotask", () => undefined);
  const bell = new Bell();
  const heard: number[] = [];
  bell.on("ring", () => {
    throw new Error("mine");
  });
  const off = bell.on("ring", (loud) => heard.push(loud));
  bell.once("ring", (loud) => heard.push(-loud));
  bell.ring(1);
  off();
  bell.ring(2);
  assert.deepEqual(heard, [1, -1]);
  const thrower = later.mock.calls[0]?.arguments[0] as unknown as () => void;
  assert.throws(thrower, /mine/);
});
