/**
 * The cursor: a client's position in every channel it follows, as one text, the same that plain
 * streams give in their `id:` lines.
 *
 * `42.k3f9x2ab.news~7.0a1b2c3d.room:1` — offset, epoch and channel, joined by `.` and parted by
 * `~`, with everything else in a channel's name percent-encoded.
 */

import type { Position } from "./model.js";

/** The longest cursor text, in bytes. It has to fit a request's head. */
export const CURSOR_BYTES_MAX = 16 * 1024;

const PART = /^(\d{1,16})\.([0-9a-z]{8})\.(.+)$/s;

/** Writes positions as a cursor. */
export function formatCursor(positions: Iterable<readonly [string, Position]>): string {
  const parts = [...positions].map(
    ([channel, { epoch, offset }]) => `${offset}.${epoch}.${escape(channel)}`,
  );
  return parts.join("~");
}

/** Reads a cursor. The last position of a channel counts. Throws when it is not a cursor. */
export function parseCursor(text: string): Map<string, Position> {
  if (text.length > CURSOR_BYTES_MAX) {
    throw new RangeError(`a cursor has at most ${CURSOR_BYTES_MAX} bytes`);
  }
  const parts = text.split("~").filter((part) => part !== "");
  return new Map(parts.map(parsePart));
}

function parsePart(part: string, index: number): [string, Position] {
  const [, offset, epoch, channel] = PART.exec(part) ?? [];
  if (offset === undefined || epoch === undefined || channel === undefined) {
    throw notAPart(index);
  }
  try {
    return [decodeURIComponent(channel), { epoch, offset: Number(offset) }];
  } catch {
    throw notAPart(index);
  }
}

function notAPart(index: number): RangeError {
  return new RangeError(
    `a cursor is made of offset.epoch.channel parts joined by ~; part ${index + 1} is not one`,
  );
}

function escape(channel: string): string {
  const bytes = new TextEncoder().encode(channel);
  return Array.from(bytes, escapeByte).join("");
}

function escapeByte(byte: number): string {
  const character = String.fromCharCode(byte);
  const plain = /[A-Za-z0-9_:-]/.test(character);
  return plain ? character : `%${byte.toString(16).padStart(2, "0")}`;
}
