/** The lines of one pane: what was said, what came from elsewhere, what became of the line. */

import type { Publication } from "martlet";

const LINES_MAX = 300;
/** As much of a large value as is shown. */
const TEXT_MAX = 2_000;

/** How a line came about. */
export interface Manner {
  readonly own: boolean;
  readonly recovered: boolean;
  readonly author: string | undefined;
  /** Whether nobody said it: the page sings by itself. */
  readonly song: boolean;
}

/** The list of lines. */
export class Log {
  readonly #list: HTMLElement;

  constructor(list: HTMLElement) {
    this.#list = list;
  }

  /** Shows a publication. */
  publication(publication: Publication, { own, recovered, author, song }: Manner): void {
    const line = document.createElement("li");
    line.classList.toggle("own", own);
    line.classList.toggle("recovered", recovered);
    line.classList.toggle("song", song);
    line.title = new Date(publication.time).toLocaleTimeString();
    const spoken = spokenText(publication);
    if (spoken === undefined) {
      line.append(dataElement(publication));
    } else {
      line.append(nameElement(own ? "you" : (author ?? "somebody")), " ", spoken);
    }
    this.#add(line);
  }

  /** Shows what was written and is not published yet; returns the way to take it back. */
  waiting(text: string): () => void {
    const line = document.createElement("li");
    line.className = "own waiting";
    line.append(nameElement("you"), " ", text);
    this.#add(line);
    return () => line.remove();
  }

  /** Shows what happened. */
  note(text: string, kind: "plain" | "good" | "bad" = "plain"): void {
    const line = document.createElement("li");
    line.className = `note ${kind}`;
    line.textContent = text;
    this.#add(line);
  }

  /** Removes everything. */
  clear(): void {
    this.#list.replaceChildren();
  }

  /** Keeps the end in sight, unless the reader has scrolled away from it. */
  #add(line: HTMLElement): void {
    const list = this.#list;
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(line);
    while (list.childElementCount > LINES_MAX) {
      list.firstElementChild?.remove();
    }
    if (atEnd) {
      list.scrollTop = list.scrollHeight;
    }
  }
}

/** The text of a message as this page writes them: `{"text": …, "name": …}`. */
export function spokenText({ data }: Publication): string | undefined {
  const text = (data as { text?: unknown } | null | undefined)?.text;
  return typeof text === "string" ? text.slice(0, TEXT_MAX) : undefined;
}

/** The name that the writer of a message gave. */
export function spokenName({ data }: Publication): string | undefined {
  const name = (data as { name?: unknown } | null | undefined)?.name;
  return typeof name === "string" && name !== "" ? name.slice(0, 40) : undefined;
}

function nameElement(name: string): HTMLElement {
  const element = document.createElement("span");
  element.className = "name";
  element.textContent = name;
  return element;
}

/** A line of text as it is, other JSON as JSON, bytes by their beginning. */
function dataElement({ data, bytes, name }: Publication): HTMLElement {
  const element = document.createElement("div");
  element.className = "data";
  const label = name === undefined || name === "message" ? "" : `${name}  `;
  const value = bytes === undefined ? jsonText(data) : bytesText(bytes);
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
