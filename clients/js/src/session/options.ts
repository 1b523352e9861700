/** What a session is made of. Nothing here decides anything. */

/** The session's options. Times are in milliseconds. */
export interface SessionOptions {
  /** The server's address, as the application gave it. */
  readonly home: string;
  readonly agent: string;
  readonly token: string | undefined;
  /** Whether the application can be asked for tokens. */
  readonly fetches: boolean;
  readonly backoffMin: number;
  readonly backoffMax: number;
  /** How long one try to connect may take. */
  readonly connectTimeout: number;
  /** How long a command may wait for its answer. */
  readonly timeout: number;
  /** How many commands may wait for their answers. */
  readonly queue: number;
  /** How many bytes of published data may wait. */
  readonly queueBytes: number;
  /** Numbers in [0, 1). */
  readonly random: () => number;
}
