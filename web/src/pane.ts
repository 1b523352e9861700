/** One pane: a client of its own, what it is told, and the cutter for its connection. */

import {
  Martlet,
  MartletError,
  type Gap,
  type Publication,
  type State,
  type Subscribed,
  type Subscription,
  type TransportName,
} from "martlet";

import { Cable } from "./cable.js";
import { Log, spokenName } from "./log.js";
import { learnName, Members } from "./members.js";
import { Outage } from "./outage.js";
import { formatTime, Plot } from "./plot.js";

/** How long a cut lasts unless it is mended before, in seconds. */
const CUT_SECONDS = 6;
/** How much of what was said before is shown. */
const EARLIER = 30;
const SONG = "birdsong";
const TRANSPORTS: Record<TransportName, string> = { websocket: "WebSocket", sse: "SSE" };

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
  readonly #cable = new Cable();
  #client: Martlet;
  #room: string | undefined;
  #subscription: Subscription | undefined;
  #outage: Outage | undefined;
  #cutLeft = 0;

  constructor(template: HTMLTemplateElement, options: PaneOptions) {
    this.#options = options;
    const copy = template.content.cloneNode(true) as DocumentFragment;
    this.element = copy.firstElementChild as HTMLElement;
    this.#log = new Log(this.#find(".log"));
    this.#members = new Members(this.#find(".members"));
    this.#plot = new Plot(this.#find<SVGElement>(".plot"));
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
    this.#find<HTMLSelectElement>(".transport").value = transport;
  }

  #listen(): void {
    this.#find(".transport").addEventListener("change", () => this.#changeTransport());
    this.#find(".cut").addEventListener("click", () => this.#toggleCut());
    this.#find(".write").addEventListener("submit", (event) => {
      event.preventDefault();
      const field = this.#find<HTMLInputElement>(".text");
      if (field.value.trim() !== "") {
        void this.say(field.value.trim());
        field.value = "";
      }
    });
  }

  /** Whether its connection is cut. */
  get cut(): boolean {
    return this.#cutLeft > 0;
  }

  /** Publishes a text in the room. It waits where there is no connection. */
  async say(text: string): Promise<void> {
    const takeBack = this.#client.state === "connected" ? undefined : this.#log.waiting(text);
    await this.#publish({ name: this.#options.name(), text }, {});
    takeBack?.();
  }

  /** Publishes a verse of the birdsong, which is nobody's. */
  async sing(text: string): Promise<void> {
    await this.#publish({ name: SONG, text }, { voice: SONG });
  }

  async #publish(
    data: { name: string; text: string },
    tags: Record<string, string>,
  ): Promise<void> {
    if (this.#room === undefined) {
      return;
    }
    try {
      await this.#client.publish(this.#room, data, { name: "message", tags });
    } catch (error) {
      this.#complain("Not published", error);
    }
  }

  /** Goes to another room, beginning with the end of what was said there. */
  async enter(room: string): Promise<void> {
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
    this.#room = room;
    this.#log.clear();
    try {
      const page = await this.#client.history(room, { limit: EARLIER, reverse: true });
      if (this.#room === room && this.#subscription === undefined) {
        [...page.publications].reverse().forEach((one) => this.#show(one, false));
        this.#follow(room, { epoch: page.epoch, offset: page.offset });
      }
    } catch (error) {
      this.#enterWithoutHistory(room, error);
    }
  }

  /** A channel may keep no history, or not show it; its present can be followed all the same. */
  #enterWithoutHistory(room: string, error: unknown): void {
    const known = error instanceof MartletError && error.code >= 1200 && error.code < 1300;
    if (!known) {
      this.#complain("The room's history could not be read", error);
    }
    if (this.#room === room && this.#subscription === undefined) {
      this.#follow(room, undefined);
    }
  }

  #follow(room: string, position: { epoch: string; offset: number } | undefined): void {
    let subscription: Subscription;
    try {
      subscription = this.#client.subscribe(room, position === undefined ? {} : { position });
    } catch (error) {
      this.#complain("This room cannot be entered", error);
      return;
    }
    this.#subscription = subscription;
    this.#members.follow(this.#client, subscription);
    subscription.on("publication", (publication) => this.#handlePublication(publication));
    subscription.on("subscribed", (subscribed) => this.#handleSubscribed(subscribed));
    subscription.on("gap", (gap) => this.#handleGap(gap));
    subscription.on("lagged", () => this.#log.note("This client fell behind and is catching up."));
    subscription.on("error", (error) => this.#complain("The room says no", error));
  }

  #connect(cursor: string): Martlet {
    const chosen = this.#find<HTMLSelectElement>(".transport").value as TransportName | "";
    const { WebSocket, fetch } = this.#cable;
    const transports: TransportName[] = chosen === "" ? ["websocket", "sse"] : [chosen];
    const client = new Martlet(".", { transports, cursor, WebSocket, fetch });
    client.on("state", (state) => {
      if (client === this.#client) {
        this.#handleState(state);
      }
    });
    client.on("error", (error) => this.#complain("The server says no", error));
    return client;
  }

  /** Another client takes over where this one is. */
  #changeTransport(): void {
    const old = this.#client;
    const { cursor } = old;
    this.#outage = new Outage();
    this.#client = this.#connect(cursor);
    old.close();
    this.#subscription = undefined;
    if (this.#room !== undefined) {
      this.#follow(this.#room, undefined);
    }
  }

  #handleState({ state, message, retryIn }: State): void {
    this.element.dataset["state"] = state;
    const { transport } = this.#client;
    learnName(this.#client.id, this.#options.title.toLowerCase());
    const words = {
      connected: `Connected by ${transport === undefined ? "" : TRANSPORTS[transport]}`,
      connecting: "Connecting …",
      disconnected: message,
    };
    const again = retryIn === undefined ? "" : ` Trying again in ${formatTime(retryIn)}.`;
    this.#find(".state").textContent = words[state] + again;
    if (state === "connected") {
      void this.#measure();
    }
    if (state === "disconnected" && this.#subscription !== undefined) {
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
    const recovered = this.#outage?.covers(publication.offset) ?? false;
    this.#show(publication, recovered);
    this.#endOutage(publication.offset);
  }

  #endOutage(offset: number): void {
    const outage = this.#outage;
    const { transport } = this.#client;
    if (outage?.isOver(offset) === true && transport !== undefined) {
      this.#outage = undefined;
      this.#log.note(outage.sentence(TRANSPORTS[transport]), outage.whole ? "good" : "bad");
    }
  }

  #show(publication: Publication, recovered: boolean): void {
    const author = spokenName(publication);
    const client = publication.from?.client;
    const song = publication.tags?.["voice"] === SONG;
    const own = !song && client !== undefined && client === this.#client.id;
    if (!song) {
      learnName(client, author);
    }
    this.#log.publication(publication, { own, recovered, author, song });
  }

  #toggleCut(): void {
    if (this.cut) {
      this.#mend();
      return;
    }
    this.#cutLeft = CUT_SECONDS;
    this.#outage = new Outage();
    this.#log.note("The connection is cut.", "bad");
    this.#cable.cut();
    this.#countDown();
  }

  #countDown(): void {
    const button = this.#find(".cut");
    button.textContent = this.cut ? `Mend it (${this.#cutLeft} s)` : "Cut the connection";
    if (this.cut) {
      setTimeout(() => this.#tick(), 1_000);
    }
  }

  #tick(): void {
    if (!this.cut) {
      return;
    }
    this.#cutLeft -= 1;
    if (this.cut) {
      this.#countDown();
    } else {
      this.#mend();
    }
  }

  /** The client finds out by itself; the news that a network is back shortens its wait. */
  #mend(): void {
    this.#cutLeft = 0;
    this.#countDown();
    this.#cable.mend();
    window.dispatchEvent(new Event("online"));
  }

  async #measure(): Promise<void> {
    if (document.visibilityState === "hidden") {
      return;
    }
    const time = await this.#client.ping().catch(() => undefined);
    this.#plot.add(time);
    this.#find(".time").textContent = time === undefined ? "–" : formatTime(time);
  }

  #complain(what: string, error: unknown): void {
    const { message, hint = "" } = error as { message: string; hint?: string };
    this.#log.note(`${what}: ${message} ${hint}`.trim(), "bad");
  }
}
