/**
 * The seam between the client and what carries its frames. A transport knows sockets and requests;
 * what a frame means is the session's business.
 */

import type { Frame, Refused } from "./wire.js";

/** The transports there are. */
export type TransportName = "websocket" | "sse";

/** An open way to the server. */
export interface Transport {
  readonly name: TransportName;
  /** Sends a frame. Frames arrive in the order they were sent. */
  send(frame: Frame): void;
  /** Ends it. Nothing is told afterwards. */
  close(code: number, reason: string): void;
  /** The server has named the session and its limit: for uplinks that are requests of their own. */
  handleConnected(session: string, frameBytes: number): void;
}

/** Why a transport ended or could not be opened. */
export interface Closed {
  /** The WebSocket close code, where there is one; else 0. */
  readonly code: number;
  readonly reason: string;
  /** What the server answered instead, where it did. */
  readonly refused?: Refused;
}

/** What a transport tells. `onopen` at most once, `onclose` at the end, once. */
export interface TransportEvents {
  onopen(): void;
  onframe(frame: Frame): void;
  /** Something came that is not a frame but a sign of life. */
  onalive(): void;
  onclose(closed: Closed): void;
}

/** Opens a transport whose first frame is `first`. */
export type Dial = (first: Frame, events: TransportEvents) => Transport;
