/**
 * Long polling: what there is comes as the answer to a request, which is then made anew. Each poll
 * names the last batch that arrived; the server keeps a batch until then, so a lost answer is asked
 * for again with the same number. One poll is under way at a time.
 */

import type { TransportEvents } from "../transport.js";
import type { Connected, Frame } from "../wire.js";
import { again } from "./again.js";
import { AnswerError, type Expected, type Fetch } from "./answer.js";
import { OneWay, PROTOCOL } from "./one_way.js";
import type { Limited } from "./time.js";

const LINES = "application/x-ndjson";
const BATCH: Expected = { 200: LINES };
const BATCH_OR_NOTHING: Expected = { 200: LINES, 204: "" };
const LAST_LINE = /^\{"batch":(\d+)\}$/;

/** The longest wait that the server allows, in seconds. */
const WAIT_MAX = 25;
/** How much later than promised an answer may begin, in milliseconds. */
const GRACE = 3_000;
const TRIES = 4;
/** How long until the first answer begins; whoever opened the transport may be less patient. */
const FIRST_LIMIT = 60_000;

interface Batch {
  readonly number: number;
  readonly lines: readonly string[];
}

/** One session that is polled. */
export class PollTransport extends OneWay {
  readonly name = "poll";
  #wait = WAIT_MAX;

  /** Connects to the server at `base`; `first` is the first request's body. */
  constructor(fetch: Fetch, base: string, first: Frame, events: TransportEvents) {
    super(fetch, base, events);
    void this.follow(() => this.#poll(first as string));
  }

  /** Two answers fit in the silence that the session bears, so that one may be lost. */
  override handleConnected(connected: Connected): void {
    const silence = connected.ping + connected.pong;
    this.#wait = Math.min(WAIT_MAX, Math.max(1, Math.floor((silence * 0.4) / 1000)));
    super.handleConnected(connected);
  }

  async #poll(first: string): Promise<void> {
    // Not sent twice: a second one would be a second session.
    const tries = { tries: 1, limit: FIRST_LIMIT };
    let last = 0;
    const begin = this.#asking(PROTOCOL, BATCH, first);
    let batch = await again(this.signal, tries, begin);
    for (;;) {
      last = this.#take(batch, last);
      if (this.events === undefined || this.key === "") {
        return;
      }
      batch = await this.#next(last);
    }
  }

  #next(last: number): Promise<Batch | undefined> {
    const tries = { tries: TRIES, limit: this.#wait * 1000 + GRACE };
    const query = `${this.key}&batch=${last}&wait=${this.#wait}`;
    return again(this.signal, tries, this.#asking(query, BATCH_OR_NOTHING));
  }

  /** `undefined` when nothing came while the server waited. */
  #asking(query: string, expected: Expected, body?: string): Limited<Batch | undefined> {
    return async (signal, inTime) => {
      const response = await this.ask("poll", query, expected, signal, body);
      inTime();
      return response.status === 204 ? undefined : batchOf(await this.#text(response));
    };
  }

  /** Much may be slow to arrive; as long as it does, the server lives. */
  async #text({ body }: Response): Promise<string> {
    const decoder = new TextDecoder();
    const reader = body?.getReader();
    for (let text = ""; ;) {
      const { done = true, value } = (await reader?.read()) ?? {};
      if (done || value === undefined) {
        return text;
      }
      text += decoder.decode(value, { stream: true });
      this.events?.ontraffic(0, value.length);
      this.events?.onalive();
    }
  }

  #take(batch: Batch | undefined, last: number): number {
    this.events?.onalive();
    if (batch === undefined || batch.number <= last) {
      return last;
    }
    if (batch.lines.length > 0) {
      this.events?.onframe(batch.lines.join("\n"));
    }
    return batch.number;
  }
}

/** A batch without its number has not arrived whole. */
function batchOf(text: string): Batch {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const [, number] = LAST_LINE.exec(lines.pop()?.trim() ?? "") ?? [];
  if (number === undefined) {
    const message = "The answer to a poll was cut off.";
    throw new AnswerError({ code: 0, name: "unreadable", message, temporary: true }, true);
  }
  return { number: Number(number), lines };
}
