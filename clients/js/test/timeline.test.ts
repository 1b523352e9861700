/** Timelines: own entries at once, and in their true place whatever comes first, late or never. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { MartletError } from "../src/error.js";
import type { Publication, Published } from "../src/model.js";
import type { PublishOptions } from "../src/options.js";
import { Subscription } from "../src/subscription.js";
import { Timeline, type TimelineClient } from "../src/timeline.js";

const E0 = "e0000000";

/** A client whose channel and receipts are in the test's hand. */
class Stage implements TimelineClient {
  id: string | undefined = "c1";
  readonly sent: { options: PublishOptions; settle: PromiseWithResolvers }[] = [];
  readonly channel = new Subscription("room", () => undefined);
  readonly timeline: Timeline;
  changes = 0;

  constructor(limit?: number) {
    this.timeline = new Timeline(this, "room", limit === undefined ? {} : { limit });
    this.timeline.on("change", () => (this.changes += 1));
    this.begin(0);
  }

  subscription(): Subscription | undefined {
    return undefined;
  }

  subscribe(): Subscription {
    return this.channel;
  }

  publish(_: string, __: unknown, options: PublishOptions = {}): Promise<Published> {
    const settle = promise();
    this.sent.push({ options, settle });
    return settle.promise;
  }

  begin(offset: number, epoch = E0): void {
    const body = { channel: "room", epoch, offset, head: offset, recovered: true };
    this.channel.handleEvent({ name: "subscribed", body });
  }

  /** The channel says something; `own` is the number of the publish it comes from. */
  say(offset: number, own?: number, more: Partial<Publication> = {}): void {
    const ref = own === undefined ? undefined : this.sent[own]?.options.ref;
    const from = { client: own === undefined ? "other" : "c1" };
    const about = { ...(ref === undefined ? {} : { ref }), from, data: offset };
    const at = { channel: "room", id: `p${offset}`, epoch: E0, offset, time: 1 };
    this.channel.handleEvent({ name: "publication", body: { ...at, ...about, ...more } });
  }

  gap(from: number, offset: number, epoch = E0): void {
    const reason = epoch === E0 ? "expired" : "epoch";
    const body = { channel: "room", from, reason, epoch, offset } as const;
    this.channel.handleEvent({ name: "gap", body });
  }

  /** The server answers a publish. */
  async take(own: number, offset: number, epoch = E0): Promise<void> {
    const receipt = { channel: "room", id: `p${offset}`, epoch, offset, time: 1 };
    this.sent[own]?.settle.resolve(receipt);
    await turn();
  }

  async refuse(own: number, name = "rate_limited"): Promise<void> {
    this.sent[own]?.settle.reject(new MartletError({ code: 1304, name, message: "no" }));
    await turn();
  }

  /** The entries in short: offset or state, and `*` for own ones. */
  get list(): string {
    const short = this.timeline.entries.map(({ state, own, publication }) => {
      const where = state === "settled" ? `${publication?.offset}` : state;
      return own ? `${where}*` : where;
    });
    return short.join(" ");
  }
}

interface PromiseWithResolvers {
  promise: Promise<Published>;
  resolve(receipt: Published): void;
  reject(error: Error): void;
}

function promise(): PromiseWithResolvers {
  const made = {} as PromiseWithResolvers;
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("what is published stands at once, and settles with its echo, once", async () => {
  const stage = new Stage();
  const entry = stage.timeline.publish({ text: "hi" });
  assert.equal(entry.state, "pending");
  assert.equal(stage.list, "pending*");
  stage.say(1);
  assert.equal(stage.list, "1 pending*");
  stage.say(2, 0);
  assert.equal(stage.list, "1 2*");
  assert.equal(stage.timeline.entries[1]?.id, entry.id);
  await stage.take(0, 2);
  assert.equal(stage.list, "1 2*");
});

test("a receipt that is next settles it, and the echo adds nothing", async () => {
  const stage = new Stage();
  stage.say(1);
  const { id } = stage.timeline.publish("mine");
  await stage.take(0, 2);
  assert.equal(stage.list, "1 2*");
  stage.say(2, 0, { tags: { a: "b" } });
  assert.equal(stage.list, "1 2*");
  const [, mine] = stage.timeline.entries;
  assert.equal(mine?.id, id);
  assert.deepEqual(mine?.publication?.tags, { a: "b" });
  stage.say(3);
  assert.equal(stage.list, "1 2* 3");
});

test("a receipt from further on waits for what comes before it", async () => {
  const stage = new Stage();
  stage.timeline.publish("a");
  stage.timeline.publish("b");
  await stage.take(0, 3);
  await stage.take(1, 4);
  assert.equal(stage.list, "published* published*");
  stage.say(1);
  assert.equal(stage.list, "1 published* published*");
  stage.say(2);
  assert.equal(stage.list, "1 2 3* 4*");
});

test("the channel's order counts, not that of publishing", async () => {
  const stage = new Stage();
  stage.timeline.publish("a");
  stage.timeline.publish("b");
  await stage.take(1, 1);
  assert.equal(stage.list, "1* pending*");
  stage.say(2, 0);
  assert.equal(stage.list, "1* 2*");
  assert.deepEqual(
    stage.timeline.entries.map(({ data }) => data),
    ["b", "a"],
  );
});

test("what failed says so, and is tried again with the same key, or dropped", async () => {
  const stage = new Stage();
  const first = stage.timeline.publish("a");
  const second = stage.timeline.publish("b");
  await stage.refuse(0);
  assert.equal(stage.list, "failed* pending*");
  assert.equal(stage.timeline.entries[0]?.error?.name, "rate_limited");
  assert.equal(stage.timeline.retry(second.id), false);
  assert.equal(stage.timeline.drop(second.id), false);
  assert.equal(stage.timeline.retry(first.id), true);
  assert.equal(stage.list, "pending* pending*");
  assert.equal(stage.timeline.entries[0]?.error, undefined);
  assert.deepEqual(stage.sent[2]?.options, stage.sent[0]?.options);
  assert.equal(stage.sent[0]?.options.key, first.id);
  await stage.refuse(1);
  assert.equal(stage.timeline.drop(second.id), true);
  assert.equal(stage.list, "pending*");
  await stage.take(2, 1);
  assert.equal(stage.list, "1*");
});

test("a failure that was none is mended by the echo", async () => {
  const stage = new Stage();
  stage.timeline.publish("a");
  await stage.refuse(0, "timeout");
  stage.say(1, 0);
  assert.equal(stage.list, "1*");
  assert.equal(stage.timeline.entries[0]?.error, undefined);
});

test("an echo that never comes is replaced by the receipt, also inside a gap", async () => {
  const stage = new Stage();
  stage.say(1);
  stage.timeline.publish("a");
  await stage.take(0, 3);
  assert.equal(stage.list, "1 published*");
  stage.gap(2, 9);
  assert.equal(stage.list, "1 3*");
  stage.say(10);
  stage.timeline.publish("late");
  stage.gap(11, 20);
  stage.say(21);
  await stage.take(1, 15);
  assert.equal(stage.list, "1 3* 10 15* 21");
});

test("a history that was replaced keeps its entries, and settles what it took", async () => {
  const stage = new Stage();
  stage.say(1);
  stage.timeline.publish("a");
  stage.timeline.publish("b");
  await stage.take(0, 5);
  stage.begin(2, "e0000001");
  stage.gap(2, 2, "e0000001");
  assert.equal(stage.list, "1 5* pending*");
  stage.say(3, undefined, { epoch: "e0000001", id: "q3" });
  await stage.take(1, 6);
  assert.equal(stage.list, "1 5* 6* 3");
});

test("reconnecting repeats nothing and moves nothing back", async () => {
  const stage = new Stage();
  stage.say(1);
  stage.timeline.publish("a");
  await stage.take(0, 2);
  stage.begin(1);
  stage.say(2, 0);
  stage.say(3);
  assert.equal(stage.list, "1 2* 3");
});

test("somebody else's ref is not ours, and a new name of ours is", async () => {
  const stage = new Stage();
  stage.timeline.publish("a");
  stage.say(1, 0, { from: { client: "thief" } });
  assert.equal(stage.list, "1 pending*");
  stage.id = "c2";
  stage.say(2, 0, { from: { client: "c2" } });
  assert.equal(stage.list, "1 2*");
});

test("an echo under an unknown name is ours by its receipt", async () => {
  const stage = new Stage();
  stage.timeline.publish("a");
  stage.say(1, undefined);
  assert.equal(stage.list, "1 pending*");
  await stage.take(0, 1);
  assert.equal(stage.list, "1*");
});

test("old entries go, what waits does not; changes of one moment are told together", async () => {
  const stage = new Stage(3);
  await turn();
  const before = stage.changes;
  stage.timeline.publish("a");
  for (let offset = 1; offset <= 10; offset++) {
    stage.say(offset);
  }
  await turn();
  assert.equal(stage.list, "8 9 10 pending*");
  assert.equal(stage.changes, before + 1);
});

test("data that cannot be published fails like anything else", async () => {
  const stage = new Stage();
  stage.timeline.publish("a");
  stage.sent[0]?.settle.reject(new TypeError("data must be a JSON value or a Uint8Array"));
  await turn();
  assert.equal(stage.timeline.entries[0]?.error?.name, "not_published");
});

test("a closed timeline changes no more", async () => {
  const stage = new Stage();
  stage.timeline.close();
  stage.say(1);
  assert.equal(stage.list, "");
});
