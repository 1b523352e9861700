/** The script for old browsers, in as much of one as it touches, against the test double. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { OldBrowser, type Kind } from "./old_browser.js";
import { Server } from "./server.js";

interface Told {
  name: string;
  body: Record<string, unknown>;
}

interface LegacyClient {
  state: string;
  transport: string | null;
  publish(
    channel: string,
    data: unknown,
    callback?: (error: { name: string } | null, receipt: { offset: number } | null) => void,
  ): void;
  close(): void;
}

interface Legacy {
  connect(url: string, options: object): LegacyClient;
  transportsFor(url: string): string[];
}

const built = (await import(new URL("../../legacy/build.mjs", import.meta.url).href)) as {
  build(): Promise<string>;
};
const script = await built.build();

let server: Server;
let browser: OldBrowser | undefined;
let client: LegacyClient | undefined;

beforeEach(async () => {
  server = await Server.start();
});

afterEach(async () => {
  client?.close();
  browser?.close();
  await server.stop();
});

function open(kind: Partial<Kind> = {}): Legacy {
  browser = new OldBrowser({ origin: server.url, ...kind }, script);
  return browser.context["MartletLegacy"] as Legacy;
}

/** Connects, and gives what is told as it comes. */
function connect(legacy: Legacy, options: object = {}) {
  const told: Told[] = [];
  const waiting: { fits: (one: Told) => boolean; resolve: (one: Told) => void }[] = [];
  const hear = (name: string) => (body: Told["body"]) => {
    const one = { name, body };
    told.push(one);
    waiting.filter(({ fits }) => fits(one)).forEach(({ resolve }) => resolve(one));
  };
  const names = ["onpublication", "ongap", "onstate", "onerror"];
  const listeners = Object.fromEntries(names.map((name) => [name, hear(name)]));
  client = legacy.connect(server.url, { channels: ["news"], ...listeners, ...options });
  const until = (fits: (one: Told) => boolean) =>
    new Promise<Told>((resolve) => {
      const known = told.find(fits);
      return known === undefined ? waiting.push({ fits, resolve }) : resolve(known);
    });
  const connected = () => until(({ body }) => body["state"] === "connected");
  const offsets = () =>
    told.flatMap(({ name, body }) => (name === "onpublication" ? [body["offset"]] : []));
  return { client, told, until, connected, offsets };
}

function publish(data: unknown): Promise<number> {
  return new Promise((resolve, reject) => {
    client?.publish("news", data, (error, receipt) =>
      error === null ? resolve(receipt?.offset ?? 0) : reject(new Error(error.name)),
    );
  });
}

const said = (offset: number) => (one: Told) =>
  one.name === "onpublication" && one.body["offset"] === offset;

for (const transport of ["xhr_stream", "xhr_poll", "htmlfile", "jsonp"]) {
  test(`over ${transport}: publishes and follows, cut or not`, async () => {
    const { until, connected, offsets, told } = connect(open(), { transport });
    await connected();
    assert.equal(client?.transport, transport);
    assert.equal(await publish("grüße </script> \u2028"), 1);
    const { body } = await until(said(1));
    assert.equal(body["data"], "grüße </script> \u2028");
    server.hub.cutAll();
    server.hub.publish("news", { data: 2 });
    assert.equal(await publish("after"), 3);
    await until(said(3));
    assert.deepEqual(offsets(), [1, 2, 3]);
    assert.ok(!told.some(({ name }) => name === "ongap"));
  });

  test(`over ${transport}: a send whose answer is lost is done once`, async () => {
    const { until, connected } = connect(open(), { transport });
    await connected();
    server.faults.loseAnswers = { send: 1 };
    await publish("once");
    await until(said(1));
    await publish("behind what is sent again");
    assert.equal(server.hub.channel("news").offset, 2);
    const connects = server.hub.commands.filter(({ name }) => name === "connect");
    assert.equal(connects.length, 1, "it came back instead of sending again");
  });

  test(`over ${transport}: a full stream is followed by the next without a word`, async () => {
    const { until, connected, told } = connect(open(), { transport });
    await connected();
    const before = told.length;
    const full = { code: 3009, name: "stream_full", message: "", reconnect: true, after: 0 };
    server.hub.closeAll(full);
    server.hub.publish("news", { data: 1 });
    await until(said(1));
    assert.equal(told.length, before + 1);
  });
}

test("what comes twice is told once", async () => {
  const { until, connected, offsets } = connect(open(), { transport: "xhr_stream" });
  await connected();
  server.hub.publish("news", { data: 1 });
  const [kept] = server.hub.channel("news").kept;
  for (const { down } of server.hub.peers.values()) {
    down?.send({ publication: { ...kept, channel: "news" } });
  }
  server.hub.publish("news", { data: 2 });
  await until(said(2));
  assert.deepEqual(offsets(), [1, 2]);
});

test("what is gone is told", async () => {
  server.hub.keeps = 1;
  const { until, connected } = connect(open(), { transport: "xhr_poll" });
  await connected();
  server.hub.publish("news", { data: 1 });
  await until(said(1));
  server.hub.cutAll();
  for (let i = 2; i <= 5; i++) {
    server.hub.publish("news", { data: i });
  }
  const gap = await until(({ name }) => name === "ongap");
  assert.deepEqual([gap.body["from"], gap.body["to"]], [2, 4]);
  await until(said(5));
});

test("the better ways are tried first, as far as the browser has them", () => {
  const names = (kind: Partial<Kind>) => open(kind).transportsFor(server.url).join(" ");
  assert.equal(names({}), "xhr_stream htmlfile xhr_poll");
  assert.equal(names({ origin: "http://other", cors: true }), "xhr_stream xhr_poll");
  assert.equal(names({ origin: "http://other" }), "jsonp");
});

test("where a stream is answered by a portal, the next way is taken", async () => {
  server.faults.foreign = { stream: { status: 200, body: "<html>" } };
  const { connected } = connect(open());
  const { body } = await connected();
  assert.equal(body["transport"], "htmlfile");
});

test("scripts stay within the length of an address, however much is published", async () => {
  const { connected } = connect(open({ origin: "http://other" }));
  await connected();
  assert.equal(client?.transport, "jsonp");
  await Promise.all(Array.from({ length: 20 }, (_, i) => publish("x".repeat(300) + i)));
  assert.equal(server.hub.channel("news").offset, 20);
  assert.ok((browser?.longest ?? 0) > 1_000 && (browser?.longest ?? 0) < 2_000);
  await assert.rejects(publish("ü".repeat(1_000)), /frame_too_large/);
});

test("a refused token is told, and ends the tries", async () => {
  server.hub.tokens.set("t1", "ann");
  const { until } = connect(open(), { token: "bad", transport: "jsonp" });
  const { body } = await until((one) => one.body["code"] === 1101);
  assert.deepEqual([body["state"], body["retryIn"]], ["disconnected", undefined]);
  await assert.rejects(publish(1), /closed/);
});
