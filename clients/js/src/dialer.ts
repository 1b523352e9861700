/** Makes transports by their names, from what this program and the application have. */

import { json } from "./codec/json.js";
import type { MartletOptions } from "./options.js";
import type { Transport, TransportEvents, TransportName } from "./transport.js";
import type { Fetch } from "./transport/answer.js";
import { PollTransport } from "./transport/poll.js";
import { SseTransport } from "./transport/sse.js";
import { StreamTransport } from "./transport/stream.js";
import { WebSocketTransport, type WebSocketClass } from "./transport/websocket.js";
import type { Codec, Frame } from "./wire.js";

/** The transports, the preferred one first, unless the application says otherwise. */
export const TRANSPORTS: readonly TransportName[] = ["websocket", "sse", "stream", "poll"];

/** The transports of requests. */
const ONE_WAY = { sse: SseTransport, stream: StreamTransport, poll: PollTransport } as const;

/** Opens transports to servers. */
export class Dialer {
  readonly #binary: Codec | undefined;
  readonly #socketClass: WebSocketClass | undefined;
  readonly #fetch: Fetch | undefined;
  /** The transports that can be opened, the preferred one first. */
  readonly names: readonly TransportName[];

  constructor(options: MartletOptions) {
    const { WebSocket: own, fetch: given, transports = TRANSPORTS } = options;
    const here = globalThis as { WebSocket?: WebSocketClass; fetch?: Fetch };
    this.#binary = options.binary;
    this.#socketClass = own ?? here.WebSocket;
    this.#fetch = given ?? here.fetch?.bind(globalThis);
    this.names = transports.filter((name) => this.#has(name));
  }

  #has(name: TransportName): boolean {
    return (name === "websocket" ? this.#socketClass : this.#fetch) !== undefined;
  }

  /** How frames are written on a transport. */
  codec(name: TransportName): Codec {
    return name === "websocket" ? (this.#binary ?? json) : json;
  }

  /** Opens a WebSocket. May throw, as when the page's policy forbids it. */
  socket(base: string, events: TransportEvents): Transport {
    const url = `${base.replace(/^http/, "ws")}/v1/ws`;
    const { subprotocol } = this.codec("websocket");
    const socketClass = this.#socketClass as WebSocketClass;
    return new WebSocketTransport(socketClass, url, subprotocol, events);
  }

  /** Opens another transport, which begins with the frame `first`. */
  oneWay(
    name: keyof typeof ONE_WAY,
    base: string,
    first: Frame,
    events: TransportEvents,
  ): Transport {
    return new ONE_WAY[name](this.#fetch as Fetch, base, first, events);
  }
}
