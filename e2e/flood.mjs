/** A backend that publishes the numbers from 0 on at a rate, and never faster. */

import { setTimeout as wait } from "node:timers/promises";

const TURN = 20;

/** Publishes until it is stopped. */
export class Flood {
  #server;
  #channel;
  #rate;
  #stopped = false;
  #over;
  /** How many were taken. */
  count = 0;

  constructor(server, channel, rate) {
    this.#server = server;
    this.#channel = channel;
    this.#rate = rate;
    this.began = performance.now();
    this.#over = this.#run();
    // Told by `stop`, which comes later.
    this.#over.catch(() => undefined);
  }

  /** Publications a second, as it was. */
  get pace() {
    return Math.round((this.count * 1_000) / (performance.now() - this.began));
  }

  /** Ends it; fails if a publication failed. */
  async stop() {
    this.#stopped = true;
    await this.#over;
  }

  async #run() {
    while (!this.#stopped) {
      const due = Math.floor(((performance.now() - this.began) * this.#rate) / 1_000);
      const all = Array.from({ length: Math.min(due - this.count, 200) }, (_, i) => this.count + i);
      if (all.length > 0) {
        await this.#server.publishAll(this.#channel, all);
        this.count += all.length;
      }
      await wait(TURN);
    }
  }
}
