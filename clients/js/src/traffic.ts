/** Counts bytes by transport and smooths the round trips that were measured. Decides nothing. */

import type { TransportName } from "./transport.js";

/** Bytes of payload, as far as a transport lets one see them: frames, and bodies of requests. */
export interface Bytes {
  readonly up: number;
  readonly down: number;
}

/** What went over the wire since the client was made. */
export interface Traffic extends Bytes {
  /** The same by transport, for those that were used. */
  readonly transports: Readonly<Partial<Record<TransportName, Bytes>>>;
  /** A smoothed round trip to the server and back in milliseconds, once one was measured. */
  readonly latency: number | undefined;
}

/** How much a new measurement counts. */
const WEIGHT = 1 / 4;

/** The counters of one client. */
export class Meter {
  readonly #bytes = new Map<TransportName, Bytes>();
  #latency: number | undefined;

  /** So many bytes went up and came down. */
  add(name: TransportName, up: number, down: number): void {
    const before = this.#bytes.get(name) ?? { up: 0, down: 0 };
    this.#bytes.set(name, { up: before.up + up, down: before.down + down });
  }

  /** A round trip took so long. */
  measure(took: number): void {
    const before = this.#latency ?? took;
    this.#latency = before + (took - before) * WEIGHT;
  }

  /** The counters as they are now. */
  get traffic(): Traffic {
    const counted = [...this.#bytes.values()];
    return {
      up: counted.reduce((sum, { up }) => sum + up, 0),
      down: counted.reduce((sum, { down }) => sum + down, 0),
      transports: Object.fromEntries(this.#bytes),
      latency: this.#latency,
    };
  }
}
