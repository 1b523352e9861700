/** The table of a pane: bytes and round trips of each transport that it has used, side by side. */

import type { Bytes, Traffic, TransportName } from "martlet";

import { formatTime } from "./plot.js";
import { Tally } from "./tally.js";
import { TRANSPORTS } from "./transports.js";

type Counted = Traffic["transports"];

const NONE: Bytes = { up: 0, down: 0 };
const UNKNOWN = "–";

/** One table body. */
export class Figures {
  readonly #body: HTMLElement;
  readonly #tallies = new Map<TransportName, Tally>();
  #used: TransportName | undefined;
  /** What the clients before this one have counted. */
  #before: Counted = {};

  constructor(body: HTMLElement) {
    this.#body = body;
  }

  /** A transport carries the session from now on. */
  handleUse(name: TransportName): void {
    this.#used = name;
    if (!this.#tallies.has(name)) {
      this.#tallies.set(name, new Tally());
    }
    this.#draw();
  }

  /** A client has ended, and the next one counts from nothing. */
  handleClientEnd({ transports }: Traffic): void {
    this.#before = sum(this.#before, transports);
  }

  /** So much has the client counted by now. */
  handleTraffic({ transports }: Traffic): void {
    const bytes = sum(this.#before, transports);
    if (this.#used !== undefined) {
      this.#tallies.get(this.#used)?.handleBytes(performance.now(), bytes[this.#used] ?? NONE);
    }
    this.#draw();
  }

  /** A round trip over `name` took so long. */
  handleTrip(name: TransportName, time: number): void {
    this.#tallies.get(name)?.handleTrip(time);
  }

  #draw(): void {
    for (const name of Object.keys(TRANSPORTS) as TransportName[]) {
      const tally = this.#tallies.get(name);
      if (tally !== undefined) {
        this.#drawRow(this.#row(name), tally, name === this.#used);
      }
    }
  }

  #drawRow(row: HTMLTableRowElement, { bytes, rate, latency, typical }: Tally, used: boolean): void {
    row.toggleAttribute("data-used", used);
    const texts = [
      used ? "in use" : "",
      formatBytes(bytes.up),
      formatRate(rate?.up),
      formatBytes(bytes.down),
      formatRate(rate?.down),
      latency === undefined ? UNKNOWN : formatTime(latency),
      typical === undefined ? UNKNOWN : formatTime(typical),
    ];
    row.querySelectorAll("span").forEach((span, index) => (span.textContent = texts[index] ?? ""));
  }

  /** The row of a transport; a new one goes to the end, so that no row moves under one's eyes. */
  #row(name: TransportName): HTMLTableRowElement {
    const found = this.#body.querySelector<HTMLTableRowElement>(`[data-transport=${name}]`);
    if (found !== null) {
      return found;
    }
    const row = document.createElement("tr");
    row.dataset["transport"] = name;
    const head = document.createElement("th");
    head.scope = "row";
    head.append(TRANSPORTS[name], " ", span("use"));
    const amount = () => cell(span("sum"), " ", span("rate"));
    row.append(head, amount(), amount(), cell(span("latency")), cell(span("typical")));
    this.#body.append(row);
    return row;
  }
}

function span(className: string): HTMLElement {
  const made = document.createElement("span");
  made.className = className;
  return made;
}

function cell(...content: (Node | string)[]): HTMLElement {
  const made = document.createElement("td");
  made.append(...content);
  return made;
}

function sum(one: Counted, other: Counted): Counted {
  const names = new Set([...Object.keys(one), ...Object.keys(other)] as TransportName[]);
  const added = [...names].map((name) => {
    const [a, b] = [one[name] ?? NONE, other[name] ?? NONE];
    return [name, { up: a.up + b.up, down: a.down + b.down }] as const;
  });
  return Object.fromEntries(added);
}

function formatRate(rate: number | undefined): string {
  return rate === undefined ? "" : `${formatBytes(rate)}/s`;
}

/** An amount as people read it. */
function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB"];
  const power = Math.min(Math.floor(Math.log10(Math.max(1, bytes)) / 3), units.length - 1);
  const amount = bytes / 1_000 ** power;
  return `${amount.toFixed(power > 0 && amount < 100 ? 1 : 0)} ${units[power]}`;
}
