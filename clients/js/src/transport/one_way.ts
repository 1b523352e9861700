/**
 * What the transports have in common whose responses only come down: the requests of the way up,
 * and one end for everything. How things come down is for each of them to say.
 */

import type { Closed, Transport, TransportEvents, TransportName } from "../transport.js";
import type { Connected, Frame } from "../wire.js";
import { ask, AnswerError, type Expected, type Fetch } from "./answer.js";
import { byteLength } from "./size.js";
import { within } from "./time.js";
import { Uplink } from "./uplink.js";

/** The protocol that all of them speak: their frames are text. */
export const PROTOCOL = "protocol=martlet.v1.json";

const TAKEN: Expected = { 204: "" };
/** How long a session that is left may take to be named, and then to be told, in milliseconds. */
const LEAVE_LIMIT = 5_000;

/** A transport of requests. */
export abstract class OneWay implements Transport {
  abstract readonly name: TransportName;
  /** The server's address. */
  protected readonly base: string;
  readonly #fetch: Fetch;
  readonly #abort = new AbortController();
  readonly #uplink: Uplink;
  #events: TransportEvents | undefined;
  #session = "";
  #leaves = false;
  #late: ReturnType<typeof setTimeout> | undefined;

  constructor(fetch: Fetch, base: string, events: TransportEvents) {
    this.#fetch = fetch;
    this.base = base;
    this.#events = events;
    this.#uplink = new Uplink(
      (body, signal) => this.ask("send", this.key, TAKEN, signal, body),
      (error) => this.#end(error),
    );
  }

  send(frame: Frame): void {
    this.#uplink.send(frame as string);
  }

  /**
   * What comes down stays open until the server has heard it: a session whose stream ends first is
   * one that may come back.
   */
  leave(): void {
    this.#leaves = true;
    this.#uplink.close();
    if (this.#session !== "") {
      void this.#sayLeave();
    } else {
      // The first request may make a session yet.
      this.#late = setTimeout(() => this.close(), LEAVE_LIMIT);
    }
  }

  async #sayLeave(): Promise<void> {
    this.#events = undefined;
    clearTimeout(this.#late);
    const url = `${this.base}/v1/send?${this.key}&leave=true`;
    try {
      await within(new AbortController().signal, LEAVE_LIMIT, (signal) =>
        // The page may be gone before the answer.
        ask(this.#fetch, { url, signal, expected: TAKEN, keepalive: true }),
      );
    } catch {
      // If it was lost the server waits, as for any connection that is.
    }
    this.close();
  }

  close(): void {
    clearTimeout(this.#late);
    this.#events = undefined;
    this.#uplink.close();
    this.#abort.abort();
  }

  handleConnected(connected: Connected): void {
    this.#session = connected.session;
    if (this.#leaves) {
      void this.#sayLeave();
    } else {
      this.#uplink.open(connected.frame_bytes);
    }
  }

  /** What is told of it; `undefined` when it has ended. */
  protected get events(): TransportEvents | undefined {
    return this.#events;
  }

  /** What ends every request. */
  protected get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The session as a parameter; "" before it is known. */
  protected get key(): string {
    return this.#session === "" ? "" : `session=${encodeURIComponent(this.#session)}`;
  }

  /** Makes a request of `path` with `query`. */
  protected async ask(
    path: string,
    query: string,
    expected: Expected,
    signal: AbortSignal,
    body?: string,
  ): Promise<Response> {
    const url = `${this.base}/v1/${path}?${query}`;
    this.#events?.ontraffic(body === undefined ? 0 : byteLength(body), 0);
    const content = body === undefined ? {} : { body };
    return ask(this.#fetch, { url, ...content, signal, expected });
  }

  /** Reads what comes down until `read` returns, which is the end. */
  protected async follow(read: () => Promise<void>): Promise<void> {
    try {
      await read();
      this.#end(new Error("The stream has ended."));
    } catch (error) {
      this.#end(error);
    }
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
