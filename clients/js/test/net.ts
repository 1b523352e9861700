/** A route on a virtual clock, in a network where each transport behaves as a test says. */

import assert from "node:assert/strict";

import { Route } from "../src/route.js";
import { Memory, storageInMemory } from "../src/route/memory.js";
import type { RouteOutput } from "../src/route/output.js";
import type { Closed, TransportName } from "../src/transport.js";

/** How a transport behaves: milliseconds, or never. */
export interface Behaviour {
  /** From opening a WebSocket until it is open. */
  readonly opens?: number;
  /** From the hello until `connected` comes. */
  readonly speaks?: number;
  /** From opening it until it fails. */
  readonly fails?: number;
  readonly closed?: Closed;
}

/** One round trip of a good network, with the one for the connection itself. */
export const TRIP = 50;
export const SOCKET: Behaviour = { opens: 2 * TRIP, speaks: TRIP };
export const STREAM: Behaviour = { speaks: 2 * TRIP };
/** Dropped without a word. */
export const SILENT: Behaviour = {};

export const ALL: readonly TransportName[] = ["websocket", "sse", "stream", "poll"];

interface Way {
  readonly name: TransportName;
  readonly hello: string;
}

/** The network and everything that happened in it. */
export class Net {
  now = 0;
  readonly storage = storageInMemory();
  readonly memory = new Memory(this.storage, () => "here");
  readonly route: Route;
  readonly ways = new Map<number, Way>();
  /** What was done, with its time: `0 open websocket first`. */
  readonly log: string[] = [];
  /** When a transport carried the session first, if one did. */
  carriedAt = Infinity;
  failed: Closed | undefined;
  /** Whether the server closes the current connection when a mover arrives. */
  replaces = true;
  #events: { at: number; happen: () => void }[] = [];

  constructor(
    public behaviours: Partial<Record<TransportName, Behaviour>>,
    names: readonly TransportName[] = ALL,
  ) {
    this.route = new Route({ names, memory: this.memory, random: () => 0.5 });
  }

  dial(): void {
    this.carriedAt = Infinity;
    this.failed = undefined;
    this.route.dial(this.now);
    this.settle();
  }

  later(after: number | undefined, happen: () => void): void {
    if (after !== undefined) {
      this.#events.push({ at: this.now + after, happen });
    }
  }

  /** Lets time pass, event by event. */
  advance(time: number): void {
    const end = this.now + time;
    for (let turn = 0; ; turn++) {
      assert.ok(turn < 10_000, "time stands still");
      this.#events.sort((a, b) => a.at - b.at);
      const next = Math.min(this.#events[0]?.at ?? Infinity, this.route.deadline);
      if (next > end) {
        break;
      }
      this.now = Math.max(this.now, next);
      const due = this.#events[0];
      if (due !== undefined && due.at <= this.now) {
        this.#events.shift();
        due.happen();
      } else {
        this.route.handleTimeout(this.now);
      }
      this.settle();
    }
    this.now = end;
  }

  settle(): void {
    for (let output; (output = this.route.poll()) !== undefined;) {
      this.#carryOut(output);
    }
  }

  /** The current transport ends. */
  cut(): void {
    const id = this.current;
    this.ways.delete(id);
    this.route.handleClosed(this.now, id, { code: 1006, reason: "cut" });
    this.settle();
  }

  get current(): number {
    const [id] = [...this.ways].find(([, { name }]) => name === this.route.transport) ?? [0];
    return id;
  }

  /** The transports that are open or opening. */
  get open(): TransportName[] {
    return [...this.ways.values()].map(({ name }) => name);
  }

  #carryOut(output: RouteOutput): void {
    switch (output.do) {
      case "open":
        return this.#open(output.way, output.name, output.hello);
      case "speak":
        this.#say(`speak ${this.ways.get(output.way)?.name} ${output.hello}`);
        return this.#speak(output.way, output.hello);
      case "carry":
        this.#say(`carry ${this.ways.get(output.way)?.name} ${output.why}`);
        this.carriedAt = Math.min(this.carriedAt, this.now);
        return;
      case "drop":
        this.ways.delete(output.way);
        return;
      case "fail":
        this.#say("fail");
        this.failed = output.closed;
    }
  }

  #open(id: number, name: TransportName, hello: string): void {
    this.#say(`open ${name} ${hello}`);
    this.ways.set(id, { name, hello });
    const { opens, fails, closed = { code: 1006, reason: "no" } } = this.behaviours[name] ?? SILENT;
    this.later(fails, () => {
      this.ways.delete(id);
      this.route.handleClosed(this.now, id, closed);
    });
    if (name === "websocket") {
      this.later(opens, () => this.route.handleOpen(this.now, id));
    } else {
      this.#speak(id, hello);
    }
  }

  #speak(id: number, hello: string): void {
    const way = this.ways.get(id);
    const { speaks } = this.behaviours[way?.name ?? "poll"] ?? SILENT;
    this.later(speaks, () => this.route.handleConnected(this.now, id));
    if (hello === "move" && this.replaces) {
      const old = this.current;
      this.later(TRIP, () => {
        if (this.ways.has(old)) {
          this.route.handleReplaced(this.now, old);
        }
      });
    }
  }

  #say(words: string): void {
    this.log.push(`${this.now} ${words}`);
  }
}
