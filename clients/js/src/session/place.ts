/**
 * One channel that the client follows: its place in the stream, and what each event of the channel
 * means from there. Knows nothing of other channels, frames or time.
 */

import { Backoff } from "../backoff.js";
import type { Gap, Position, Publication } from "../model.js";
import type { Subscribe } from "../wire.js";

/** How a subscription begins. */
export interface PlaceOptions {
  readonly position?: Position | undefined;
  readonly since?: number | undefined;
  readonly token?: string | undefined;
  /** Whether the application can be asked for tokens of this channel. */
  readonly fetches: boolean;
}

/** What to do with a publication. */
export type Verdict = "deliver" | "drop" | "hole";

/** The client's place in one channel. */
export class Place {
  readonly channel: string;
  readonly fetches: boolean;
  /** Waits between tries after refusals that may pass. */
  readonly backoff = new Backoff(500, 30_000);
  /** The position of the last publication, once there is one. */
  position: Position | undefined;
  token: string | undefined;
  /** Whether `token` came since the last refusal, so that fetching once more would not help. */
  fresh = false;
  /** Whether the application is being asked for a token. */
  fetching = false;
  /** Whether the server let the client in before, so that a grant is enough to come back. */
  admitted = false;
  /** The number of the `subscribe` that is not answered yet; 0 for none. */
  asked = 0;
  /** Whether the stream flows. */
  live = false;
  /** Whether it is asked for by itself, because together with others it was refused. */
  alone = false;
  /** When to subscribe again after a refusal that may pass. */
  retryAt = Infinity;
  /** When to fetch the next token of this channel. */
  refreshAt = Infinity;
  /** The number of the `refresh` that is not answered yet; 0 for none. */
  refreshing = 0;
  readonly #since: number | undefined;
  /** The position that the move to another transport named, while the stream is not there yet. */
  #moved: Position | undefined;
  /** How far the old transport brought the stream before the new one took over. */
  #arrived: Position | undefined;
  #hole: string | undefined;

  constructor(channel: string, options: PlaceOptions) {
    this.channel = channel;
    this.position = options.position;
    this.#since = options.since;
    this.token = options.token;
    this.fetches = options.fetches;
  }

  /** Whether a token must be fetched before subscribing. */
  wantsToken(withGrant: boolean): boolean {
    return this.fetches && this.token === undefined && !this.fresh && !(withGrant && this.admitted);
  }

  /** Where to begin, for `subscribe`. */
  get start(): Subscribe {
    const token = this.token === undefined ? {} : { token: this.token };
    const since = this.#since === undefined ? {} : { since: this.#since };
    return { channel: this.channel, ...token, ...(this.position ?? since) };
  }

  /**
   * The stream begins after `position`. Returns whether it merely goes on over another transport;
   * then what the old one brought meanwhile counts, and comes once more at most to be dropped.
   */
  begin({ epoch, offset }: Position): boolean {
    const moved = this.#moved;
    const goesOn = moved !== undefined && moved.epoch === epoch && moved.offset <= offset;
    this.#moved = undefined;
    this.#arrived = goesOn ? this.position : undefined;
    if (!goesOn || offset > (this.position?.offset ?? 0)) {
      this.position = { epoch, offset };
    }
    this.asked = 0;
    this.live = true;
    this.alone = false;
    this.admitted = true;
    this.fresh = false;
    this.retryAt = Infinity;
    this.backoff.reset();
    return goesOn;
  }

  /**
   * Another transport has taken over. The stream was asked for after `start` by the command `id`,
   * or is yet to be asked for.
   */
  move(id: number, start: Subscribe | undefined): void {
    const { live } = this;
    this.detach();
    this.asked = start === undefined ? 0 : id;
    const { epoch, offset } = start ?? this.start;
    if (live && epoch !== undefined && offset !== undefined) {
      this.#moved = { epoch, offset };
    }
  }

  /** The connection is lost. */
  detach(): void {
    this.#moved = this.#arrived = undefined;
    this.asked = 0;
    this.live = false;
    this.refreshing = 0;
    this.refreshAt = Infinity;
    this.retryAt = Infinity;
  }

  /**
   * Publications are gone for good, and the stream goes on behind them. Returns what of the gap is
   * one: after a move it may name publications that the old transport brought.
   */
  skip(gap: Gap): Gap | undefined {
    const arrived = this.#arrived;
    const { epoch, offset } = gap;
    if (arrived === undefined || arrived.epoch !== epoch || gap.reason === "ahead") {
      this.position = { epoch, offset };
      return gap;
    }
    if (offset > arrived.offset) {
      this.position = { epoch, offset };
    }
    const from = Math.max(gap.from, arrived.offset + 1);
    return gap.to !== undefined && from > gap.to ? undefined : { ...gap, from };
  }

  /** Looks at a publication; the place moves on when it is to be delivered. */
  take(publication: Publication): Verdict {
    const { epoch, offset } = publication;
    const here = this.position;
    if (!this.live || here === undefined) {
      return "drop";
    }
    if (epoch === here.epoch && offset <= here.offset) {
      return "drop";
    }
    if (epoch !== here.epoch || offset > here.offset + 1) {
      return "hole";
    }
    this.position = { epoch, offset };
    this.#arrived = undefined;
    return "deliver";
  }

  /** Whether the hole at this place was met before, so that asking again would go in circles. */
  metHole(): boolean {
    const here = `${this.position?.offset} ${this.position?.epoch}`;
    const again = this.#hole === here;
    this.#hole = here;
    return again;
  }
}
