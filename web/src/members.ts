/** Who is present, as a row of names. Clients have no names; they are learned from what is said. */

import type { Martlet, Subscription } from "martlet";

const SHOWN = 12;
/** As many names as are remembered. */
const NAMES_MAX = 1_000;

/** Names by client, for all panes together. */
const names = new Map<string, string>();
const changed = new EventTarget();

/** Learns a client's name. The first one counts: a pane's own is known before it speaks. */
export function learnName(client: string | undefined, name: string | undefined): void {
  if (client !== undefined && name !== undefined && !names.has(client)) {
    if (names.size >= NAMES_MAX) {
      names.clear();
    }
    names.set(client, name);
    changed.dispatchEvent(new Event("change"));
  }
}

/** The members of one pane's room. */
export class Members {
  readonly #list: HTMLElement;
  #clients = new Set<string>();
  #own: string | undefined;

  constructor(list: HTMLElement) {
    this.#list = list;
    changed.addEventListener("change", () => this.#draw());
  }

  /** Follows a subscription. A channel without presence simply shows nobody. */
  follow(client: Martlet, subscription: Subscription): void {
    this.#clients = new Set();
    this.#draw();
    subscription.on("subscribed", () => void this.#load(client, subscription.channel));
    subscription.on("join", (member) => this.#change(() => this.#clients.add(member.client)));
    subscription.on("leave", (member) => this.#change(() => this.#clients.delete(member.client)));
  }

  async #load(client: Martlet, channel: string): Promise<void> {
    this.#own = client.id;
    try {
      const { members } = await client.presence(channel);
      this.#change(() => (this.#clients = new Set(members.map((member) => member.client))));
    } catch {
      this.#draw();
    }
  }

  #change(change: () => void): void {
    change();
    this.#draw();
  }

  #draw(): void {
    const sorted = [...this.#clients].sort(
      (a, b) => Number(b === this.#own) - Number(a === this.#own),
    );
    const items = sorted.slice(0, SHOWN).map((client) => {
      const item = document.createElement("li");
      item.classList.toggle("own", client === this.#own);
      const name = names.get(client) ?? `guest ${client.slice(-4)}`;
      item.textContent = client === this.#own ? "you" : name;
      return item;
    });
    if (sorted.length > SHOWN) {
      const more = document.createElement("li");
      more.textContent = `and ${sorted.length - SHOWN} more`;
      items.push(more);
    }
    this.#list.replaceChildren(...items);
    this.#list.setAttribute("aria-label", `${sorted.length} present`);
  }
}
