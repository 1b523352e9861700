/**
 * As much of an old browser as the script for old browsers touches: elements that load, and
 * XMLHttpRequest, over real requests. Not a browser: nothing is shown, and there is no security.
 */

import { runInContext, createContext, type Context } from "node:vm";

/** What kind of browser it is, and where its page is from. */
export interface Kind {
  /** The origin of the page. */
  readonly origin: string;
  /** Whether XMLHttpRequest may cross to another origin. */
  readonly cors?: boolean;
  /** Whether it shows what has come before the end. */
  readonly progress?: boolean;
}

interface Element {
  readonly tag: string;
  src?: string;
  style: Record<string, string>;
  parentNode: unknown;
  onload?: (() => void) | null;
  onerror?: (() => void) | null;
}

/** One page in it. */
export class OldBrowser {
  readonly context: Context;
  readonly #kind: Kind;
  readonly #stop = new AbortController();
  /** The longest address of a script that was asked for. */
  longest = 0;

  constructor(kind: Kind, script: string) {
    this.#kind = kind;
    const { protocol, host } = new URL(kind.origin);
    const { setTimeout, clearTimeout } = globalThis;
    const window: Record<string, unknown> = { setTimeout, clearTimeout };
    window["window"] = window;
    window["JSON"] = JSON;
    window["location"] = { protocol, host };
    window["document"] = this.#document();
    window["XMLHttpRequest"] = this.#xhr();
    this.context = createContext(window);
    runInContext(script, this.context);
  }

  /** Ends every request. */
  close(): void {
    this.#stop.abort();
  }

  #document(): object {
    const parent = {
      appendChild: (element: Element) => this.#append(element, parent),
      removeChild: (element: Element) => (element.parentNode = null),
    };
    return {
      createElement: (tag: string): Element => ({ tag, style: {}, parentNode: null }),
      getElementsByTagName: () => [parent],
      documentElement: parent,
      body: parent,
    };
  }

  #append(element: Element, parent: object): void {
    element.parentNode = parent;
    const load = element.tag === "script" ? this.#script(element) : this.#frame(element);
    load.then(
      () => element.onload?.(),
      () => element.onerror?.(),
    );
  }

  async #script(element: Element): Promise<void> {
    this.longest = Math.max(this.longest, element.src?.length ?? 0);
    const response = await fetch(element.src ?? "", { signal: this.#stop.signal });
    runInContext(await response.text(), this.context);
  }

  /** The scripts of a frame, each as soon as it is there. */
  async #frame(element: Element): Promise<void> {
    const inner: Record<string, unknown> = { parent: this.context };
    const context = createContext(inner);
    const response = await fetch(element.src ?? "", { signal: this.#stop.signal });
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true });
      for (let found; (found = /<script>(.*?)<\/script>/s.exec(text)) !== null;) {
        text = text.slice(found.index + found[0].length);
        if (element.parentNode !== null) {
          runInContext(found[1] ?? "", context);
        }
      }
    }
  }

  #xhr(): new () => object {
    const { cors = false, progress = true } = this.#kind;
    const stop = this.#stop.signal;
    class Xhr {
      readyState = 0;
      status = 0;
      responseText = "";
      onreadystatechange: (() => void) | undefined;
      #url = "";
      #type: string | null = null;
      readonly #abort = new AbortController();

      open(_: string, url: string): void {
        this.#url = url;
      }

      send(body: string | null): void {
        void this.#run(body).then(
          () => this.#at(4),
          () => {
            this.status = 0;
            this.#at(4);
          },
        );
      }

      abort(): void {
        this.onreadystatechange = undefined;
        this.#abort.abort();
      }

      getResponseHeader(): string | null {
        return this.#type;
      }

      #at(state: number): void {
        this.readyState = state;
        this.onreadystatechange?.();
      }

      async #run(body: string | null): Promise<void> {
        const signal = AbortSignal.any([stop, this.#abort.signal]);
        const response = await fetch(this.#url, { method: "POST", body, signal });
        this.status = response.status;
        this.#type = response.headers.get("content-type");
        const decoder = new TextDecoder();
        for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
          this.responseText += decoder.decode(chunk, { stream: true });
          if (progress) {
            this.#at(3);
          }
        }
      }
    }
    if (cors) {
      Object.defineProperty(Xhr.prototype, "withCredentials", { value: false });
    }
    return Xhr;
  }
}
