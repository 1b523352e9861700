/** The SSE transport: an event stream downwards, small requests upwards. */

import type { TransportEvents } from "../transport.js";
import type { Frame } from "../wire.js";
import type { Fetch } from "./answer.js";
import { EventStream } from "./event_stream.js";
import { PROTOCOL } from "./one_way.js";
import { EVENT_MAX, Streaming, type StreamKind } from "./streaming.js";

const SSE: StreamKind = {
  path: "sse",
  query: PROTOCOL,
  type: "text/event-stream",
  parser: ({ onframe, onalive }) =>
    new EventStream({ onevent: onframe, oncomment: onalive }, EVENT_MAX),
};

/** One event stream. */
export class SseTransport extends Streaming {
  readonly name = "sse";

  constructor(fetch: Fetch, base: string, first: Frame, events: TransportEvents) {
    super(fetch, base, SSE, first, events);
  }
}
