/**
 * All channels that the client follows. Keeps each subscription going over lost connections, late
 * tokens and refusals that pass, and turns the channels' events into what listeners are told.
 */

import { codes } from "../codes.js";
import { MartletError, refusal } from "../error.js";
import type { Gap, Lagged, MemberChange, Position, Publication, Unsubscribed } from "../model.js";
import type { Event, Events, Refused, Subscribe } from "../wire.js";
import type { Outbox } from "./output.js";
import { Place, type PlaceOptions } from "./place.js";
import { expiryOf, refreshTime } from "./token.js";

/** Refusals that a newer token may mend. */
const TOKEN_REFUSED = new Set<number>([
  codes.token_missing,
  codes.token_invalid,
  codes.token_expired,
  codes.subscribe_denied,
]);

/** About how many bytes of subscriptions go into one command, well below any server's limit. */
const SUBSCRIBE_BYTES = 24 * 1024;

/** The client's places, by channel, in the order the application named them. */
export class Places {
  readonly #places = new Map<string, Place>();
  readonly #outbox: Outbox;
  readonly #random: () => number;
  /** What the last `askToMove` gave, by its place. */
  readonly #moving = new Map<Place, Subscribe>();
  /** What to add to the client's clock to get the server's. */
  #skew = 0;
  /** Whether there may be something to ask for. */
  changed = false;

  constructor(outbox: Outbox, random: () => number) {
    this.#outbox = outbox;
    this.#random = random;
  }

  /** Whether the client follows `channel`. */
  has(channel: string): boolean {
    return this.#places.has(channel);
  }

  /** Every channel with its position, where there is one. */
  *positions(): IterableIterator<[string, Position]> {
    for (const { channel, position } of this.#places.values()) {
      if (position !== undefined) {
        yield [channel, position];
      }
    }
  }

  /** The application wants to follow a channel that it does not follow yet. */
  add(channel: string, options: PlaceOptions): void {
    this.#places.set(channel, new Place(channel, options));
    this.changed = true;
  }

  /** The application wants to follow a channel no more. `live`: there is a connection. */
  remove(channel: string, live: boolean): void {
    const place = this.#places.get(channel);
    if (place === undefined) {
      return;
    }
    if (live && (place.live || place.asked !== 0)) {
      this.#outbox.send({ id: 0, name: "unsubscribe", body: [channel] });
    }
    this.#end(place, { channel });
  }

  /** The client is closed: every subscription ends. */
  removeAll(): void {
    for (const place of [...this.#places.values()]) {
      this.#end(place, { channel: place.channel });
    }
  }

  /** The server told its time. */
  handleTime(now: number, time: number): void {
    this.#skew = time - now;
  }

  /** The connection is lost; every place waits where it is. */
  handleDetached(): void {
    for (const place of this.#places.values()) {
      place.detach();
    }
    this.changed = true;
  }

  /**
   * The subscriptions that can be asked for in one command, marked as asked by its number `id`.
   * Those that need a token first have it fetched. `changed` says whether there are more.
   */
  ask(now: number, id: number, withGrant: boolean): Subscribe[] {
    this.changed = false;
    const due = [...this.#places.values()].filter((place) => this.#due(now, place, withGrant));
    const [first] = due;
    if (first?.alone === true) {
      this.changed = due.length > 1;
      return [askedBy(id, first)];
    }
    return this.#askTogether(id, due);
  }

  /** The same for `connect`, which must not fail for one channel's sake. */
  askInConnect(now: number, id: number, withGrant: boolean): Subscribe[] {
    const due = [...this.#places.values()].filter((place) => this.#due(now, place, withGrant));
    return this.#askTogether(id, due);
  }

  #askTogether(id: number, due: Place[]): Subscribe[] {
    const asked: Subscribe[] = [];
    let room = SUBSCRIBE_BYTES;
    for (const place of due) {
      room -= sizeOf(place.start);
      if (place.alone || (room < 0 && asked.length > 0)) {
        this.changed = true;
      } else {
        asked.push(askedBy(id, place));
      }
    }
    return asked;
  }

  /**
   * The streams that flow or are asked for, with their positions at this moment, for a transport
   * that may take over. Nothing changes until `handleMoved`; until then the old one delivers. A
   * stream without a position is left to begin on the old one, and asked for later from there.
   */
  askToMove(now: number): Subscribe[] {
    this.#moving.clear();
    let room = SUBSCRIBE_BYTES;
    for (const place of this.#places.values()) {
      this.#dropExpiredToken(now, place);
      const flows = place.position !== undefined && (place.live || place.asked !== 0);
      room -= flows ? sizeOf(place.start) : 0;
      if (flows && room >= 0 && !place.alone && !place.wantsToken(true)) {
        this.#moving.set(place, place.start);
      }
    }
    return [...this.#moving.values()];
  }

  /** The transport that was given these streams by the command `id` has taken over. */
  handleMoved(id: number): void {
    for (const place of this.#places.values()) {
      place.move(id, this.#moving.get(place));
      this.#moving.delete(place);
    }
    // These were ended by the application while the move was under way.
    const body = [...this.#moving.keys()].map(({ channel }) => channel);
    if (body.length > 0) {
      this.#outbox.send({ id: 0, name: "unsubscribe", body });
    }
    this.#moving.clear();
    this.changed = true;
  }

  /**
   * The command `id` was refused as a whole, perhaps for one channel's sake: each of its channels
   * is asked for by itself from now on. Returns whether that is something new to try.
   */
  separate(id: number): boolean {
    const asked = [...this.#places.values()].filter((place) => place.asked === id && !place.alone);
    for (const place of asked) {
      place.asked = 0;
      place.alone = true;
    }
    this.changed = true;
    return asked.length > 0;
  }

  #due(now: number, place: Place, withGrant: boolean): boolean {
    const waits = place.retryAt !== Infinity && place.retryAt > now;
    if (place.live || place.asked !== 0 || place.fetching || waits) {
      return false;
    }
    this.#dropExpiredToken(now, place);
    if (place.wantsToken(withGrant)) {
      this.#fetch(place);
      return false;
    }
    return true;
  }

  #dropExpiredToken(now: number, place: Place): void {
    const expires = place.token === undefined ? undefined : expiryOf(place.token);
    if (place.fetches && expires !== undefined && expires <= now + this.#skew) {
      place.token = undefined;
      place.fresh = false;
    }
  }

  #fetch(place: Place): void {
    place.refreshAt = Infinity;
    if (!place.fetching) {
      place.fetching = true;
      this.#outbox.put({ do: "fetch_token", channel: place.channel });
    }
  }

  /** The application gave a token for a channel, or an error. */
  handleToken(now: number, channel: string, token: string | undefined, error?: unknown): void {
    const place = this.#places.get(channel);
    if (place === undefined || !place.fetching) {
      return;
    }
    place.fetching = false;
    this.changed = true;
    if (error !== undefined) {
      this.#handleFetchFailed(now, place, error);
      return;
    }
    place.token = token;
    place.fresh = true;
    place.retryAt = Infinity;
    if (place.live && token !== undefined) {
      place.refreshing = this.#outbox.ask("refresh", { channel, token });
      this.#scheduleRefresh(now, place, undefined);
    }
  }

  #handleFetchFailed(now: number, place: Place, error: unknown): void {
    const wait = place.backoff.next(this.#random());
    if (place.live) {
      place.refreshAt = now + wait;
    } else {
      place.retryAt = now + wait;
    }
    const detail = error instanceof Error ? error.message : String(error);
    const body = refusal("token_failed", detail, place.channel);
    this.#outbox.tell(place.channel, { name: "error", body });
  }

  #scheduleRefresh(now: number, place: Place, expires: number | undefined): void {
    const end = expires ?? (place.token === undefined ? undefined : expiryOf(place.token));
    const refreshes = place.fetches && end !== undefined;
    place.refreshAt = refreshes ? refreshTime(now, end - this.#skew) : Infinity;
  }

  /** An event about a channel came. */
  handleEvent(now: number, event: Event): void {
    switch (event.name) {
      case "publication":
        return this.handlePublication(event.body);
      case "subscribed":
        return this.handleSubscribed(now, event.id, event.body);
      case "unsubscribed":
        return this.handleUnsubscribed(event.body);
      case "gap":
        return this.handleGap(event.body);
      case "lagged":
        return this.handleLagged(event.body);
      case "join":
      case "leave":
        return this.handleMember(event.name, event.body);
    }
  }

  /** A stream begins. */
  handleSubscribed(now: number, id: number, subscribed: Events["subscribed"]): void {
    const { channel } = subscribed;
    let place = this.#places.get(channel);
    if (place === undefined && id === 0) {
      place = new Place(channel, { fetches: false });
      this.#places.set(channel, place);
      this.#outbox.put({ do: "begin", channel });
    }
    if (place === undefined || (id !== 0 && place.asked !== id)) {
      return; // The application has thought better of it since.
    }
    const goesOn = place.begin(subscribed);
    this.#scheduleRefresh(now, place, subscribed.expires);
    if (!goesOn) {
      this.#outbox.tell(channel, { name: "subscribed", body: subscribed });
    }
  }

  /** A publication came. */
  handlePublication(publication: Publication): void {
    const place = this.#places.get(publication.channel);
    const verdict = place?.take(publication) ?? "drop";
    if (place !== undefined && verdict === "hole") {
      this.#handleHole(place, publication);
    } else if (verdict === "deliver") {
      this.#outbox.tell(publication.channel, { name: "publication", body: publication });
    }
  }

  /**
   * The server skipped offsets without a word. That should not be, so the stream is asked for once
   * more from the last position; if the same hole comes again, it is told as a gap.
   */
  #handleHole(place: Place, publication: Publication): void {
    if (!place.metHole()) {
      this.#resubscribe(place);
      return;
    }
    const { channel, epoch, offset } = publication;
    const same = place.position?.epoch === epoch;
    const from = (place.position?.offset ?? 0) + 1;
    const before = { epoch, offset: offset - 1 };
    const to = same ? { to: before.offset } : {};
    this.handleGap({ channel, from, ...to, reason: "hole", ...before });
    this.handlePublication(publication);
  }

  #resubscribe(place: Place): void {
    place.detach();
    this.changed = true;
    this.#outbox.send({ id: 0, name: "unsubscribe", body: [place.channel] });
  }

  /** Publications are gone for good. */
  handleGap(gap: Gap): void {
    const place = this.#places.get(gap.channel);
    const body = place?.live === true ? place.skip(gap) : undefined;
    if (body !== undefined) {
      this.#outbox.tell(gap.channel, { name: "gap", body });
    }
  }

  /** The client fell behind. */
  handleLagged(lagged: Lagged): void {
    if (this.#places.get(lagged.channel)?.live === true) {
      this.#outbox.tell(lagged.channel, { name: "lagged", body: lagged });
    }
  }

  /** Somebody came or went. */
  handleMember(name: "join" | "leave", body: MemberChange): void {
    if (this.#places.get(body.channel)?.live === true) {
      this.#outbox.tell(body.channel, { name, body });
    }
  }

  /** The server ended a subscription. */
  handleUnsubscribed(unsubscribed: Unsubscribed): void {
    const place = this.#places.get(unsubscribed.channel);
    if (place === undefined || !place.live) {
      return;
    }
    if (unsubscribed.code === codes.token_expired && place.fetches) {
      place.detach();
      this.#forgetToken(place);
    } else {
      this.#end(place, unsubscribed);
    }
  }

  /** Something about a channel was refused. Returns whether it concerned a place. */
  handleRefused(now: number, id: number, refused: Refused): boolean {
    const place = this.#concerned(id, refused.channel);
    if (place === undefined || id === 0) {
      return id !== 0 && this.separate(id);
    }
    if (place.refreshing === id) {
      place.refreshing = 0;
      this.#handleRefreshRefused(now, place, refused);
      return true;
    }
    if (place.asked === id) {
      place.asked = 0;
      this.#handleSubscribeRefused(now, place, refused);
      return true;
    }
    return false;
  }

  /** The place that is meant; without a channel's name, the only one that was asked for. */
  #concerned(id: number, channel: string | undefined): Place | undefined {
    if (channel !== undefined) {
      return this.#places.get(channel);
    }
    const concerned = [...this.#places.values()].filter((place) => place.asked === id);
    return concerned.length === 1 ? concerned[0] : undefined;
  }

  #handleRefreshRefused(now: number, place: Place, refused: Refused): void {
    place.refreshAt = now + place.backoff.next(this.#random());
    this.#outbox.tell(place.channel, { name: "error", body: new MartletError(refused) });
  }

  #handleSubscribeRefused(now: number, place: Place, refused: Refused): void {
    if (TOKEN_REFUSED.has(refused.code) && place.fetches && !place.fresh) {
      this.#forgetToken(place);
      return;
    }
    if (refused.code === codes.already_subscribed && !place.metHole()) {
      this.#resubscribe(place);
      return;
    }
    this.#outbox.tell(place.channel, { name: "error", body: new MartletError(refused) });
    if (refused.temporary === true) {
      place.retryAt = now + Math.max(refused.after ?? 0, place.backoff.next(this.#random()));
    } else {
      const { channel } = place;
      const { code, name, message } = refused;
      this.#end(place, { channel, code, name, message });
    }
  }

  /** A channel's newer token was taken. */
  handleRefreshed(now: number, channel: string, expires: number | undefined): void {
    const place = this.#places.get(channel);
    if (place !== undefined) {
      place.refreshing = 0;
      place.fresh = false;
      place.backoff.reset();
      this.#scheduleRefresh(now, place, expires);
    }
  }

  #forgetToken(place: Place): void {
    this.changed = true;
    place.token = undefined;
    place.fresh = false;
    place.admitted = false;
  }

  #end(place: Place, body: Unsubscribed): void {
    this.#places.delete(place.channel);
    this.#outbox.tell(place.channel, { name: "unsubscribed", body });
  }

  /** Fetches the tokens that are due on a live connection. */
  handleTimeout(now: number): void {
    for (const place of this.#places.values()) {
      if (place.refreshAt <= now) {
        this.#fetch(place);
      }
      if (place.retryAt <= now) {
        place.retryAt = Infinity;
        this.changed = true;
      }
    }
  }

  /** When a place next wants something. */
  get deadline(): number {
    let deadline = Infinity;
    for (const place of this.#places.values()) {
      deadline = Math.min(deadline, place.retryAt, place.refreshAt);
    }
    return deadline;
  }
}

function askedBy(id: number, place: Place): Subscribe {
  place.asked = id;
  return place.start;
}

/** At least what a codec will need for it: every character may take several bytes. */
function sizeOf({ channel, token = "" }: Subscribe): number {
  return 128 + 3 * channel.length + token.length;
}
