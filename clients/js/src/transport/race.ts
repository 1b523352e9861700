/**
 * Opens transports side by side and keeps the first that works. The preferred one starts at once,
 * each further one after a head start, or at once when the one before it has failed. The head
 * start is not a timeout: a slow transport may still win.
 */

import type { Closed, Dial, Transport, TransportEvents, TransportName } from "../transport.js";
import type { Frame } from "../wire.js";

/** One transport that takes part. */
export interface Runner {
  readonly name: TransportName;
  readonly dial: Dial;
  /** What it sends first, in its own encoding. */
  readonly first: Frame;
}

/** One race. It is over when a transport is open, all have failed, or it is called off. */
export class Race {
  readonly #events: TransportEvents;
  readonly #waiting: Runner[];
  readonly #headStart: number;
  readonly #running = new Set<Transport>();
  #winner: Transport | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last: Closed = { code: 0, reason: "There is no transport that this program can use." };
  #over = false;

  constructor(runners: readonly Runner[], headStart: number, events: TransportEvents) {
    this.#events = events;
    this.#waiting = [...runners];
    this.#headStart = headStart;
    // Not yet: whoever starts a race must hold it before it can hear of its end.
    queueMicrotask(() => this.#startNext());
  }

  /** The transport that won. */
  get winner(): Transport | undefined {
    return this.#winner;
  }

  /** Ends the race and its winner. */
  close(code: number, reason: string): void {
    this.#over = true;
    clearTimeout(this.#timer);
    for (const transport of this.#running) {
      transport.close(code, reason);
    }
    this.#running.clear();
  }

  #startNext(): void {
    clearTimeout(this.#timer);
    if (this.#over || this.#winner !== undefined) {
      return;
    }
    const runner = this.#waiting.shift();
    if (runner !== undefined) {
      this.#timer = setTimeout(() => this.#startNext(), this.#headStart);
      this.#start(runner);
    } else if (this.#running.size === 0) {
      this.#end(this.#last);
    }
  }

  #start(runner: Runner): void {
    try {
      const transport: Transport = runner.dial(runner.first, {
        onopen: () => this.#handleOpen(transport),
        onframe: (frame) => this.#events.onframe(frame),
        onalive: () => this.#events.onalive(),
        onclose: (closed) => this.#handleClosed(transport, closed),
      });
      this.#running.add(transport);
    } catch (error) {
      // A transport may fail at once, such as a WebSocket that the page's policy forbids.
      this.#last = { code: 0, reason: error instanceof Error ? error.message : String(error) };
      this.#startNext();
    }
  }

  #handleOpen(transport: Transport): void {
    this.#winner = transport;
    clearTimeout(this.#timer);
    this.#running.delete(transport);
    for (const other of this.#running) {
      other.close(1000, "another transport was faster");
    }
    this.#running.clear();
    this.#running.add(transport);
    this.#events.onopen();
  }

  #handleClosed(transport: Transport, closed: Closed): void {
    this.#running.delete(transport);
    if (transport === this.#winner) {
      this.#end(closed);
      return;
    }
    // What the server said is worth more than that something did not work.
    if (this.#last.refused === undefined) {
      this.#last = closed;
    }
    this.#startNext();
  }

  #end(closed: Closed): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#events.onclose(closed);
  }
}
