/** One outage of one pane: how long it took, what was missed, what came back, what is gone. */

import type { Gap, Subscribed } from "martlet";

import { formatTime } from "./plot.js";

/** Counts from the loss of a connection to the last message that was missed. */
export class Outage {
  readonly #began = performance.now();
  #returned = 0;
  #due = 0;
  #head = 0;
  #gone: Gap | undefined;

  /** The stream begins again. */
  handleSubscribed({ offset, head }: Subscribed): void {
    this.#returned = performance.now();
    this.#due = head - offset;
    this.#head = head;
  }

  /** Something is gone for good. */
  handleGap(gap: Gap): void {
    this.#gone = gap;
    this.#due = Math.max(0, this.#head - gap.offset);
  }

  /** Whether a publication at `offset` was published during the outage. */
  covers(offset: number): boolean {
    return this.#due > 0 && offset <= this.#head;
  }

  /** Whether everything that was missed has come by `offset`. */
  isOver(offset: number): boolean {
    return offset >= this.#head;
  }

  /** What happened, in a sentence. */
  sentence(transport: string): string {
    const took = formatTime(this.#returned - this.#began);
    const count = this.#due === 1 ? "1 message" : `${this.#due} messages`;
    const recovered = this.#due === 0 ? "nothing was missed" : `recovered ${count}`;
    return `Back on ${transport} after ${took}: ${recovered}${this.#missing()}.`;
  }

  #missing(): string {
    if (this.#gone === undefined) {
      return this.#due === 0 ? "" : ", none lost";
    }
    const { from, to, reason } = this.#gone;
    const lost = to === undefined ? "some" : `${to - from + 1}`;
    return `, ${lost} lost for good (${reason})`;
  }

  /** Whether nothing is lost. */
  get whole(): boolean {
    return this.#gone === undefined;
  }
}
