/**
 * A room as one pane follows it: what was said before, and the timeline since. One client after
 * another may carry it; what was not published by the one is published by the next, once.
 */

import { Timeline, type Entry, type Martlet, type Subscribed, type Subscription } from "martlet";

/** How much of what was said before is shown. */
const EARLIER = 30;
/** How many entries are kept. */
const ENTRIES_MAX = 300;

/** What a room tells. */
export interface RoomEvents {
  /** The entries have changed. */
  onchange(): void;
  /** What was said before cannot be read. */
  onerror(error: unknown): void;
}

/** One room. */
export class Room {
  readonly name: string;
  readonly #events: RoomEvents;
  #timeline: Timeline | undefined;
  #earlier: Entry[] = [];
  /** What `#earlier` holds: a client that takes over may be told the last of it again. */
  #known = new Set<string>();
  #loaded = false;
  /** The idempotency keys of what was said here, which are the same whoever carries it. */
  readonly #keys = new Map<string, string>();

  constructor(name: string, events: RoomEvents) {
    this.name = name;
    this.#events = events;
  }

  /** Everything, in order: what has settled, and then what is on its way or failed. */
  get entries(): readonly Entry[] {
    const since = this.#timeline?.entries ?? [];
    const fresh = since.filter(({ publication }) => !this.#known.has(publication?.id ?? ""));
    return [...this.#earlier, ...fresh].slice(-ENTRIES_MAX);
  }

  /** Follows the room by a client that may go on where the one before was. */
  follow(client: Martlet): Subscription {
    const before = this.entries;
    this.#timeline?.close();
    this.#keep(before.filter(({ state }) => state === "settled"));
    const timeline = new Timeline(client, this.name, { limit: ENTRIES_MAX });
    this.#timeline = timeline;
    timeline.on("change", () => (timeline === this.#timeline ? this.#events.onchange() : undefined));
    timeline.subscription.once("subscribed", (begun) => void this.#loadEarlier(client, begun));
    before
      .filter(({ state }) => state !== "settled")
      .forEach(({ id, data }) => this.#publish(timeline, data, this.#keys.get(id)));
    return timeline.subscription;
  }

  /** Says something. It stands there at once. */
  say(data: { readonly name: string; readonly text: string }): void {
    if (this.#timeline !== undefined) {
      this.#publish(this.#timeline, data);
    }
  }

  /** Tries once more what failed. */
  retry(id: string): void {
    this.#timeline?.retry(id);
  }

  /** Takes away what failed. */
  drop(id: string): void {
    this.#timeline?.drop(id);
  }

  /** Follows the room no more. */
  leave(): void {
    this.#timeline?.close();
    this.#timeline = undefined;
  }

  #publish(timeline: Timeline, data: unknown, key: string = crypto.randomUUID()): void {
    const { id } = timeline.publish(data, { name: "message", key });
    this.#keys.set(id, key);
  }

  #keep(entries: readonly Entry[]): void {
    this.#earlier = entries.slice(-ENTRIES_MAX);
    this.#known = new Set(this.#earlier.map(({ publication }) => publication?.id ?? ""));
    this.#known.delete("");
  }

  /** What was said before the subscription began, and is not there yet. */
  async #loadEarlier(client: Martlet, { epoch, offset }: Subscribed): Promise<void> {
    if (this.#loaded) {
      return;
    }
    try {
      const page = await client.history(this.name, { limit: EARLIER, reverse: true });
      const before = page.publications.filter((one) => one.epoch === epoch && one.offset <= offset);
      this.#loaded = true;
      const entries = before.reverse().map((publication): Entry => {
        const data = publication.bytes ?? publication.data;
        return { id: publication.id, own: false, state: "settled", data, publication };
      });
      this.#keep([...entries.filter(({ id }) => !this.#known.has(id)), ...this.#earlier]);
      this.#events.onchange();
    } catch (error) {
      this.#events.onerror(error);
    }
  }
}
