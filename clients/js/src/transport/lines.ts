/**
 * An incremental reader of lines: bytes in as they come, lines out. A chunk may end anywhere, also
 * inside a character. What a line means is not its business.
 */

/** Reads one stream. */
export class Lines {
  readonly #online: (line: string) => void;
  readonly #decoder = new TextDecoder();
  readonly #limit: number;
  #parts: string[] = [];
  #size = 0;

  /** Calls `online` with each line. `limit` is the longest that is taken, in characters. */
  constructor(online: (line: string) => void, limit: number) {
    this.#online = online;
    this.#limit = limit;
  }

  /** Takes the next bytes. Throws when a line is longer than the limit. */
  push(bytes: Uint8Array): void {
    const text = this.#decoder.decode(bytes, { stream: true });
    let begin = 0;
    for (let end; (end = text.indexOf("\n", begin)) >= 0; begin = end + 1) {
      this.#keep(text.slice(begin, end));
      this.#endLine();
    }
    this.#keep(text.slice(begin));
  }

  #keep(part: string): void {
    this.#size += part.length;
    if (this.#size > this.#limit) {
      throw new RangeError(`a line is longer than ${this.#limit} characters`);
    }
    if (part !== "") {
      this.#parts.push(part);
    }
  }

  #endLine(): void {
    const line = this.#parts.join("");
    this.#parts = [];
    this.#size = 0;
    this.#online(line.endsWith("\r") ? line.slice(0, -1) : line);
  }
}
