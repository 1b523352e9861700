/** When to come back after a connection was lost: at once, soon, or when the server says. */

import { Backoff } from "../backoff.js";
import { codes } from "../codes.js";

/** Why a connection ended. */
export interface Ending {
  readonly code: number;
  readonly name: string;
  readonly message: string;
  /** When to come back. */
  readonly after?: number;
}

/** A connection that lived this long was a success, and the waits begin anew. */
const STABLE = 5_000;
/** Coming back at once twice within this time would be a loop. */
const LOOP = 1_000;

/** The waits of one session. */
export class Comeback {
  readonly #backoff: Backoff;
  readonly #min: number;
  #atOnce = -Infinity;

  /** The shortest and longest wait, unless the server asks for another. */
  constructor(min: number, max: number) {
    this.#min = min;
    this.#backoff = new Backoff(min, max);
  }

  /**
   * How long to wait; 0 for not at all. `lived` is how long there was a connection, `random` is in
   * [0, 1).
   */
  next(now: number, lived: number, ending: Ending, random: number): number {
    const { after, code, name } = ending;
    if (after === 0 || code === codes.replaced) {
      return this.#nextAtOnce(now, random);
    }
    if (after !== undefined) {
      return Math.max(1, after);
    }
    if (lived < STABLE) {
      return this.#backoff.next(random);
    }
    // Many clients may have lost the same server in this moment, but they find its silence one by
    // one.
    this.#backoff.reset();
    return name === "silent" ? 1 : 1 + this.#min * random;
  }

  #nextAtOnce(now: number, random: number): number {
    const loops = now - this.#atOnce < LOOP;
    this.#atOnce = now;
    if (loops) {
      return this.#backoff.next(random);
    }
    this.#backoff.reset();
    return 0;
  }
}
