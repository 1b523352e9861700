/** Protobuf's wire format: varints, fields and lengths. Knows no message. */

/** Writes one message. */
export class Writer {
  readonly #bytes: number[] = [];

  /** A whole number from 0 up to 2^53. */
  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes.push((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes.push(rest);
  }

  /** A field that holds a number. */
  number(field: number, value: number): void {
    this.varint(field * 8);
    this.varint(value);
  }

  /** A field that holds bytes: a text, a message or bytes. */
  bytes(field: number, value: Uint8Array): void {
    this.varint(field * 8 + 2);
    this.delimited(value);
  }

  /** Bytes after their length. */
  delimited(value: Uint8Array): void {
    this.varint(value.length);
    for (const byte of value) {
      this.#bytes.push(byte);
    }
  }

  /** What was written. */
  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

/** What a field holds. Fields of fixed width are known only to be stepped over. */
export type Value = number | Uint8Array | undefined;

/** Reads one message. Throws at its first mistake. */
export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Whether all is read. */
  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** A whole number below 2^53. */
  varint(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 64; scale *= 0x80) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) {
        throw new RangeError("a varint is cut off");
      }
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        return safe(value);
      }
    }
    throw new RangeError("a varint has more than ten bytes");
  }

  /** Bytes after their length. They are not copied. */
  delimited(): Uint8Array {
    return this.#take(this.varint());
  }

  /** The next field's number and value. */
  field(): [number, Value] {
    const key = this.varint();
    return [Math.floor(key / 8), this.#value(key % 8)];
  }

  #value(kind: number): Value {
    switch (kind) {
      case 0:
        return this.varint();
      case 2:
        return this.delimited();
      case 1:
        return void this.#take(8);
      case 5:
        return void this.#take(4);
      default:
        throw new RangeError(`there is no wire type ${kind}`);
    }
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) {
      throw new RangeError("a field is cut off");
    }
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

function safe(value: number): number {
  if (value > Number.MAX_SAFE_INTEGER) {
    throw new RangeError("a number is larger than 2^53");
  }
  return value;
}
