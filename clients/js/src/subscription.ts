/**
 * What an application holds of a channel it follows: the events to listen to and the way to end
 * it. It survives lost connections; its place in the stream is the session's business.
 */

import { Emitter } from "./emitter.js";
import type { ChannelEvent, ChannelEvents } from "./session/output.js";

/** A standing interest in one channel. */
export class Subscription extends Emitter<ChannelEvents> {
  /** The channel. */
  readonly channel: string;
  readonly #unsubscribe: () => void;
  #active = true;

  /** Made by `client.subscribe`. */
  constructor(channel: string, unsubscribe: () => void) {
    super();
    this.channel = channel;
    this.#unsubscribe = unsubscribe;
  }

  /** Whether it has not ended yet. */
  get active(): boolean {
    return this.#active;
  }

  /** Ends it. `unsubscribed` is told without a code. */
  unsubscribe(): void {
    if (this.#active) {
      this.#unsubscribe();
    }
  }

  /** Passes on what the session tells. For the client's own use. */
  handleEvent(event: ChannelEvent): void {
    if (event.name === "unsubscribed") {
      this.#active = false;
    }
    this.emit(event.name, event.body as ChannelEvents[typeof event.name]);
  }
}
