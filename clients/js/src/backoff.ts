/** How long to wait before the next try: exponential, with full jitter, and never zero. */

/** The waiting times of a client that keeps trying. The caller brings the randomness. */
export class Backoff {
  #tries = 0;
  readonly #min: number;
  readonly #max: number;

  /** Waits between `min` and `max` milliseconds. */
  constructor(min: number, max: number) {
    this.#min = Math.max(1, min);
    this.#max = Math.max(this.#min, max);
  }

  /**
   * The next wait. It lies evenly between `min` and a ceiling that doubles with every try up to
   * `max`; `random` is in [0, 1).
   */
  next(random: number): number {
    const doubled = this.#min * 2 ** (this.#tries + 1);
    const ceiling = Math.min(doubled, this.#max);
    this.#tries = Math.min(this.#tries + 1, 30);
    return this.#min + (ceiling - this.#min) * random;
  }

  /** Begins anew after a success. */
  reset(): void {
    this.#tries = 0;
  }
}
