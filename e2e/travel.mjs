/**
 * A client that travels: it follows a channel through bad weather and keeps an account of what came,
 * and publishes on its way. Runs in Node and, bundled, in a browser. It judges nothing; the account is
 * plain data for the test.
 */

import { Martlet } from "../clients/js/src/index.ts";

/** How long anything may take before it counts as never. */
const LIMIT = 25_000;

/** One client on one channel. */
export class Traveller {
  #client;
  #channel;
  #seen = [];
  #heard = new Set();
  #gaps = [];
  #begun = [];
  #transports = [];
  #lost = 0;
  #own = [];
  #watchers = new Set();
  #setOut = performance.now();
  #firstAfter;

  /** Sets out; `since` is where the channel is begun, the other `options` are the client's. */
  constructor({ url, channel, since, ...options }) {
    this.#channel = channel;
    this.#client = new Martlet(url, { backoffMin: 20, backoffMax: 200, ...options });
    this.#client.on("state", ({ state }) => this.#handleState(state));
    this.#client.on("transport", ({ to }) => this.#note(this.#transports, to));
    const subscription = this.#client.subscribe(channel, since === undefined ? {} : { since });
    subscription.on("publication", (publication) => this.#handlePublication(publication));
    subscription.on("gap", (gap) => this.#note(this.#gaps, gap));
    subscription.on("subscribed", ({ offset }) => this.#note(this.#begun, offset));
  }

  #handleState(state) {
    this.#lost += state === "disconnected" ? 1 : 0;
    this.#look();
  }

  #handlePublication({ data, offset }) {
    this.#firstAfter ??= performance.now() - this.#setOut;
    this.#heard.add(data);
    this.#note(this.#seen, offset);
  }

  #note(list, one) {
    list.push(one);
    this.#look();
  }

  #look() {
    this.#watchers.forEach((watcher) => watcher());
  }

  #until(what, holds) {
    return new Promise((resolve, reject) => {
      const end = (settle, value) => {
        clearTimeout(late);
        this.#watchers.delete(watcher);
        settle(value);
      };
      const watcher = () => holds() && end(resolve);
      const late = setTimeout(() => {
        const account = JSON.stringify(this.account());
        end(reject, new Error(`${what} did not happen in time: ${account.slice(0, 2_000)}`));
      }, LIMIT);
      this.#watchers.add(watcher);
      watcher();
    });
  }

  /** The channel is followed, for the `count`th time. */
  async subscribed(count = 1) {
    await this.#until(`subscription ${count}`, () => this.#begun.length >= count);
  }

  /** The connection was lost, for the `count`th time. */
  async disconnected(count = 1) {
    await this.#until(`loss ${count}`, () => this.#lost >= count);
  }

  /** The publication with this data has come. */
  async hears(last) {
    await this.#until(`publication ${last}`, () => this.#heard.has(last));
  }

  /** The session is carried by this transport. */
  async carriedBy(transport) {
    await this.#until(transport, () => this.#transports.at(-1) === transport);
  }

  /** Publishes as many, one after the other has been taken. */
  async publish(count, what = "own") {
    for (let i = 0; i < count; i++) {
      const { offset } = await this.#client.publish(this.#channel, `${what} ${i}`);
      this.#own.push(offset);
    }
  }

  /** What the journey was like. Offsets of a channel rise by one, so they tell everything. */
  account() {
    const offsets = this.#seen;
    return {
      count: offsets.length,
      begun: this.#begun[0],
      first: offsets[0],
      last: offsets.at(-1),
      twice: offsets.length - this.#heard.size,
      disorder: offsets.filter((offset, i) => i > 0 && offset <= offsets[i - 1]).length,
      lost: offsets.filter((offset, i) => i > 0 && offset > offsets[i - 1] + 1).length,
      unconfirmed: this.#own.filter((offset) => !offsets.includes(offset)).length,
      gaps: this.#gaps,
      firstAfter: this.#firstAfter,
      transports: [...this.#transports],
      disconnected: this.#lost,
    };
  }

  /** Ends, and gives the account. */
  close() {
    this.#client.close();
    return this.account();
  }
}
