/** How many bytes a frame has on the wire. */

import type { Frame } from "../wire.js";

const encoder = new TextEncoder();

/** The length in bytes; that of a text in UTF-8. */
export function byteLength(frame: Frame): number {
  return typeof frame === "string" ? encoder.encode(frame).length : frame.length;
}
