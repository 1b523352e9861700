/** The SSE transport: one streaming response downwards, small requests upwards. */

import { codes } from "../codes.js";
import type { Closed, Transport, TransportEvents } from "../transport.js";
import type { Frame, Refused } from "../wire.js";
import { EventStream } from "./event_stream.js";
import { Uplink } from "./uplink.js";

/** The longest event taken from a stream, in characters. */
const EVENT_MAX = 16 * 1024 * 1024;

/** The server's answer was not the one hoped for. */
class AnswerError extends Error {
  constructor(readonly refused: Refused) {
    super(refused.message);
  }
}

/** One event stream and its uplink. */
export class SseTransport implements Transport {
  readonly name = "sse";
  readonly #fetch: typeof fetch;
  readonly #base: string;
  readonly #abort = new AbortController();
  readonly #uplink: Uplink;
  #events: TransportEvents | undefined;
  #session = "";

  /** Connects to the server at `base`; `first` is the request's body. */
  constructor(
    fetch: typeof globalThis.fetch,
    base: string,
    subprotocol: string,
    first: Frame,
    events: TransportEvents,
  ) {
    this.#fetch = fetch;
    this.#base = base;
    this.#events = events;
    this.#uplink = new Uplink(
      (body, signal) => this.#post(body, signal),
      (error) => this.#end(error),
    );
    const url = `${base}/v1/sse?protocol=${subprotocol}`;
    void this.#read(url, first as string);
  }

  send(frame: Frame): void {
    this.#uplink.send(frame as string);
  }

  close(): void {
    this.#events = undefined;
    this.#uplink.close();
    this.#abort.abort();
  }

  handleConnected(session: string, frameBytes: number): void {
    this.#session = session;
    this.#uplink.open(frameBytes);
  }

  async #read(url: string, body: string): Promise<void> {
    try {
      const response = await this.#request(url, body, this.#abort.signal);
      if (response.body === null) {
        throw new TypeError("the response has no body");
      }
      this.#events?.onopen();
      await this.#follow(response.body);
      this.#end(new Error("The stream has ended."));
    } catch (error) {
      this.#end(error);
    }
  }

  async #follow(body: ReadableStream<Uint8Array>): Promise<void> {
    const listeners = {
      onevent: (data: string) => this.#events?.onframe(data),
      oncomment: () => this.#events?.onalive(),
    };
    const stream = new EventStream(listeners, EVENT_MAX);
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.#events === undefined) {
        return;
      }
      stream.push(value);
    }
  }

  async #post(body: string, signal: AbortSignal): Promise<void> {
    const url = `${this.#base}/v1/send?session=${encodeURIComponent(this.#session)}`;
    await this.#request(url, body, signal);
  }

  /** A text body needs no permission beforehand from a server of another origin. */
  async #request(url: string, body: string, signal: AbortSignal): Promise<Response> {
    const fetch = this.#fetch;
    const response = await fetch(url, { method: "POST", body, signal, cache: "no-store" });
    if (!response.ok) {
      throw new AnswerError(await refused(response));
    }
    return response;
  }

  #end(error: unknown): void {
    const events = this.#events;
    this.close();
    const reason = error instanceof Error ? error.message : String(error);
    const answer = error instanceof AnswerError ? { refused: error.refused } : {};
    const closed: Closed = { code: 0, reason, ...answer };
    events?.onclose(closed);
  }
}

/**
 * The error in a response's body. Only a refusal of who the client is ends its tries; anything
 * else, such as a proxy's own page, may be different the next time.
 */
async function refused(response: Response): Promise<Refused> {
  const body: unknown = await response.json().catch(() => undefined);
  const { code, name, message } = (body ?? {}) as Partial<Refused>;
  if (typeof code === "number" && typeof name === "string" && typeof message === "string") {
    const temporary = code < 1100 || code > 1199 || code === codes.keys_unavailable;
    return { ...(body as Refused), temporary };
  }
  const status = `The server answered ${response.status}.`;
  return { code: 0, name: "http_status", message: status, temporary: true };
}
