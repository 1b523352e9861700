/**
 * Reads and writes messages by a table of their fields. The tables are in `schema.ts`.
 */

import { Reader, Writer, type Value } from "./varint.js";

/** How a field's value is written. `json` is a JSON text, on the way in only. */
export type Kind = "string" | "number" | "boolean" | "bytes" | "json" | "map" | Schema;

/** How often a field is there: `always` means that its absence stands for the kind's zero. */
export type Presence = "always" | "maybe" | "list";

/** One field: number, kind and presence. */
export type Field = readonly [number, Kind, Presence];

/** The fields of a message by the names that the JSON wire gives them. */
export interface Schema {
  readonly [name: string]: Field;
}

/** A message as plain data. */
export type Message = Record<string, unknown>;

const text = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Writes a message. */
export function write(schema: Schema, message: Message): Uint8Array {
  const writer = new Writer();
  for (const [name, [number, kind, presence]] of Object.entries(schema)) {
    const value = message[name];
    if (value !== undefined) {
      const values = presence === "list" ? (value as unknown[]) : [value];
      values.forEach((one) => writeField(writer, number, kind, one));
    }
  }
  return writer.finish();
}

function writeField(writer: Writer, number: number, kind: Kind, value: unknown): void {
  if (kind === "number" || kind === "boolean") {
    writer.number(number, Number(value));
  } else if (kind === "bytes") {
    writer.bytes(number, value as Uint8Array);
  } else if (kind === "map") {
    for (const [key, content] of Object.entries(value as Record<string, string>)) {
      writer.bytes(number, write(ENTRY, { key, content }));
    }
  } else if (typeof kind === "object") {
    writer.bytes(number, write(kind, value as Message));
  } else {
    writer.bytes(number, text.encode(value as string));
  }
}

/** One entry of a map. */
const ENTRY: Schema = { key: [1, "string", "always"], content: [2, "string", "always"] };

/** Reads a message. Unknown fields are passed over. Throws when it is none. */
export function read(schema: Schema, bytes: Uint8Array): Message {
  const message = zero(schema);
  const byNumber = new Map(Object.entries(schema).map(([name, field]) => [field[0], name]));
  for (const reader = new Reader(bytes); !reader.done;) {
    const [number, value] = reader.field();
    const name = byNumber.get(number);
    const field = name === undefined ? undefined : schema[name];
    if (name !== undefined && field !== undefined) {
      readField(message, name, field, value);
    }
  }
  return message;
}

function readField(message: Message, name: string, [, kind, presence]: Field, value: Value): void {
  if (kind === "map") {
    const { key, content } = read(ENTRY, wanted(value));
    message[name] = { ...(message[name] as object | undefined), [key as string]: content };
  } else if (presence === "list") {
    (message[name] as unknown[]).push(readValue(kind, value));
  } else {
    message[name] = readValue(kind, value);
  }
}

function readValue(kind: Kind, value: Value): unknown {
  if (kind === "number" || kind === "boolean") {
    if (typeof value !== "number") {
      throw new TypeError("a number is written as something else");
    }
    return kind === "number" ? value : value !== 0;
  }
  const bytes = wanted(value);
  if (kind === "bytes") {
    return bytes.slice();
  }
  if (typeof kind === "object") {
    return read(kind, bytes);
  }
  const decoded = utf8.decode(bytes);
  return kind === "json" ? (JSON.parse(decoded) as unknown) : decoded;
}

function wanted(value: Value): Uint8Array {
  if (value instanceof Uint8Array) {
    return value;
  }
  throw new TypeError("a text or message is written as a number");
}

const ZERO: Record<string, unknown> = { string: "", number: 0, boolean: false };

function zero(schema: Schema): Message {
  const message: Message = {};
  for (const [name, [, kind, presence]] of Object.entries(schema)) {
    if (presence === "list") {
      message[name] = [];
    } else if (presence === "always" && typeof kind === "string") {
      message[name] = ZERO[kind];
    }
  }
  return message;
}
