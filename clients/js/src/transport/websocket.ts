/** The WebSocket transport: one message for each frame, both ways. */

import type { Transport, TransportEvents } from "../transport.js";
import type { Frame } from "../wire.js";

/** As much of the browser's `WebSocket` as is used here; the `ws` package has it too. */
export interface WebSocketLike {
  binaryType: string;
  /** Takes texts and bytes; compilers differ in what they call bytes. */
  send(data: never): void;
  close(code?: number, reason?: string): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
}

/** A class that opens WebSockets. */
export type WebSocketClass = new (url: string, protocols: string[]) => WebSocketLike;

/** One WebSocket connection. */
export class WebSocketTransport implements Transport {
  readonly name = "websocket";
  readonly #socket: WebSocketLike;
  #events: TransportEvents | undefined;

  /** Connects to `url`; `first` goes out as soon as it is open. */
  constructor(
    socketClass: WebSocketClass,
    url: string,
    subprotocol: string,
    first: Frame,
    events: TransportEvents,
  ) {
    this.#events = events;
    this.#socket = new socketClass(url, [subprotocol]);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => this.#handleOpen(first);
    this.#socket.onmessage = ({ data }: { data: unknown }) => this.#handleMessage(data);
    this.#socket.onclose = ({ code, reason }: { code: number; reason: string }) =>
      this.#handleClose(code, reason);
    // A close event follows, and says as much as there is to know.
    this.#socket.onerror = () => undefined;
  }

  send(frame: Frame): void {
    this.#socket.send(frame as never);
  }

  close(code: number, reason: string): void {
    this.#events = undefined;
    this.#socket.close(code, reason);
  }

  handleConnected(): void {
    // The connection is its own uplink.
  }

  /** The listener may close this transport in `onopen`, when another one was faster. */
  #handleOpen(first: Frame): void {
    this.#events?.onopen();
    if (this.#events !== undefined) {
      this.#socket.send(first as never);
    }
  }

  #handleMessage(data: unknown): void {
    if (typeof data === "string") {
      this.#events?.onframe(data);
    } else if (data instanceof ArrayBuffer) {
      this.#events?.onframe(new Uint8Array(data));
    }
  }

  #handleClose(code: number, reason: string): void {
    const events = this.#events;
    this.#events = undefined;
    events?.onclose({ code, reason });
  }
}
