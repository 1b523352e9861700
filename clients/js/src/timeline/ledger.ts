/**
 * The order of a timeline: what the channel has said, in its order, and behind it what the
 * application has published and the channel has not said yet. Pure; knows no client and no socket.
 *
 * An own entry settles when the channel says it, or when the server's receipt gives it an offset
 * and everything before that has come. Whichever is later finds it settled and adds nothing.
 */

import type { MartletError } from "../error.js";
import type { Gap, Position, Publication, Published } from "../model.js";

/** One line of a timeline. A changed entry is a new object. */
export interface Entry {
  /** Stays the same while the entry lives: the `ref` of an own one, else the publication's id. */
  readonly id: string;
  /** Whether it was published through this timeline. */
  readonly own: boolean;
  /**
   * `pending`: not answered yet. `published`: the server has it; its place is about to be known.
   * `settled`: it is where it is for everybody. `failed`: see `error`.
   */
  readonly state: "pending" | "published" | "settled" | "failed";
  /** The message: a JSON value or bytes. */
  readonly data: unknown;
  /** What the channel said; of an own entry it may be what the receipt says. */
  readonly publication?: Publication;
  /** Why it failed. It may have been published all the same, when nobody knows. */
  readonly error?: MartletError;
}

interface Waiting {
  entry: Entry;
  receipt?: Published;
}

/** The entries of one channel. */
export class Ledger {
  readonly #limit: number;
  #settled: Entry[] = [];
  readonly #waiting = new Map<string, Waiting>();
  #position: Position | undefined;
  readonly #pastEpochs = new Set<string>();

  /** Keeps the last `limit` settled entries, and all that wait. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Everything, in order. */
  get entries(): readonly Entry[] {
    return [...this.#settled, ...[...this.#waiting.values()].map(({ entry }) => entry)];
  }

  /** The own entry that has not settled. */
  waiting(id: string): Entry | undefined {
    return this.#waiting.get(id)?.entry;
  }

  /** The application publishes something. */
  add(id: string, data: unknown): Entry {
    const entry: Entry = { id, own: true, state: "pending", data };
    this.#waiting.set(id, { entry });
    return entry;
  }

  /** A failed entry is tried once more. Returns whether there is one. */
  retry(id: string): boolean {
    const waiting = this.#waiting.get(id);
    if (waiting?.entry.state !== "failed") {
      return false;
    }
    const { error: _, ...entry } = waiting.entry;
    waiting.entry = { ...entry, state: "pending" };
    return true;
  }

  /** A failed entry is given up. Returns whether there is one. */
  drop(id: string): boolean {
    return this.#waiting.get(id)?.entry.state === "failed" && this.#waiting.delete(id);
  }

  /** The server took an entry. */
  handlePublished(id: string, receipt: Published): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) {
      return; // The channel was faster.
    }
    const { error: _, ...entry } = waiting.entry;
    waiting.entry = { ...entry, state: "published" };
    waiting.receipt = receipt;
    const said = this.#lastIndex(({ publication }) => publication?.id === receipt.id);
    if (said >= 0) {
      // Said before it was known to be ours, as when the client has got another name meanwhile.
      this.#settled[said] = { ...(this.#settled[said] as Entry), own: true };
      this.#waiting.delete(id);
    } else if (this.#pastEpochs.has(receipt.epoch)) {
      this.#settle(waiting, byReceipt(waiting.entry, receipt));
    }
    this.#advance();
  }

  /** An entry was not published, as far as anybody knows. */
  handleFailed(id: string, error: MartletError): void {
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined) {
      waiting.entry = { ...waiting.entry, state: "failed", error };
    }
  }

  /** The channel says something. `mine` is whether this client published it. */
  handlePublication(publication: Publication, mine: boolean): void {
    const { id, epoch, offset } = publication;
    this.#moveTo({ epoch, offset });
    const at = this.#lastIndex((entry) => entry.publication?.id === id);
    const waiting = this.#find(publication, mine);
    if (at >= 0) {
      this.#settled[at] = { ...(this.#settled[at] as Entry), publication };
    } else if (waiting !== undefined) {
      this.#settle(waiting, publication);
    } else {
      this.#insert({ id, own: false, state: "settled", data: dataOf(publication), publication });
    }
    this.#advance();
  }

  /** The stream begins at a position, or begins again. */
  handleSubscribed(position: Position): void {
    this.#moveTo(position);
    this.#advance();
  }

  /** Publications are gone; the stream goes on behind them. */
  handleGap({ epoch, offset }: Gap): void {
    this.#moveTo({ epoch, offset });
    this.#advance();
  }

  #find({ id, ref }: Publication, mine: boolean): Waiting | undefined {
    const byRef = mine && ref !== undefined ? this.#waiting.get(ref) : undefined;
    return byRef ?? [...this.#waiting.values()].find(({ receipt }) => receipt?.id === id);
  }

  /** A receipt may have brought it further than the stream has come. */
  #moveTo({ epoch, offset }: Position): void {
    const before = this.#position;
    if (before !== undefined && before.epoch !== epoch) {
      this.#endEpoch(before.epoch);
    }
    const further = before?.epoch === epoch ? Math.max(before.offset, offset) : offset;
    this.#position = { epoch, offset: further };
    this.#pastEpochs.delete(epoch);
  }

  /** Nothing of this history is said any more, so receipts are all there will be. */
  #endEpoch(epoch: string): void {
    this.#pastEpochs.add(epoch);
    this.#settleBy((receipt) => receipt.epoch === epoch);
  }

  /** Settles what the stream has reached or passed, or what is next. */
  #advance(): void {
    const reached = ({ epoch, offset }: Published) =>
      epoch === this.#position?.epoch && offset <= this.#position.offset + 1;
    this.#settleBy(reached);
  }

  #settleBy(due: (receipt: Published) => boolean): void {
    for (;;) {
      const all = [...this.#waiting.values()];
      const waiting = all.find(({ receipt }) => receipt !== undefined && due(receipt));
      if (waiting?.receipt === undefined) {
        return;
      }
      const { epoch, offset } = waiting.receipt;
      this.#settle(waiting, byReceipt(waiting.entry, waiting.receipt));
      if (this.#position?.epoch === epoch && offset > this.#position.offset) {
        this.#position = { epoch, offset };
      }
    }
  }

  #settle({ entry }: Waiting, publication: Publication): void {
    this.#waiting.delete(entry.id);
    const { error: _, ...rest } = entry;
    this.#insert({ ...rest, state: "settled", publication });
  }

  /** What is looked for is mostly near the end. */
  #lastIndex(fits: (entry: Entry) => boolean): number {
    let at = this.#settled.length - 1;
    while (at >= 0 && !fits(this.#settled[at] as Entry)) {
      at -= 1;
    }
    return at;
  }

  /** Behind the last entry that the channel said before it. */
  #insert(entry: Entry): void {
    const at = this.#lastIndex(({ publication }) => isBefore(publication, entry));
    const first = this.#settled.findIndex(({ publication }) => isSameHistory(publication, entry));
    const place = at >= 0 ? at + 1 : first >= 0 ? first : this.#settled.length;
    this.#settled.splice(place, 0, entry);
    this.#settled.splice(0, this.#settled.length - this.#limit);
  }
}

function isSameHistory(publication: Publication | undefined, entry: Entry): boolean {
  return publication?.epoch === entry.publication?.epoch;
}

function isBefore(publication: Publication | undefined, entry: Entry): boolean {
  const { offset = 0 } = entry.publication ?? {};
  return isSameHistory(publication, entry) && (publication?.offset ?? 0) < offset;
}

/** What the channel will say, or would have said, of an entry. */
function byReceipt({ id: ref, data }: Entry, receipt: Published): Publication {
  const { channel, id, epoch, offset, time } = receipt;
  const content = data instanceof Uint8Array ? { bytes: data } : { data };
  return { channel, id, epoch, offset, time, ref, ...content };
}

/** The message of a publication. */
export function dataOf({ data, bytes }: Publication): unknown {
  return bytes ?? data;
}
