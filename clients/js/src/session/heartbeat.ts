/** Signs of life: when the server has been silent for so long that the connection must be dead. */

/** How long a connection may take to prove that it lives, when there is reason to doubt. */
const PATIENCE = 3_000;

/** Watches one connection. */
export class Heartbeat {
  #silence = 0;
  #heard = 0;
  #probe: number | undefined;

  /** Begins with a connection whose server promises a sign of life every `silence` milliseconds. */
  start(now: number, silence: number): void {
    this.#silence = Math.max(1, silence);
    this.#heard = now;
    this.#probe = undefined;
  }

  /** Something came. */
  handleHeard(now: number): void {
    this.#heard = now;
    this.#probe = undefined;
  }

  /**
   * There is reason to doubt: an answer to a ping is due soon. So much time there is in any case: a
   * computer that slept has not yet read what came meanwhile.
   */
  probe(now: number): void {
    this.#probe ??= now + PATIENCE;
    this.#heard = Math.max(this.#heard, this.#probe - this.#silence);
  }

  /** Whether there is reason to doubt. */
  get probing(): boolean {
    return this.#probe !== undefined;
  }

  /** When the connection is to be given up. */
  get deadline(): number {
    return Math.min(this.#heard + this.#silence, this.#probe ?? Infinity);
  }
}
