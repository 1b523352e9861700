/**
 * The stream transport: lines of JSON downwards in one response, small requests upwards. An empty
 * line is a sign of life.
 */

import type { TransportEvents } from "../transport.js";
import type { Frame } from "../wire.js";
import type { Fetch } from "./answer.js";
import { Lines } from "./lines.js";
import { PROTOCOL } from "./one_way.js";
import { EVENT_MAX, Streaming, type StreamKind } from "./streaming.js";

const STREAM: StreamKind = {
  path: "stream",
  // What was read is not kept here, so the response may be as long as it likes.
  query: `${PROTOCOL}&limit=0`,
  type: "application/x-ndjson",
  parser: ({ onframe, onalive }) =>
    new Lines((line) => (line.trim() === "" ? onalive() : onframe(line)), EVENT_MAX),
};

/** One stream of lines. */
export class StreamTransport extends Streaming {
  readonly name = "stream";

  constructor(fetch: Fetch, base: string, first: Frame, events: TransportEvents) {
    super(fetch, base, STREAM, first, events);
  }
}
