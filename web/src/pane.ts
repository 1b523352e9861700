/** One pane: a client of its own, what it is told, and the cutter for its connection. */

import {
  Martlet,
  MartletError,
  type Gap,
  type Publication,
  type State,
  type Subscribed,
  type Subscription,
  type TransportChange,
  type TransportName,
} from "martlet";

import { Cable } from "./cable.js";
import { Cutter } from "./cutter.js";
import { Figures } from "./figures.js";
import { SONG, spokenName } from "./line.js";
import { Log } from "./log.js";
import { learnName, Members } from "./members.js";
import { Outage } from "./outage.js";
import { formatTime, Plot } from "./plot.js";
import { Room } from "./room.js";
import { chosenTransports, offerTransports, TRANSPORTS } from "./transports.js";

/** What a pane needs of its page. */
export interface PaneOptions {
  readonly title: string;
  readonly transport: TransportName | "";
  /** What the user is called. */
  name(): string;
}

/** One pane of the page. */
export class Pane {
  readonly element: HTMLElement;
  readonly #options: PaneOptions;
  readonly #log: Log;
  readonly #members: Members;
  readonly #plot: Plot;
  readonly #figures: Figures;
  readonly #cable = new Cable();
  readonly #cutter: Cutter;
  #client: Martlet;
  #room: Room | undefined;
  #outage: Outage | undefined;
  /** What came back after the last outage. */
  #recovered = new Set<string>();

  constructor(template: HTMLTemplateElement, options: PaneOptions) {
    this.#options = options;
    const copy = template.content.cloneNode(true) as DocumentFragment;
    this.element = copy.firstElementChild as HTMLElement;
    this.#log = new Log(this.#find(".log"), {
      onretry: (id) => this.#room?.retry(id),
      ondrop: (id) => this.#room?.drop(id),
    });
    this.#members = new Members(this.#find(".members"));
    this.#plot = new Plot(this.#find<SVGElement>(".plot"));
    this.#figures = new Figures(this.#find(".figures tbody"));
    this.#cutter = new Cutter(this.#find(".cut"), this.#cable, () => this.#handleCut());
    this.#label();
    this.#client = this.#connect("");
    this.#listen();
    setInterval(() => void this.#measure(), 1_000);
  }

  #find<E extends Element = HTMLElement>(selector: string): E {
    const found = this.element.querySelector<E>(selector);
    if (found === null) {
      throw new Error(`the pane has no ${selector}`);
    }
    return found;
  }

  #label(): void {
    const { title, transport } = this.#options;
    this.element.setAttribute("aria-label", title);
    this.#find(".title").textContent = title;
    this.#find(".log").setAttribute("aria-label", `Messages, ${title}`);
    this.#find(".text").setAttribute("aria-label", `Message, ${title}`);
    offerTransports(this.#find(".transport"), transport);
  }

  #listen(): void {
    this.#find(".transport").addEventListener("change", () => this.#changeTransport());
    this.#find(".write").addEventListener("submit", (event) => {
      event.preventDefault();
      const field = this.#find<HTMLInputElement>(".text");
      if (field.value.trim() !== "") {
        this.#room?.say({ name: this.#options.name(), text: field.value.trim() });
        field.value = "";
      }
    });
  }

  /** Whether its connection is cut. */
  get cut(): boolean {
    return this.#cutter.isOpen;
  }

  /** Publishes a verse of the birdsong, which is nobody's. */
  async sing(text: string): Promise<void> {
    const room = this.#room?.name ?? "";
    const options = { name: "message", tags: { voice: SONG } };
    try {
      await this.#client.publish(room, { name: SONG, text }, options);
    } catch (error) {
      this.#complain("Not published", error);
    }
  }

  /** Goes to another room, beginning with the end of what was said there. */
  enter(name: string): void {
    this.#room?.leave();
    this.#log.clear();
    const room = new Room(name, {
      onchange: () => (room === this.#room ? this.#show() : undefined),
      onerror: (error) => (room === this.#room ? this.#handleNoHistory(error) : undefined),
    });
    this.#room = room;
    this.#follow(room);
  }

  /** A channel may keep no history, or not show it; its present can be followed all the same. */
  #handleNoHistory(error: unknown): void {
    const { code, name } = error instanceof MartletError ? error : { code: 0, name: "" };
    if (name !== "closed" && (code < 1200 || code >= 1300)) {
      this.#complain("The room's history could not be read", error);
    }
  }

  #follow(room: Room): void {
    let subscription: Subscription;
    try {
      subscription = room.follow(this.#client);
    } catch (error) {
      this.#complain("This room cannot be entered", error);
      return;
    }
    this.#members.follow(this.#client, subscription);
    subscription.on("publication", (publication) => this.#handlePublication(publication));
    subscription.on("subscribed", (subscribed) => this.#handleSubscribed(subscribed));
    subscription.on("gap", (gap) => this.#handleGap(gap));
    subscription.on("lagged", () => this.#log.note("This client fell behind and is catching up."));
    subscription.on("error", (error) => this.#complain("The room says no", error));
  }

  #show(): void {
    this.#log.show(this.#room?.entries ?? [], this.#recovered);
  }

  #connect(cursor: string): Martlet {
    const transports = chosenTransports(this.#find(".transport"));
    const { WebSocket, fetch } = this.#cable;
    const client = new Martlet(".", { transports, cursor, WebSocket, fetch });
    client.on("state", (state) => {
      if (client === this.#client) {
        this.#handleState(state);
      }
    });
    client.on("transport", (change) => {
      if (client === this.#client) {
        this.#handleTransport(change);
      }
    });
    client.on("error", (error) => {
      if (client === this.#client) {
        this.#complain("The server says no", error);
      }
    });
    return client;
  }

  /** Another client takes over where this one is. */
  #changeTransport(): void {
    const old = this.#client;
    this.#outage = new Outage();
    this.#client = this.#connect(old.cursor);
    this.#figures.handleClientEnd(old.traffic);
    if (this.#room !== undefined) {
      this.#follow(this.#room);
    }
    old.close();
  }

  #handleTransport({ from, to, why }: TransportChange): void {
    this.#figures.handleUse(to);
    if (why === "better" && from !== undefined) {
      this.#log.note(`Moved from ${TRANSPORTS[from]} to ${TRANSPORTS[to]}; nothing was missed.`);
      this.#find(".state").textContent = this.#connectedBy;
    }
  }

  get #connectedBy(): string {
    const { transport } = this.#client;
    return `Connected by ${transport === undefined ? "" : TRANSPORTS[transport]}`;
  }

  #handleState({ state, message, retryIn }: State): void {
    this.element.dataset["state"] = state;
    learnName(this.#client.id, this.#options.title.toLowerCase());
    const words = {
      connected: this.#connectedBy,
      connecting: "Connecting …",
      disconnected: message,
    };
    const again = retryIn === undefined ? "" : ` Trying again in ${formatTime(retryIn)}.`;
    this.#find(".state").textContent = words[state] + again;
    if (state === "connected") {
      void this.#measure();
    }
    if (state === "disconnected" && this.#room !== undefined) {
      this.#outage ??= new Outage();
    }
  }

  #handleSubscribed(subscribed: Subscribed): void {
    this.#outage?.handleSubscribed(subscribed);
    if (subscribed.recovered) {
      this.#endOutage(subscribed.offset);
    }
  }

  #handleGap(gap: Gap): void {
    if (this.#outage === undefined) {
      const many =
        gap.to === undefined ? "Some messages are" : `${gap.to - gap.from + 1} messages are`;
      this.#log.note(`${many} gone for good (${gap.reason}).`, "bad");
      return;
    }
    this.#outage.handleGap(gap);
    this.#endOutage(gap.offset);
  }

  #handlePublication(publication: Publication): void {
    if (this.#outage?.covers(publication.offset) === true) {
      this.#recovered.add(publication.id);
    }
    if (publication.tags?.["voice"] !== SONG) {
      learnName(publication.from?.client, spokenName(publication));
    }
    this.#endOutage(publication.offset);
  }

  #endOutage(offset: number): void {
    const outage = this.#outage;
    const { transport } = this.#client;
    if (outage?.isOver(offset) === true && transport !== undefined) {
      this.#outage = undefined;
      this.#show();
      this.#recovered.clear();
      this.#log.note(outage.sentence(TRANSPORTS[transport]), outage.whole ? "good" : "bad");
    }
  }

  #handleCut(): void {
    this.#outage = new Outage();
    this.#log.note("The connection is cut.", "bad");
  }

  async #measure(): Promise<void> {
    if (document.visibilityState === "hidden") {
      return;
    }
    const client = this.#client;
    const { transport } = client;
    const time = await client.ping().catch(() => undefined);
    if (client !== this.#client) {
      return;
    }
    if (time !== undefined && transport !== undefined && transport === client.transport) {
      this.#figures.handleTrip(transport, time);
    }
    this.#plot.add(time);
    this.#find(".time").textContent = time === undefined ? "–" : formatTime(time);
    this.#figures.handleTraffic(client.traffic);
  }

  #complain(what: string, error: unknown): void {
    const { message, hint = "" } = error as { message: string; hint?: string };
    this.#log.note(`${what}: ${message} ${hint}`.trim(), "bad");
  }
}
