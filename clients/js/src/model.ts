/**
 * The nouns an application meets: publications, positions, members. Plain data, as the protocol
 * page names them; nothing here does anything.
 */

/** A place in a channel's history: everything up to and including `offset` is behind it. */
export interface Position {
  /** The identity of the history; a new one means that old offsets mean nothing any more. */
  readonly epoch: string;
  /** The last publication behind this place; 0 for none. */
  readonly offset: number;
}

/** Who published. A backend publishes without one. */
export interface Publisher {
  readonly client: string;
  readonly user?: string;
}

/** One message in a channel. */
export interface Publication extends Position {
  readonly channel: string;
  /** Unique, and sortable by time. */
  readonly id: string;
  /** When the store took it, in Unix milliseconds. */
  readonly time: number;
  /** The event name. */
  readonly name?: string;
  /** The publisher's own mark. */
  readonly ref?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** Absent when the backend published. */
  readonly from?: Publisher;
  /** The message, when it is JSON. */
  readonly data?: unknown;
  /** The message, when it is bytes. */
  readonly bytes?: Uint8Array;
}

/** A client that is in a channel. */
export interface Member {
  readonly client: string;
  readonly user?: string;
  /** What its token says about it. */
  readonly info?: unknown;
}

/** A member that came or went. */
export interface MemberChange extends Member {
  readonly channel: string;
}

/** The server's receipt for a publication. */
export interface Published extends Position {
  readonly channel: string;
  readonly id: string;
  readonly time: number;
  /** The key was used before: this is the receipt of the first publication. */
  readonly duplicate?: boolean;
}

/** A subscription has begun, or begun again. */
export interface Subscribed extends Position {
  readonly channel: string;
  /** The newest offset at that moment; what lies between `offset` and it is about to come. */
  readonly head: number;
  /** A position was given and nothing is missing. */
  readonly recovered: boolean;
}

/** Publications that cannot be had any more. */
export interface Gap extends Position {
  readonly channel: string;
  readonly from: number;
  /** Absent when nobody can know it. */
  readonly to?: number;
  /**
   * `expired`, `epoch`, `not_kept` and `ahead` are the server's words; `hole` is this client's own
   * for offsets that the server skipped twice without a word.
   */
  readonly reason: "expired" | "epoch" | "not_kept" | "ahead" | "hole";
}

/** This client fell behind and is being caught up. */
export interface Lagged {
  readonly channel: string;
  readonly offset: number;
  readonly head: number;
}

/** A subscription has ended. Without `code` because the application asked for it. */
export interface Unsubscribed {
  readonly channel: string;
  readonly code?: number;
  readonly name?: string;
  readonly message?: string;
}

/** A page of history. */
export interface HistoryPage extends Position {
  readonly channel: string;
  readonly publications: readonly Publication[];
  /** Whether there are more beyond this page. */
  readonly more: boolean;
}

/** Who is in a channel. */
export interface Presence {
  readonly channel: string;
  readonly members: readonly Member[];
  /** How many there are, when `members` is cut at the server's limit. */
  readonly count: number;
}
