/**
 * The list of one pane: the entries of its room in their order, and between them what became of the
 * connection. Decides nothing about entries; what they are like is in `line.ts`.
 */

import type { Entry } from "martlet";

import { Line, type LineEvents } from "./line.js";

/** How many notes are kept. */
const NOTES_MAX = 50;

/** The list. */
export class Log {
  readonly #list: HTMLElement;
  readonly #events: LineEvents;
  readonly #lines = new Map<string, Line>();
  /** The first line that is not where it stays. Whatever happens is told above it. */
  #unsettled: HTMLElement | null = null;

  constructor(list: HTMLElement, events: LineEvents) {
    this.#list = list;
    this.#events = events;
  }

  /** Shows the entries as they are now. `recovered` are publications that were missed at first. */
  show(entries: readonly Entry[], recovered: ReadonlySet<string>): void {
    this.#keepEnd(() => {
      this.#forget(new Set(entries.map(({ id }) => id)));
      this.#unsettled = null;
      let next: HTMLElement | null = null;
      for (const entry of [...entries].reverse()) {
        next = this.#place(entry, next, recovered);
        if (entry.state !== "settled") {
          this.#unsettled = next;
        }
      }
    });
  }

  /** Shows what happened. */
  note(text: string, kind: "plain" | "good" | "bad" = "plain"): void {
    const note = document.createElement("li");
    note.className = `note ${kind}`;
    note.textContent = text;
    this.#keepEnd(() => this.#list.insertBefore(note, this.#unsettled));
    const notes = this.#list.querySelectorAll(".note");
    [...notes].slice(0, -NOTES_MAX).forEach((old) => old.remove());
  }

  /** Removes everything. */
  clear(): void {
    this.#list.replaceChildren();
    this.#lines.clear();
    this.#unsettled = null;
  }

  #forget(entries: ReadonlySet<string>): void {
    for (const [id, { element }] of this.#lines) {
      if (!entries.has(id)) {
        element.remove();
        this.#lines.delete(id);
      }
    }
  }

  /** A line moves only when it stands behind the one that follows it. */
  #place(entry: Entry, next: HTMLElement | null, recovered: ReadonlySet<string>): HTMLElement {
    const line = this.#lines.get(entry.id) ?? new Line(entry, this.#events);
    this.#lines.set(entry.id, line);
    line.show(entry, !entry.own && recovered.has(entry.publication?.id ?? ""));
    const { element } = line;
    const stands = element.isConnected && (next === null || isBefore(element, next));
    if (!stands) {
      this.#list.insertBefore(element, next);
    }
    return element;
  }

  /** Keeps the end in sight, unless the reader has scrolled away from it. */
  #keepEnd(change: () => void): void {
    const list = this.#list;
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    change();
    if (atEnd) {
      list.scrollTop = list.scrollHeight;
    }
  }
}

function isBefore(one: Node, other: Node): boolean {
  return (one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0;
}
