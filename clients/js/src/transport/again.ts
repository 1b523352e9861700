/**
 * Sends a request again that may not have arrived or whose answer may be lost: a bounded number of
 * times, with growing, random pauses. Only for requests that the server knows when they come twice.
 */

import { Backoff } from "../backoff.js";
import { mayPass } from "./answer.js";
import { pause, within, type Limited, type Pause } from "./time.js";

/** How often, how long, and with what. */
export interface AgainOptions {
  /** How many tries there are. */
  readonly tries: number;
  /** How long one try may take, in milliseconds. */
  readonly limit: number;
  readonly pause?: Pause;
  readonly random?: () => number;
}

/** The shortest and the longest pause. */
const PAUSE = { min: 100, max: 3_000 };

/** Runs `run` until it succeeds, or fails for good, or too often, or `signal` is aborted. */
export async function again<T>(
  signal: AbortSignal,
  options: AgainOptions,
  run: Limited<T>,
): Promise<T> {
  const { tries, limit, random = Math.random } = options;
  const backoff = new Backoff(PAUSE.min, PAUSE.max);
  for (let left = tries - 1; ; left--) {
    try {
      return await within(signal, limit, run);
    } catch (error) {
      if (left <= 0 || !mayPass(error) || signal.aborted) {
        throw error;
      }
    }
    await (options.pause ?? pause)(backoff.next(random()), signal);
    signal.throwIfAborted();
  }
}
