/** Names of channels: what is allowed in one. The server's rule, applied before it is asked. */

import { codes } from "./codes.js";
import { MartletError } from "./error.js";

/** The longest channel name, in bytes. */
export const CHANNEL_NAME_BYTES_MAX = 255;

/** Line separators, marks that turn the reading direction, and what cannot be seen at all. */
const UNSEEN =
  "\\u00ad\\u061c\\u115f\\u1160\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f" +
  "\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb\\u{e0000}-\\u{e0fff}";

/** These, blanks, control characters, and halves of characters, which no UTF-8 can carry. */
const FORBIDDEN = new RegExp(`[\\p{Cc}\\p{White_Space}\\p{Cs}${UNSEEN}]`, "u");

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
