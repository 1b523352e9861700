/**
 * The seam between the client and what carries its frames. A transport knows sockets and requests;
 * what a frame means is the session's business, and which transport to use is the route's.
 */

import type { Connected, Frame, Refused } from "./wire.js";

/** The transports there are. */
export type TransportName = "websocket" | "sse" | "stream" | "poll";

/** A way to the server, open or opening. */
export interface Transport {
  readonly name: TransportName;
  /** Sends a frame. Frames arrive in the order they were sent. */
  send(frame: Frame): void;
  /**
   * Says that the client goes for good, and ends it once that is said. Until the server has named
   * the session frames are still told, so that it can be; nothing afterwards.
   */
  leave(reason: string): void;
  /** Ends it. Nothing is told afterwards. */
  close(code: number, reason: string): void;
  /** The server has named the session and its limits: for requests beside the first one. */
  handleConnected(connected: Connected): void;
}

/** Why a transport ended or could not be opened. */
export interface Closed {
  /** The WebSocket close code, where there is one; else 0. */
  readonly code: number;
  readonly reason: string;
  /** What the server answered instead, where it did. */
  readonly refused?: Refused;
  /** Whether that was its answer to `connect`, which would be the same on every transport. */
  readonly answered?: boolean;
}

/** What a transport tells. `onclose` comes at the end, once. */
export interface TransportEvents {
  /** It can be sent over; not told where the first frame went with the opening. At most once. */
  onopen(): void;
  onframe(frame: Frame): void;
  /** Something came that is not a frame but a sign of life. */
  onalive(): void;
  /** So many bytes of payload went up and came down. */
  ontraffic(up: number, down: number): void;
  onclose(closed: Closed): void;
}
