/** A room that is handed from client to client: nothing in it is there twice, and nothing is lost. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import * as esbuild from "esbuild";

const { outputFiles } = await esbuild.build({
  absWorkingDir: fileURLToPath(new URL("..", import.meta.url)),
  stdin: {
    contents: `export { Room } from "./src/room.ts"; export { Subscription } from "martlet";`,
    resolveDir: fileURLToPath(new URL("..", import.meta.url)),
  },
  bundle: true,
  format: "esm",
  write: false,
});
const { Room, Subscription } = await import(
  `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`
);

const said = (offset, text) => ({ id: `p${offset}`, epoch: "e", offset, time: 0, data: { text } });

/** A client that hears and is answered what the test says. */
class Client {
  id = "c";
  published = [];
  earlier = [];

  subscription() {
    return undefined;
  }

  subscribe(channel) {
    this.followed = new Subscription(channel, () => (this.left = true));
    return this.followed;
  }

  publish(_channel, data, { key }) {
    return new Promise((resolve) => this.published.push({ text: data.text, key, resolve }));
  }

  async history() {
    return { epoch: "e", publications: this.earlier.toReversed() };
  }

  hears(name, body) {
    this.followed.handleEvent({ name, body });
  }
}

const texts = (room) => room.entries.map(({ data, state }) => `${data.text} ${state}`);
const turn = () => new Promise((resolve) => setImmediate(resolve));
const quiet = { onchange() {}, onerror: (error) => assert.fail(error) };

test("what was said before comes before what is heard, once", async () => {
  const room = new Room("r", quiet);
  const client = new Client();
  client.earlier = [said(1, "one"), said(2, "two"), said(3, "three")];
  room.follow(client);
  room.say({ text: "mine" });
  client.hears("subscribed", { epoch: "e", offset: 2, head: 3 });
  client.hears("publication", said(3, "three"));
  await turn();
  assert.deepEqual(texts(room), ["one settled", "two settled", "three settled", "mine pending"]);
});

test("the next client publishes what the first had not, with the same key", async () => {
  const room = new Room("r", quiet);
  const [first, next] = [new Client(), new Client()];
  room.follow(first);
  room.say({ text: "mine" });
  room.follow(next);
  assert.equal(first.left, true);
  assert.equal(next.published.length, 1);
  assert.equal(next.published[0].key, first.published[0].key);
  assert.deepEqual(texts(room), ["mine pending"]);
});

test("what the first client's receipt has settled is not there again when the next one hears it", async () => {
  const room = new Room("r", quiet);
  const [first, next] = [new Client(), new Client()];
  room.follow(first);
  first.hears("subscribed", { epoch: "e", offset: 0, head: 0 });
  room.say({ text: "mine" });
  first.published[0].resolve({ channel: "r", ...said(1), time: 0 });
  await turn();
  assert.deepEqual(texts(room), ["mine settled"]);
  room.follow(next);
  next.hears("subscribed", { epoch: "e", offset: 0, head: 1 });
  next.hears("publication", said(1, "mine"));
  next.hears("publication", said(2, "theirs"));
  await turn();
  assert.deepEqual(texts(room), ["mine settled", "theirs settled"]);
});
