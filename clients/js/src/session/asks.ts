/**
 * Commands that an application waits for. They outlive a connection: what was not answered is
 * sent again over the next one, in its order, until its time is up.
 */

import { MartletError, refusal } from "../error.js";
import type { Command, Event } from "../wire.js";
import type { Outbox } from "./output.js";

/** How much may wait at once. */
export interface AskLimits {
  /** Commands. */
  readonly count: number;
  /** Bytes of published data. */
  readonly bytes: number;
  /** Milliseconds until a command is given up. */
  readonly timeout: number;
}

interface Ask {
  readonly command: Command;
  /** Its number on the wire, for the connection it was sent over last. */
  wire: number;
  readonly bytes: number;
  readonly deadline: number;
}

/** The commands that wait for an answer. */
export class Asks {
  readonly #waiting = new Map<number, Ask>();
  /** What waits, by its number on the wire. */
  readonly #wires = new Map<number, number>();
  readonly #limits: AskLimits;
  readonly #outbox: Outbox;
  #bytes = 0;

  constructor(limits: AskLimits, outbox: Outbox) {
    this.#limits = limits;
    this.#outbox = outbox;
  }

  /** Takes a command in, or says why not. */
  add(now: number, command: Command): MartletError | undefined {
    const bytes = sizeOf(command);
    const full =
      this.#waiting.size >= this.#limits.count || this.#bytes + bytes > this.#limits.bytes;
    if (full) {
      return refusal("queue_full");
    }
    this.#bytes += bytes;
    const deadline = now + this.#limits.timeout;
    this.#waiting.set(command.id, { command, wire: command.id, bytes, deadline });
    this.#wires.set(command.id, command.id);
    return undefined;
  }

  /** An answer came to what has this number on the wire. Returns whether anybody waited for it. */
  settle(wire: number, answer: Event | MartletError): boolean {
    const id = this.#wires.get(wire);
    const ask = id === undefined ? undefined : this.#waiting.get(id);
    if (id === undefined || ask === undefined) {
      return false;
    }
    this.#wires.delete(wire);
    this.#waiting.delete(id);
    this.#bytes -= ask.bytes;
    this.#outbox.put({ do: "settle", id, answer });
    return true;
  }

  /**
   * Sends everything that waits, over a connection that knows nothing of it yet. With new numbers:
   * a server takes one that is not higher than another it had for a repeat.
   */
  sendAll(): void {
    this.#wires.clear();
    for (const [id, ask] of this.#waiting) {
      ask.wire = this.#outbox.nextId();
      this.#wires.set(ask.wire, id);
      this.#outbox.send({ ...ask.command, id: ask.wire });
    }
  }

  /** The connection is lost. A ping measures one connection, so it does not outlive it. */
  handleDetached(): void {
    for (const { command, wire } of [...this.#waiting.values()]) {
      if (command.name === "ping") {
        this.settle(wire, refusal("disconnected"));
      }
    }
  }

  /** Gives up what has waited for too long. */
  handleTimeout(now: number): void {
    for (const { wire, deadline } of [...this.#waiting.values()]) {
      if (deadline > now) {
        break;
      }
      this.settle(wire, refusal("timeout"));
    }
  }

  /** Gives up everything. */
  refuseAll(error: MartletError): void {
    for (const { wire } of [...this.#waiting.values()]) {
      this.settle(wire, error);
    }
  }

  /** When something will have waited for too long. All wait equally long, so it is the first. */
  get deadline(): number {
    const [first] = this.#waiting.values();
    return first?.deadline ?? Infinity;
  }
}

function sizeOf(command: Command): number {
  if (command.name !== "publish") {
    return 0;
  }
  return (command.body.json?.length ?? 0) + (command.body.bytes?.length ?? 0);
}
