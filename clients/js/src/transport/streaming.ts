/** A response that goes on: its body is read as it comes. What is in it, a parser says. */

import type { TransportEvents } from "../transport.js";
import type { Frame } from "../wire.js";
import type { Fetch } from "./answer.js";
import { OneWay } from "./one_way.js";

/** The longest event taken from a stream, in characters. */
export const EVENT_MAX = 16 * 1024 * 1024;

/** Takes the bytes of a body. */
export interface Parser {
  push(bytes: Uint8Array): void;
}

/** One kind of stream. */
export interface StreamKind {
  readonly path: string;
  readonly query: string;
  /** The content type. */
  readonly type: string;
  parser(events: Pick<TransportEvents, "onframe" | "onalive">): Parser;
}

/** One streaming response and its uplink. */
export abstract class Streaming extends OneWay {
  /** Connects to the server at `base`; `first` is the request's body. */
  constructor(fetch: Fetch, base: string, kind: StreamKind, first: Frame, events: TransportEvents) {
    super(fetch, base, events);
    void this.follow(() => this.#read(kind, first as string));
  }

  async #read(kind: StreamKind, first: string): Promise<void> {
    const expected = { 200: kind.type };
    const response = await this.ask(kind.path, kind.query, expected, this.signal, first);
    if (response.body === null) {
      throw new TypeError("The response has no body.");
    }
    const parser = kind.parser({
      onframe: (frame) => this.events?.onframe(frame),
      onalive: () => this.events?.onalive(),
    });
    await this.#pump(response.body, parser);
  }

  async #pump(body: ReadableStream<Uint8Array>, parser: Parser): Promise<void> {
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.events === undefined) {
        return;
      }
      this.events.ontraffic(0, value.length);
      parser.push(value);
    }
  }
}
