/**
 * The way up beside a stream that only comes down: frames go in requests of their own, in order,
 * one request at a time. What waits meanwhile goes together in the next one.
 */

/** How long one request may take, in milliseconds. */
const REQUEST_TIMEOUT = 10_000;

/** Posts frames to the session. */
export class Uplink {
  readonly #post: (body: string, signal: AbortSignal) => Promise<void>;
  readonly #onfail: (error: unknown) => void;
  readonly #abort = new AbortController();
  #waiting: string[] = [];
  #busy = false;
  #frameBytes = 0;

  /** `post` sends one body and fails unless it was taken; then `onfail` is called, once. */
  constructor(
    post: (body: string, signal: AbortSignal) => Promise<void>,
    onfail: (error: unknown) => void,
  ) {
    this.#post = post;
    this.#onfail = onfail;
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
        await this.#request(this.#next());
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

  async #request(body: string): Promise<void> {
    const late = AbortSignal.timeout(REQUEST_TIMEOUT);
    await this.#post(body, AbortSignal.any([this.#abort.signal, late]));
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
