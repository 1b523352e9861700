/**
 * The way up beside a stream that only comes down: frames go in requests of their own, in order,
 * one request at a time. What waits meanwhile goes together in the next one. A request that failed
 * or was not answered is sent again as it stands: the server knows its commands by their rising
 * numbers, and does none of them twice.
 */

import { again, type AgainOptions } from "./again.js";

/** Sends one body, and fails unless it was taken. */
export type Post = (body: string, signal: AbortSignal) => Promise<unknown>;

const AGAIN: AgainOptions = { tries: 5, limit: 10_000 };
/** How many bytes a millisecond at least carries on networks that are worth using. */
const SLOWEST = 2;

/** Posts frames to the session. */
export class Uplink {
  readonly #post: Post;
  readonly #onfail: (error: unknown) => void;
  readonly #again: AgainOptions;
  readonly #abort = new AbortController();
  #waiting: string[] = [];
  #busy = false;
  #frameBytes = 0;

  /** When a body could not be sent for all tries, `onfail` is called, once. */
  constructor(post: Post, onfail: (error: unknown) => void, options: Partial<AgainOptions> = {}) {
    this.#post = post;
    this.#onfail = onfail;
    this.#again = { ...AGAIN, ...options };
  }

  /** The session is known, and with it how much it takes at once. */
  open(frameBytes: number): void {
    this.#frameBytes = frameBytes;
    void this.#drain();
  }

  /** Adds a frame. */
  send(frame: string): void {
    this.#waiting.push(frame);
    void this.#drain();
  }

  /** Ends it; what waits is dropped. */
  close(): void {
    this.#waiting = [];
    this.#abort.abort();
  }

  async #drain(): Promise<void> {
    if (this.#busy || this.#frameBytes === 0) {
      return;
    }
    this.#busy = true;
    try {
      while (this.#waiting.length > 0 && !this.#abort.signal.aborted) {
        const body = this.#next();
        const limit = this.#again.limit + body.length / SLOWEST;
        const options = { ...this.#again, limit };
        await again(this.#abort.signal, options, (signal) => this.#post(body, signal));
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) {
        this.close();
        this.#onfail(error);
      }
    } finally {
      this.#busy = false;
    }
  }

  /** As many whole frames as fit. A character is counted as three bytes, the most it can have. */
  #next(): string {
    let room = this.#frameBytes;
    let count = 0;
    for (const frame of this.#waiting) {
      room -= 3 * frame.length + 1;
      if (room < 0 && count > 0) {
        break;
      }
      count += 1;
    }
    return this.#waiting.splice(0, count).join("\n");
  }
}
