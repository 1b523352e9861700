/**
 * A channel as a list to render, in which what the application publishes stands at once: first as
 * `pending`, then in its true place, or as `failed` with the reason. Ties the ledger to a client.
 */

import { Emitter } from "./emitter.js";
import { MartletError, refusal } from "./error.js";
import type { Publication, Published } from "./model.js";
import type { PublishOptions, SubscribeOptions } from "./options.js";
import type { Subscription } from "./subscription.js";
import { Ledger, type Entry } from "./timeline/ledger.js";

export type { Entry } from "./timeline/ledger.js";

/** What a timeline tells. */
export interface TimelineEvents {
  /** The entries have changed; several changes of one moment are told together. */
  change: readonly Entry[];
}

/** Options of a timeline: those of its subscription, unless there is one already. */
export interface TimelineOptions extends SubscribeOptions {
  /** How many settled entries are kept; the oldest go first. */
  readonly limit?: number;
}

/** As much of a client as a timeline needs. */
export interface TimelineClient {
  readonly id: string | undefined;
  subscription(channel: string): Subscription | undefined;
  subscribe(channel: string, options?: SubscribeOptions): Subscription;
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<Published>;
}

const LIMIT = 1_000;

/** A list of a channel's publications, and of one's own that are on their way. */
export class Timeline extends Emitter<TimelineEvents> {
  readonly channel: string;
  /** The subscription, to listen to what a list does not show, such as gaps. */
  readonly subscription: Subscription;
  readonly #client: TimelineClient;
  readonly #ledger: Ledger;
  readonly #drafts = new Map<string, PublishOptions>();
  /** The names this client had on the server; it may get another one when it comes back. */
  readonly #names = new Set<string>();
  readonly #stops: (() => void)[];
  readonly #began: boolean;
  #told = true;

  /** The timeline of `channel`, which is subscribed to unless the client follows it already. */
  constructor(client: TimelineClient, channel: string, options: TimelineOptions = {}) {
    super();
    const { limit = LIMIT, ...subscribing } = options;
    const followed = client.subscription(channel);
    this.channel = channel;
    this.#client = client;
    this.#ledger = new Ledger(limit);
    this.#began = followed === undefined;
    this.subscription = followed ?? client.subscribe(channel, subscribing);
    this.#stops = [
      this.subscription.on("publication", (publication) => this.#handlePublication(publication)),
      this.subscription.on("subscribed", (position) =>
        this.#change(() => this.#ledger.handleSubscribed(position)),
      ),
      this.subscription.on("gap", (gap) => this.#change(() => this.#ledger.handleGap(gap))),
    ];
  }

  /** Everything, in order: what has settled, and then what is on its way or failed. */
  get entries(): readonly Entry[] {
    return this.#ledger.entries;
  }

  /** Publishes `data`, and gives the entry that stands for it from now on. */
  publish(data: unknown, options: Omit<PublishOptions, "ref"> = {}): Entry {
    const id = crypto.randomUUID();
    const entry = this.#ledger.add(id, data);
    this.#drafts.set(id, { key: id, ...options, ref: id });
    this.#send(entry);
    return entry;
  }

  /** Publishes a failed entry once more. If it was published after all, that is found out. */
  retry(id: string): boolean {
    const again = this.#ledger.retry(id);
    const entry = this.#ledger.waiting(id);
    if (again && entry !== undefined) {
      this.#send(entry);
    }
    return again;
  }

  /** Takes a failed entry away. */
  drop(id: string): boolean {
    const dropped = this.#ledger.drop(id);
    if (dropped) {
      this.#drafts.delete(id);
      this.#change(() => undefined);
    }
    return dropped;
  }

  /** Follows the channel no more, and ends the subscription if it began here. */
  close(): void {
    this.#stops.forEach((stop) => stop());
    if (this.#began) {
      this.subscription.unsubscribe();
    }
  }

  #send({ id, data }: Entry): void {
    this.#remember();
    this.#change(() => undefined);
    this.#client.publish(this.channel, data, this.#drafts.get(id)).then(
      (receipt) => this.#change(() => this.#ledger.handlePublished(id, receipt)),
      (error: unknown) => this.#change(() => this.#ledger.handleFailed(id, asMartletError(error))),
    );
  }

  #remember(): void {
    if (this.#client.id !== undefined) {
      this.#names.add(this.#client.id);
    }
  }

  #handlePublication(publication: Publication): void {
    this.#remember();
    const mine = this.#names.has(publication.from?.client ?? "");
    this.#change(() => this.#ledger.handlePublication(publication, mine));
  }

  #change(change: () => void): void {
    change();
    for (const id of this.#drafts.keys()) {
      if (this.#ledger.waiting(id) === undefined) {
        this.#drafts.delete(id);
      }
    }
    if (this.#told) {
      this.#told = false;
      queueMicrotask(() => this.#tell());
    }
  }

  #tell(): void {
    this.#told = true;
    this.emit("change", this.entries);
  }
}

function asMartletError(error: unknown): MartletError {
  const detail = error instanceof Error ? error.message : String(error);
  return error instanceof MartletError ? error : refusal("not_published", detail);
}
