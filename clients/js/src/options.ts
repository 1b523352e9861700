/** What an application can choose, and what holds when it does not. */

import type { Position } from "./model.js";
import type { NetworkStorage } from "./route/memory.js";
import type { TransportName } from "./transport.js";
import type { WebSocketClass } from "./transport/websocket.js";
import type { Codec } from "./wire.js";

/** What the client calls itself, for the server's log. */
export const AGENT = "martlet-js/0.1.0";

/** Gives a token, or nothing for an anonymous client. */
export type GetToken = () => Promise<string | null | undefined> | string | null | undefined;

/** Options of a client. Times are in milliseconds. */
export interface MartletOptions {
  /** A token of the application. */
  readonly token?: string;
  /** Called for the first token, unless `token` is given, and for a new one before the old ends. */
  readonly getToken?: GetToken;
  /** The transports to use, the preferred one first; all there are unless given. */
  readonly transports?: readonly TransportName[];
  /** The binary codec, `proto` of `martlet/proto`, to use it over WebSocket. */
  readonly binary?: Codec;
  /** Where to go on in channels that are subscribed to, from an earlier `client.cursor`. */
  readonly cursor?: string;
  /**
   * Where to remember which transports work on which network: the page's `localStorage` unless
   * given, or only in this client when `false`.
   */
  readonly storage?: NetworkStorage | false;
  /** Whether to connect without being asked to. */
  readonly autoConnect?: boolean;
  /**
   * The shortest wait after a try that failed. The first wait after a connection was lost lies
   * anywhere between nothing and six times this.
   */
  readonly backoffMin?: number;
  /** The longest wait before coming back, unless the server asks for a longer one. */
  readonly backoffMax?: number;
  /** How long one try to connect may take. */
  readonly connectTimeout?: number;
  /** How long a command may wait for its answer, lost connections included; 4 minutes at most. */
  readonly timeout?: number;
  /** How many commands may wait for their answers. */
  readonly queue?: number;
  /** How many bytes of published data may wait. */
  readonly queueBytes?: number;
  /** The name and version of the application, for the server's log. */
  readonly agent?: string;
  /** The class that opens WebSockets, where there is no global one. */
  readonly WebSocket?: WebSocketClass;
  /** The function that makes requests, where the global one will not do. */
  readonly fetch?: typeof fetch;
}

/** Options of a subscription. */
export interface SubscribeOptions {
  /** Begin at a time: a date, Unix milliseconds, or an age such as `90s`, `10m` or `2h`. */
  readonly since?: Date | number | string;
  /** Begin after a position. Wins over `since`. */
  readonly position?: Position;
  /** A token of the application for this channel. */
  readonly token?: string;
  /** Called for the channel's first token, unless `token` is given, and for later ones. */
  readonly getToken?: GetToken;
}

/** Options of a publication. */
export interface PublishOptions {
  /** The event name. */
  readonly name?: string;
  /** The publisher's own mark, given back in the publication. */
  readonly ref?: string;
  /** Small named texts beside the data. */
  readonly tags?: Record<string, string>;
  /** The idempotency key; one is made when it is not given. */
  readonly key?: string;
}

/** Which page of history. */
export interface HistoryOptions {
  /** The most publications to have. */
  readonly limit?: number;
  /** Newest first. */
  readonly reverse?: boolean;
  /** Only publications on the far side of this position. */
  readonly position?: Position;
  /** Only publications of this time or later. */
  readonly since?: Date | number | string;
}

/** A repeated key is known for five minutes, so no publication may be tried for longer. */
const TIMEOUT_MAX = 4 * 60_000;

/** How long a command may wait. */
export function timeoutOf({ timeout = 60_000 }: MartletOptions): number {
  return Math.min(Math.max(1, timeout), TIMEOUT_MAX);
}

const AGE = /^(\d+)(ms|s|m|h|d)$/;
const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A moment in Unix milliseconds. */
export function timeOf(since: Date | number | string, now: number): number {
  if (typeof since === "number") {
    return Math.floor(since);
  }
  if (since instanceof Date) {
    return since.getTime();
  }
  const [, count, unit] = AGE.exec(since) ?? [];
  if (count === undefined || unit === undefined) {
    throw new RangeError(`${since} is not an age such as 90s, 10m or 2h`);
  }
  return Math.floor(now - Number(count) * (UNITS[unit] ?? 1));
}
