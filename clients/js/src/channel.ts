/** Names of channels: what is allowed in one. The server's rule, applied before it is asked. */

import { codes } from "./codes.js";
import { MartletError } from "./error.js";

/** The longest channel name, in bytes. */
export const CHANNEL_NAME_BYTES_MAX = 255;

/**
 * Blanks and control characters, line separators, marks that turn the reading direction, and
 * halves of characters, which no UTF-8 can carry.
 */
const FORBIDDEN = /[\p{Cc}\p{White_Space}\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\p{Cs}]/u;

/** Checks a channel's name, so that a mistake concerns its own command and no other. */
export function checkChannel(channel: string): void {
  const bytes = new TextEncoder().encode(channel).length;
  if (bytes === 0 || bytes > CHANNEL_NAME_BYTES_MAX || FORBIDDEN.test(channel)) {
    throw new MartletError({
      code: codes.channel_invalid,
      name: "channel_invalid",
      message: "This is not a channel name.",
      hint: `Use 1 to ${CHANNEL_NAME_BYTES_MAX} bytes without blanks and control characters.`,
      channel,
    });
  }
}
