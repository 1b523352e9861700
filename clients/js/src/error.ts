/**
 * The one error that promises of this client are rejected with. It carries what the server said,
 * or, with code 0, what this client has to say by itself.
 */

import type { Refused } from "./wire.js";

/** Why a command was not done, and what to do about it. */
export class MartletError extends Error {
  /** The number from the table of codes; 0 when the client itself gave up. */
  readonly code: number;
  /** The code's name, such as `publish_denied`. */
  override readonly name: string;
  /** What to do about it. */
  readonly hint: string;
  /** The channel it is about. */
  readonly channel: string | undefined;
  /** Whether the same may succeed later. */
  readonly temporary: boolean;
  /** When to try again, in milliseconds. */
  readonly after: number | undefined;

  constructor(refused: Refused) {
    super(refused.message);
    this.code = refused.code;
    this.name = refused.name;
    this.hint = refused.hint ?? "";
    this.channel = refused.channel;
    this.temporary = refused.temporary ?? false;
    this.after = refused.after;
  }
}

/** What this client refuses by itself, without asking the server. */
const OWN = {
  closed: ["The client is closed.", "Make a new client.", false],
  stopped: ["The client is not connected and does not try to be.", "Call connect first.", false],
  queue_full: [
    "Too much is waiting for the connection.",
    "Publish again when the client is connected, or raise the queue option.",
    true,
  ],
  disconnected: ["The connection was lost before the answer.", "Try again.", true],
  timeout: [
    "No answer came in time.",
    "A publication may have been taken all the same: publish it again with the same key.",
    true,
  ],
  frame_too_large: [
    "The command is larger than the server takes.",
    "Send less at once, or raise limits.frame_bytes.",
    false,
  ],
  already_subscribed: [
    "This client follows the channel already.",
    "Use the subscription that client.subscription(channel) gives.",
    false,
  ],
  not_published: ["This cannot be published.", "See what the data is made of.", false],
  token_failed: ["No token could be had.", "See what getToken throws.", true],
} as const satisfies Record<string, readonly [string, string, boolean]>;

/** The names of this client's own refusals. */
export type OwnRefusal = keyof typeof OWN;

/** One of this client's own refusals as an error. */
export function refusal(name: OwnRefusal, detail?: string, channel?: string): MartletError {
  const [sentence, hint, temporary] = OWN[name];
  const message = detail === undefined ? sentence : `${sentence} (${detail})`;
  const about = channel === undefined ? {} : { channel };
  return new MartletError({ code: 0, name, message, hint, temporary, ...about });
}
