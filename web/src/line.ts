/** One line of a log: what was said and by whom, and whether it is there for everybody yet. */

import type { Entry } from "martlet";

/** As much of a large value as is shown. */
const TEXT_MAX = 2_000;
/** The tag of what nobody said: the page sings by itself. */
export const SONG = "birdsong";

/** What the reader asks of a line that failed. */
export interface LineEvents {
  onretry(id: string): void;
  ondrop(id: string): void;
}

/** A line in the document. */
export class Line {
  readonly element = document.createElement("li");
  readonly #events: LineEvents;
  readonly #author = document.createElement("span");
  #fate: HTMLElement | undefined;
  #shown: Entry | undefined;

  constructor(entry: Entry, events: LineEvents) {
    this.#events = events;
    const spoken = spokenText(entry);
    this.#author.className = "name";
    this.element.append(
      ...(spoken === undefined ? [dataElement(entry)] : [this.#author, " ", spoken]),
    );
  }

  /** Shows the entry as it is now. */
  show(entry: Entry, recovered: boolean): void {
    if (entry === this.#shown) {
      return;
    }
    this.#shown = entry;
    const { own, state, publication } = entry;
    const song = publication?.tags?.["voice"] === SONG;
    this.element.className = state;
    this.element.classList.toggle("own", own);
    this.element.classList.toggle("recovered", recovered);
    this.element.classList.toggle("song", song);
    this.#author.textContent = own ? "you" : (spokenName(entry) ?? "somebody");
    if (publication !== undefined) {
      this.element.title = new Date(publication.time).toLocaleTimeString();
    }
    this.#showFate(entry);
  }

  #showFate({ id, state, error }: Entry): void {
    this.#fate?.remove();
    this.#fate = undefined;
    if (state === "settled") {
      return;
    }
    this.#fate = document.createElement("span");
    this.#fate.className = "fate";
    if (state === "failed") {
      const again = button("Try again", () => this.#events.onretry(id));
      const away = button("Remove", () => this.#events.ondrop(id));
      this.#fate.append(`Not sent: ${error?.message ?? "it is not known why."} `, again, " ", away);
    } else {
      this.#fate.append(state === "pending" ? "sending …" : "sent");
    }
    this.element.append(" ", this.#fate);
  }
}

/** The text of a message as this page writes them: `{"text": …, "name": …}`. */
function spokenText({ data }: Entry): string | undefined {
  const text = (data as { text?: unknown } | null | undefined)?.text;
  return typeof text === "string" ? text.slice(0, TEXT_MAX) : undefined;
}

/** The name that the writer of a message gave. */
export function spokenName({ data }: { readonly data?: unknown }): string | undefined {
  const name = (data as { name?: unknown } | null | undefined)?.name;
  return typeof name === "string" && name !== "" ? name.slice(0, 40) : undefined;
}

function button(text: string, press: () => void): HTMLElement {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", press);
  return made;
}

/** A line of text as it is, other JSON as JSON, bytes by their beginning. */
function dataElement({ data, publication }: Entry): HTMLElement {
  const element = document.createElement("div");
  element.className = "data";
  const name = publication?.name ?? "message";
  const label = name === "message" ? "" : `${name}  `;
  const value = data instanceof Uint8Array ? bytesText(data) : jsonText(data);
  const cut = value.length > TEXT_MAX ? `${value.slice(0, TEXT_MAX)} …` : value;
  element.textContent = label + cut;
  return element;
}

function jsonText(data: unknown): string {
  return typeof data === "string" ? data : JSON.stringify(data);
}

function bytesText(bytes: Uint8Array): string {
  const shown = Array.from(bytes.subarray(0, 24), (byte) => byte.toString(16).padStart(2, "0"));
  const more = bytes.length > 24 ? " …" : "";
  return `${bytes.length} bytes: ${shown.join(" ")}${more}`;
}
