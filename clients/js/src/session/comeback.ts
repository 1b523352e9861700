/**
 * When to come back after a connection was lost, and the one place that lets a try begin. Knows no
 * clock and no randomness; the Rust client has the same machine (`session/retry.rs`), and
 * `vectors/comeback.txt` holds both to the same answers.
 *
 * What the server advises is obeyed as it stands. Without advice, those who lost a connection that
 * lived may have lost it in one moment with everybody else (a server was killed), so their first
 * wait is spread evenly from nothing to `first`; whoever fails to connect backs off. And however
 * odd a server behaves, or an application: each try takes a token from a bucket of two, into which
 * one comes back every second, so that a loop without delay cannot be.
 */

import { Backoff } from "../backoff.js";
import { codes } from "../codes.js";

/** Why a connection ended. */
export interface Ending {
  readonly code: number;
  readonly name: string;
  readonly message: string;
  /** When to come back. */
  readonly after?: number;
  /** The address of a node to come back to. */
  readonly node?: string;
  /** Whether the client found it by asking, for a reason that others need not have. */
  readonly alone?: boolean;
}

declare const granted: unique symbol;

/** Permission for one try to connect. Only `Comeback` has it to give. */
export interface Permit {
  readonly [granted]: true;
}

/** A connection that lived this long was a success, and the waits begin anew. */
const STEADY = 5_000;
/** The first wait is up to so many times the shortest: 1.5 s. Half of all wait less than 0.75 s. */
const FIRST = 6;
/** A token comes back in so many times the shortest wait: each second. */
const PACE = 4;
/** Tokens at most: one for a try, one for a server that sends it on at once. */
const TOKENS = 2;

/** Closes that concern one connection alone, which has nobody to make room for. */
const AT_ONCE = new Set<number>([codes.replaced, codes.aged, codes.stream_full]);

/** Whether this end is meant for good: the application has to act. */
export function staysAway(code: number): boolean {
  return code >= 3500 && code <= 3999;
}

/** The waits of one session, and its tries. */
export class Comeback {
  readonly #backoff: Backoff;
  readonly #min: number;
  readonly #first: number;
  readonly #pace: number;
  /** When the bucket will be full again. */
  #full = -Infinity;
  /** Until when the server asked to stay away, which nothing cuts short. */
  #advised = -Infinity;

  /** The shortest and longest wait, unless the server asks for another. */
  constructor(min: number, max: number) {
    this.#min = Math.max(1, min);
    this.#first = Math.min(FIRST * this.#min, Math.max(this.#min, max));
    this.#pace = PACE * this.#min;
    this.#backoff = new Backoff(min, max);
  }

  /**
   * How long to wait; 0 for not at all. `lived` is how long there was a connection, `undefined`
   * where there was none. `random` is in [0, 1).
   */
  next(now: number, lived: number | undefined, ending: Ending, random: number): number {
    if (lived !== undefined && lived >= STEADY) {
      this.#backoff.reset();
    }
    if (ending.alone === true) {
      return this.hurry(now, random);
    }
    const advice = adviceOf(ending);
    // What something between here and the server said (code 0) may be over with the next network.
    this.#advised = advice === undefined || ending.code === 0 ? now : now + advice;
    const soonest = this.soonest(now);
    if (advice === 0 && soonest === 0) {
      return 0;
    }
    // To come back at once again and again is no advice to follow.
    const wait = advice || this.#unadvised(lived, random);
    return Math.max(wait, soonest);
  }

  /** A server that lets everybody in and drops them is left more and more in peace. */
  #unadvised(lived: number | undefined, random: number): number {
    const spread = lived === undefined ? 0 : 1 + (this.#first - 1) * random;
    const steady = lived !== undefined && lived >= STEADY;
    return Math.max(spread, steady ? 0 : this.#backoff.next(random));
  }

  /**
   * The wait of a client that has a reason of its own to try now, such as news of the network. It
   * cuts a backoff short, and never what the server asked for.
   */
  hurry(now: number, random: number): number {
    return Math.max(1 + this.#min * random, this.#advised - now, this.soonest(now));
  }

  /** How long there will be no permission. */
  soonest(now: number): number {
    return Math.max(0, this.#full - (TOKENS - 1) * this.#pace - now);
  }

  /** Permission for one try, or none before `soonest` has passed. */
  permit(now: number): Permit | undefined {
    if (this.soonest(now) > 0) {
      return undefined;
    }
    this.#full = Math.max(now, this.#full) + this.#pace;
    return {} as Permit;
  }
}

/** What the server said about when to come back. What is no time is no advice. */
function adviceOf({ after, code }: Ending): number | undefined {
  if (typeof after === "number" && after >= 0) {
    return after;
  }
  return AT_ONCE.has(code) ? 0 : undefined;
}
