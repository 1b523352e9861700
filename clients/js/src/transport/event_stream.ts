/**
 * An incremental parser of `text/event-stream`, as the HTML standard has it: bytes in as they
 * come, events out. Lines end in CR, LF or CRLF, and a chunk may end anywhere, also between CR and
 * LF and inside a character.
 */

/** What the parser tells. */
export interface EventStreamEvents {
  /** One event with its data; its type and id do not matter to frames. */
  onevent(data: string): void;
  /** A comment. */
  oncomment(): void;
}

/** Parses one stream. */
export class EventStream {
  readonly #events: EventStreamEvents;
  readonly #decoder = new TextDecoder();
  readonly #limit: number;
  #line = "";
  #data: string[] = [];
  #size = 0;
  #afterCr = false;

  /** `limit` is the longest event that is taken, in characters. */
  constructor(events: EventStreamEvents, limit: number) {
    this.#events = events;
    this.#limit = limit;
  }

  /** Takes the next bytes. Throws when an event is longer than the limit. */
  push(bytes: Uint8Array): void {
    const text = this.#decoder.decode(bytes, { stream: true });
    let begin = 0;
    for (let end = 0; end < text.length; end++) {
      const character = text[end];
      if (character === "\n" && this.#afterCr && end === begin) {
        begin = end + 1; // The second half of CRLF.
      } else if (character === "\n" || character === "\r") {
        this.#endLine(this.#line + text.slice(begin, end));
        begin = end + 1;
      }
      this.#afterCr = character === "\r";
    }
    this.#keep(text.slice(begin));
  }

  #keep(rest: string): void {
    this.#line += rest;
    this.#checkSize(this.#line.length);
  }

  #checkSize(more: number): void {
    if (this.#size + more > this.#limit) {
      throw new RangeError(`an event is longer than ${this.#limit} characters`);
    }
  }

  #endLine(line: string): void {
    this.#line = "";
    if (line === "") {
      this.#endEvent();
    } else if (line.startsWith(":")) {
      this.#events.oncomment();
    } else if (line.startsWith("data:")) {
      this.#addData(line.slice(line[5] === " " ? 6 : 5));
    } else if (line === "data") {
      this.#addData("");
    }
  }

  #addData(data: string): void {
    this.#checkSize(data.length);
    this.#size += data.length + 1;
    this.#data.push(data);
  }

  #endEvent(): void {
    if (this.#data.length > 0) {
      const data = this.#data.join("\n");
      this.#data = [];
      this.#size = 0;
      this.#events.onevent(data);
    }
  }
}
