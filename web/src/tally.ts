/** What one transport has carried and how long its round trips took. Numbers only; draws nothing. */

import type { Bytes } from "martlet";

/** Over how long bytes per second are counted, in milliseconds. */
const WINDOW = 10_000;
/** From how many round trips the typical one is taken. */
const TRIPS = 60;

interface Sample {
  readonly at: number;
  readonly bytes: Bytes;
}

/** The tally of one transport. It stands still while another is in use. */
export class Tally {
  #samples: Sample[] = [];
  #trips: number[] = [];

  /** At this moment it has carried so much in all. */
  handleBytes(at: number, bytes: Bytes): void {
    const recent = this.#samples.filter((sample) => sample.at > at - WINDOW);
    this.#samples = [...recent, { at, bytes }];
  }

  /** A round trip took so long. */
  handleTrip(time: number): void {
    this.#trips = [...this.#trips, time].slice(-TRIPS);
  }

  /** What it has carried in all. */
  get bytes(): Bytes {
    return this.#samples.at(-1)?.bytes ?? { up: 0, down: 0 };
  }

  /** Bytes per second, once there is a second to tell them from. */
  get rate(): Bytes | undefined {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    const seconds = ((last?.at ?? 0) - (first?.at ?? 0)) / 1_000;
    if (first === undefined || last === undefined || seconds < 0.5) {
      return undefined;
    }
    const each = (way: "up" | "down") => (last.bytes[way] - first.bytes[way]) / seconds;
    return { up: each("up"), down: each("down") };
  }

  /** The last round trip. */
  get latency(): number | undefined {
    return this.#trips.at(-1);
  }

  /** The median of the last round trips. */
  get typical(): number | undefined {
    return [...this.#trips].sort((a, b) => a - b)[Math.floor(this.#trips.length / 2)];
  }
}
