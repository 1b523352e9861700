/** The WebSocket transport: one message for each frame, both ways. */

import type { Transport, TransportEvents } from "../transport.js";
import type { Frame } from "../wire.js";
import { byteLength } from "./size.js";

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

  /** Connects to `url`. */
  constructor(
    socketClass: WebSocketClass,
    url: string,
    subprotocol: string,
    events: TransportEvents,
  ) {
    this.#events = events;
    this.#socket = new socketClass(url, [subprotocol]);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => this.#events?.onopen();
    this.#socket.onmessage = ({ data }: { data: unknown }) => this.#handleMessage(data);
    this.#socket.onclose = ({ code, reason }: { code: number; reason: string }) =>
      this.#handleClose(code, reason);
    // A close event follows, and says as much as there is to know.
    this.#socket.onerror = () => undefined;
  }

  send(frame: Frame): void {
    this.#events?.ontraffic(byteLength(frame), 0);
    this.#socket.send(frame as never);
  }

  leave(reason: string): void {
    // Closing says it, also of a `connect` that is not answered yet.
    this.close(1000, reason);
  }

  close(code: number, reason: string): void {
    this.#events = undefined;
    this.#socket.close(code, reason);
  }

  handleConnected(): void {
    // The connection is its own uplink.
  }

  #handleMessage(data: unknown): void {
    if (typeof data === "string") {
      this.#handleFrame(data);
    } else if (data instanceof ArrayBuffer) {
      this.#handleFrame(new Uint8Array(data));
    }
  }

  #handleFrame(frame: Frame): void {
    this.#events?.ontraffic(0, byteLength(frame));
    this.#events?.onframe(frame);
  }

  #handleClose(code: number, reason: string): void {
    const events = this.#events;
    this.#events = undefined;
    events?.onclose({ code, reason });
  }
}
