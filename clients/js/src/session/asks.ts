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
  readonly bytes: number;
  readonly deadline: number;
}

/** The commands that wait for an answer. */
export class Asks {
  readonly #waiting = new Map<number, Ask>();
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
    this.#waiting.set(command.id, { command, bytes, deadline: now + this.#limits.timeout });
    return undefined;
  }

  /** An answer came. Returns whether anybody waited for it. */
  settle(id: number, answer: Event | MartletError): boolean {
    const ask = this.#waiting.get(id);
    if (ask === undefined) {
      return false;
    }
    this.#waiting.delete(id);
    this.#bytes -= ask.bytes;
    this.#outbox.put({ do: "settle", id, answer });
    return true;
  }

  /** Sends everything that waits, over a connection that knows nothing of it yet. */
  sendAll(): void {
    for (const { command } of this.#waiting.values()) {
      this.#outbox.send(command);
    }
  }

  /** The connection is lost. A ping measures one connection, so it does not outlive it. */
  handleDetached(): void {
    for (const { command } of [...this.#waiting.values()]) {
      if (command.name === "ping") {
        this.settle(command.id, refusal("disconnected"));
      }
    }
  }

  /** Gives up what has waited for too long. */
  handleTimeout(now: number): void {
    for (const [id, { deadline }] of [...this.#waiting]) {
      if (deadline > now) {
        break;
      }
      this.settle(id, refusal("timeout"));
    }
  }

  /** Gives up everything. */
  refuseAll(error: MartletError): void {
    for (const id of [...this.#waiting.keys()]) {
      this.settle(id, error);
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
