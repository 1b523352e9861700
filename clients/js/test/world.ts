/** A session on a virtual clock: what the tests of the session drive and look at. */

import assert from "node:assert/strict";

import { Session } from "../src/session.js";
import type { SessionOptions } from "../src/session/options.js";
import type { ChannelEvent, Output, State } from "../src/session/output.js";
import type { Command, Commands, Connected, Event, Events } from "../src/wire.js";

export const START = 1_700_000_000_000;

const OPTIONS: SessionOptions = {
  home: "https://realtime.example.com",
  agent: "test/1",
  token: undefined,
  fetches: false,
  backoffMin: 100,
  backoffMax: 10_000,
  connectTimeout: 10_000,
  timeout: 60_000,
  queue: 4,
  queueBytes: 1_000,
  random: () => 0.5,
};

/** One session and everything it wanted done. */
export class World {
  readonly session: Session;
  now = START;
  outputs: Output[] = [];

  constructor(options: Partial<SessionOptions> = {}) {
    this.session = new Session({ ...OPTIONS, ...options });
  }

  /** Carries out nothing, but collects what is to be done at this moment. */
  settle(): void {
    if (this.now >= this.session.deadline) {
      this.session.handleTimeout(this.now);
    }
    for (let output; (output = this.session.poll(this.now)) !== undefined;) {
      this.outputs.push(output);
    }
  }

  /** Lets time pass, stopping wherever the session wants to be told. */
  advance(time: number): void {
    const end = this.now + time;
    for (let turn = 0; this.session.deadline <= end; turn++) {
      assert.ok(turn < 10_000, "the session wants to be told of time without end");
      this.now = Math.max(this.now, this.session.deadline);
      this.settle();
    }
    this.now = end;
  }

  /** Hands over an event and collects what follows. */
  event<K extends keyof Events>(name: K, body: Events[K], id = 0): void {
    this.session.handleEvent(this.now, { id, name, body } as Event);
    this.settle();
  }

  /** Takes out the outputs of one kind. */
  take<D extends Output["do"]>(kind: D): Extract<Output, { do: D }>[] {
    const taken = this.outputs.filter((output) => output.do === kind);
    this.outputs = this.outputs.filter((output) => output.do !== kind);
    return taken as Extract<Output, { do: D }>[];
  }

  /** Takes out all commands that were sent or dialed with. */
  commands(): Command[] {
    const commands = this.outputs.flatMap((output) =>
      "commands" in output ? output.commands : [],
    );
    this.outputs = this.outputs.filter((output) => !("commands" in output));
    return commands;
  }

  /** Takes out the one command of a name that was sent. */
  command<K extends keyof Commands>(name: K): Extract<Command, { name: K }> {
    const [command, ...more] = this.commands().filter((sent) => sent.name === name);
    assert.equal(more.length, 0, `more than one ${name}`);
    assert.ok(command, `no ${name} was sent`);
    return command as Extract<Command, { name: K }>;
  }

  /** Takes out what one channel's listeners were told, in short. */
  told(channel = "news"): ChannelEvent[] {
    return this.take("tell")
      .filter((output) => output.channel === channel)
      .map((output) => output.event);
  }

  /** Takes out the states told, and gives the last. */
  state(): State {
    const last = this.take("state").at(-1);
    assert.ok(last, "no state was told");
    return last.state;
  }

  /** Connects for the first time or again; returns the `connect` that was sent. */
  connect(body: Partial<Connected> = {}): Extract<Command, { name: "connect" }> {
    this.session.connect(this.now);
    this.settle();
    return this.accept(body);
  }

  /** Answers the `connect` that was sent, and every subscription in it. */
  accept(body: Partial<Connected> = {}): Extract<Command, { name: "connect" }> {
    const connect = this.command("connect");
    this.event("connected", connected(this.now, body), connect.id);
    return connect;
  }

  /** Follows `news` and has the stream begin after `offset`. */
  follow(offset = 5): void {
    this.session.subscribe("news", { fetches: false });
    this.settle();
    const { id } = this.command("subscribe");
    this.event("subscribed", subscribed(offset), id);
    this.told();
  }

  /** Loses the connection, as a network does. */
  lose(): void {
    const ending = { code: 1006, name: "connection_lost", message: "gone" };
    this.session.handleClosed(this.now, ending);
    this.settle();
  }
}

export function connected(now: number, body: Partial<Connected> = {}): Connected {
  return {
    client: "c1",
    session: "s1",
    resumed: false,
    grant: "g1",
    ping: 25_000,
    pong: 10_000,
    time: now,
    frame_bytes: 65_536,
    ...body,
  };
}

export function subscribed(offset: number, more: Partial<Events["subscribed"]> = {}) {
  return { channel: "news", epoch: "e0000000", offset, head: offset, recovered: false, ...more };
}

export function publication(offset: number, more: Partial<Events["publication"]> = {}) {
  const data = `line ${offset}`;
  return {
    channel: "news",
    id: `p${offset}`,
    epoch: "e0000000",
    offset,
    time: START,
    data,
    ...more,
  };
}
