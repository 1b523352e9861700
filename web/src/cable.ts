/**
 * A network cable with a cutter: the WebSocket class and the fetch function of one client, which
 * can be made to fail the way a network does. The client knows nothing of it.
 */

import type { WebSocketClass } from "martlet";

/** The cable of one client. */
export class Cable {
  readonly WebSocket: WebSocketClass;
  readonly fetch: typeof fetch;
  readonly #sockets = new Set<WebSocket>();
  #streams = new AbortController();
  #broken = false;

  constructor() {
    const cable = this;
    this.WebSocket = class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        cable.#check();
        super(url, protocols);
        cable.#sockets.add(this);
        this.addEventListener("close", () => cable.#sockets.delete(this));
      }
    };
    this.fetch = async (input, init = {}) => {
      this.#check();
      const cut = this.#streams.signal;
      const signal = init.signal == null ? cut : AbortSignal.any([cut, init.signal]);
      return fetch(input, { ...init, signal });
    };
  }

  #check(): void {
    if (this.#broken) {
      throw new Error("The cable is cut.");
    }
  }

  /** Breaks every connection, and lets none come about. */
  cut(): void {
    this.#broken = true;
    this.#streams.abort(new Error("The cable is cut."));
    this.#sockets.forEach((socket) => socket.close());
  }

  /** Lets connections come about again. */
  mend(): void {
    this.#broken = false;
    this.#streams = new AbortController();
  }
}
