/**
 * A network of one client in this program whose ways can be shut and opened, each transport's by
 * itself, and the news of that, as a browser tells its pages.
 */

import { setMaxListeners } from "node:events";

import WebSocket from "ws";

const PATH = /\/v1\/(sse|stream|poll)\b/;

/** The doors of one client. */
export class Doors {
  #shut;
  #inside = new Map();

  /** The transports named are shut from the beginning. */
  constructor(...shut) {
    this.#shut = new Set(shut);
  }

  /** Options for the client that goes through them. */
  get options() {
    const enter = (name, leave) => this.#enter(name, leave);
    class Socket extends WebSocket {
      constructor(url, protocols) {
        const left = enter("websocket", () => this.terminate());
        super(url, protocols);
        this.once("close", left);
      }
    }
    return { WebSocket: Socket, fetch: (url, init) => this.#fetch(url, init) };
  }

  /** Shuts ways. Whatever is under way there breaks off. */
  shut(...names) {
    for (const name of names) {
      this.#shut.add(name);
      [...(this.#inside.get(name) ?? [])].forEach((leave) => leave());
    }
  }

  /** Opens ways again. */
  open(...names) {
    names.forEach((name) => this.#shut.delete(name));
  }

  /** Fails at a door that is shut. Gives what to call when it is over by itself. */
  #enter(name, leave) {
    if (this.#shut.has(name)) {
      throw new TypeError(`${name} is shut`);
    }
    const inside = this.#inside.get(name) ?? new Set();
    this.#inside.set(name, inside.add(leave));
    return () => inside.delete(leave);
  }

  async #fetch(url, init) {
    const [, name] = PATH.exec(url) ?? [];
    if (name === undefined) {
      return fetch(url, init);
    }
    const broken = new AbortController();
    const left = this.#enter(name, () => broken.abort());
    const signal = AbortSignal.any([broken.signal, init.signal]);
    init.signal.addEventListener("abort", left, { once: true });
    return fetch(url, { ...init, signal });
  }
}

/** Makes this program a page as far as the client looks for news of the network. */
export function bePage() {
  const page = new EventTarget();
  globalThis.document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  // One for each client.
  setMaxListeners(0, page, globalThis.document);
  globalThis.addEventListener = page.addEventListener.bind(page);
  return { online: () => page.dispatchEvent(new Event("online")) };
}
