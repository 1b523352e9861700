/**
 * The client's line to its server: opens and closes transports as the route says, and turns
 * commands and events into frames and back. Decides neither about the session nor about the ways
 * there; it has the sockets, and the route's timer.
 */

import { codes } from "./codes.js";
import type { Dialer } from "./dialer.js";
import { pack } from "./packing.js";
import { Route } from "./route.js";
import type { Memory } from "./route/memory.js";
import type { Hello, RouteOutput, Why } from "./route/output.js";
import type { Meter } from "./traffic.js";
import type { Closed, Transport, TransportEvents, TransportName } from "./transport.js";
import type { Command, Connected, Event, Frame } from "./wire.js";

/** The session's transport has changed. */
export interface TransportChange {
  /** Absent for the first one. */
  readonly from?: TransportName;
  readonly to: TransportName;
  readonly why: Why;
}

/** What the line tells and asks. */
export interface LineEvents {
  onevents(events: Event[]): void;
  onalive(): void;
  onclose(closed: Closed): void;
  /** A command is larger than the server takes. */
  ontoolarge(id: number): void;
  ontransport(change: TransportChange): void;
  /** The `connect` of a live session that moves, or of a probe; none when it is not live. */
  onhello(hello: "move" | "probe"): Command | undefined;
}

/** What a line is made of. */
export interface LineOptions {
  readonly dialer: Dialer;
  readonly memory: Memory;
  readonly meter: Meter;
  readonly now: () => number;
}

/** What the server may answer to `connect`. */
const FIRST_ANSWERS: readonly Event["name"][] = ["connected", "error", "close"];

/** A transport as the line holds it, and what came over it before it carried the session. */
interface Way {
  readonly id: number;
  readonly name: TransportName;
  readonly hello: Hello;
  transport: Transport | undefined;
  /** Whether its hello makes a client that the server has not known. */
  newcomer: boolean;
  held: Event[];
  connected: Connected | undefined;
  began: number;
}

/** The line of one client. */
export class Line {
  readonly #options: LineOptions;
  readonly #events: LineEvents;
  readonly #route: Route;
  readonly #ways = new Map<number, Way>();
  /** The server that the session is with; its uplink and its moves go to the same. */
  #address = "";
  #first: readonly Command[] = [];
  #current: Way | undefined;
  #last: TransportName | undefined;
  /** Whether the client goes for good. */
  #leaves = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LineOptions, events: LineEvents) {
    const { dialer, memory } = options;
    this.#options = options;
    this.#events = events;
    this.#route = new Route({ names: dialer.names, memory, random: Math.random });
  }

  /** The transport in use. */
  get transport(): TransportName | undefined {
    return this.#current?.name;
  }

  /** Opens transports to the server at `address` that carry `commands` first. */
  dial(address: string, commands: readonly Command[]): void {
    this.#address = address;
    this.#first = commands;
    this.#route.dial(this.#options.now());
    // Not yet: the session must have ended its turn before it can hear of the end of this.
    queueMicrotask(() => this.#drive());
  }

  /** Ends every transport, or the tries for one; `leaves` when the client goes for good. */
  hangUp(reason: string, leaves: boolean): void {
    this.#leaves = leaves;
    this.#route.hangUp(reason);
    this.#drive();
  }

  /** There is news of the network. */
  handleWake(): void {
    this.#route.handleWake(this.#options.now());
    this.#drive();
  }

  /** Sends commands. While another way takes over nothing is: the session sends it anew. */
  send(commands: readonly Command[]): void {
    const way = this.#current;
    if (way?.connected !== undefined && !this.#route.moving) {
      const codec = this.#options.dialer.codec(way.name);
      const limit = way.connected.frame_bytes;
      const frames = pack(codec, commands, limit, (id) => this.#events.ontoolarge(id));
      frames.forEach((frame) => way.transport?.send(frame));
    }
  }

  // Carrying out what the route says.

  #tell(take: (now: number) => void): void {
    take(this.#options.now());
    this.#drive();
  }

  #drive(): void {
    const now = this.#options.now();
    if (now >= this.#route.deadline) {
      this.#route.handleTimeout(now);
    }
    for (let output; (output = this.#route.poll()) !== undefined;) {
      this.#carryOut(output);
    }
    this.#setTimer();
  }

  #setTimer(): void {
    clearTimeout(this.#timer);
    const { deadline } = this.#route;
    if (deadline !== Infinity) {
      const wait = Math.max(0, Math.ceil(deadline - this.#options.now()));
      this.#timer = setTimeout(() => this.#drive(), wait);
    }
  }

  #carryOut(output: RouteOutput): void {
    switch (output.do) {
      case "open":
        return this.#open(output.way, output.name, output.hello);
      case "speak":
        return this.#speak(output.way, output.hello);
      case "carry":
        return this.#carry(output.way, output.why);
      case "drop":
        return this.#drop(output.way, output.reason);
      case "fail":
        this.#current = undefined;
        return this.#events.onclose(output.closed);
    }
  }

  #open(id: number, name: TransportName, hello: Hello): void {
    const { now } = this.#options;
    const nothing = { transport: undefined, held: [], connected: undefined, newcomer: false };
    const way: Way = { id, name, hello, ...nothing, began: now() };
    this.#ways.set(id, way);
    try {
      way.transport = this.#dial(way);
    } catch (error) {
      // A transport may fail at once, such as a WebSocket that the page's policy forbids.
      const reason = error instanceof Error ? error.message : String(error);
      this.#close(way, { code: 0, reason });
    }
  }

  #dial(way: Way): Transport | undefined {
    const { dialer } = this.#options;
    const events = this.#listen(way);
    if (way.name === "websocket") {
      return dialer.socket(this.#address, events);
    }
    const first = this.#hello(way, way.hello);
    if (first === undefined) {
      this.#close(way, { code: 0, reason: "The session is not there to move." });
      return undefined;
    }
    return dialer.oneWay(way.name, this.#address, first, events);
  }

  #listen(way: Way): TransportEvents {
    return {
      onopen: () => this.#tell((now) => this.#route.handleOpen(now, way.id)),
      onframe: (frame) => this.#handleFrame(way, frame),
      onalive: () => (way === this.#current ? this.#events.onalive() : undefined),
      ontraffic: (up, down) => this.#options.meter.add(way.name, up, down),
      onclose: (closed) => this.#close(way, closed),
    };
  }

  #hello(way: Way, hello: Hello): Frame | undefined {
    const asked = hello === "first" ? undefined : this.#events.onhello(hello);
    const commands = hello === "first" ? this.#first : asked === undefined ? [] : [asked];
    const codec = this.#options.dialer.codec(way.name);
    way.newcomer = hello === "first" && commands.some(isOfNewcomer);
    return commands.length === 0 ? undefined : codec.join(commands.map(codec.encode));
  }

  #speak(id: number, hello: Hello): void {
    const way = this.#ways.get(id);
    const first = way === undefined ? undefined : this.#hello(way, hello);
    if (way !== undefined && first !== undefined) {
      way.began = this.#options.now();
      way.transport?.send(first);
    }
  }

  #carry(id: number, why: Why): void {
    const way = this.#ways.get(id);
    if (way === undefined) {
      return;
    }
    this.#current = way;
    const { held } = way;
    way.held = [];
    this.#announce(way.name, why);
    this.#deliver(way, held);
  }

  #announce(to: TransportName, why: Why): void {
    const from = this.#last;
    this.#last = to;
    if (from !== to) {
      this.#events.ontransport({ ...(from === undefined ? {} : { from }), to, why });
    }
  }

  #drop(id: number, reason: string): void {
    const way = this.#ways.get(id);
    this.#ways.delete(id);
    if (way === this.#current) {
      this.#current = undefined;
    }
    if (way !== undefined && this.#leavesBy(way)) {
      way.transport?.leave(reason);
    } else {
      way?.transport?.close(1000, reason);
    }
  }

  /**
   * Who said `connect` in a race and was not first is another client to the server, and a member
   * of its channels. With a grant it would be this one, which stays.
   */
  #leavesBy({ hello, newcomer, connected }: Way): boolean {
    const stray = newcomer && connected === undefined;
    return hello !== "probe" && (this.#leaves || stray);
  }

  #close(way: Way, closed: Closed): void {
    if (this.#ways.delete(way.id)) {
      // Not at once: a transport may end while it is being made.
      queueMicrotask(() => this.#tell((now) => this.#route.handleClosed(now, way.id, closed)));
    }
  }

  // What comes.

  #handleFrame(way: Way, frame: Frame): void {
    let events: Event[];
    try {
      events = this.#options.dialer.codec(way.name).decode(frame);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      way.transport?.close(3500, "a frame that could not be read");
      this.#close(way, { code: 0, reason: `The server sent what is no frame (${detail}).` });
      return;
    }
    if (!this.#ways.has(way.id)) {
      this.#handleLast(way, events);
    } else if (way === this.#current) {
      this.#deliver(way, events);
    } else {
      this.#hold(way, events);
    }
  }

  /** What comes over a way that was dropped is for nobody, but it may name a session to leave. */
  #handleLast(way: Way, events: Event[]): void {
    const first = events.find(({ name }) => FIRST_ANSWERS.includes(name));
    if (first?.name === "connected") {
      way.transport?.handleConnected(first.body);
    } else if (first !== undefined) {
      way.transport?.close(1000, "refused");
    }
  }

  /** The close of a connection that another of ours has replaced is no news for the session. */
  #deliver(way: Way, events: Event[]): void {
    const end = events.findIndex(({ name, body }) => name === "close" && isReplaced(body));
    const replaced = end >= 0 && this.#route.handleReplaced(this.#options.now(), way.id);
    const told = replaced ? events.slice(0, end) : events;
    if (told.length > 0) {
      this.#events.onevents(told);
    }
    if (replaced) {
      this.#drive();
    }
  }

  /** What comes over a way that does not carry the session waits until it does. */
  #hold(way: Way, events: Event[]): void {
    way.held.push(...events);
    if (way.connected !== undefined) {
      return;
    }
    const first = way.held.find(({ name }) => FIRST_ANSWERS.includes(name));
    if (first?.name === "connected") {
      way.held = way.held.slice(way.held.indexOf(first));
      this.#handleConnected(way, first.body);
    } else if (first?.name === "close" && this.#route.racing) {
      this.#events.onevents([first]);
    } else if (first !== undefined) {
      this.#refuse(way, first);
    }
  }

  #refuse(way: Way, answer: Event): void {
    const refused = answer.name === "error" ? { refused: answer.body, answered: true } : {};
    way.transport?.close(1000, "refused");
    this.#close(way, { code: 0, reason: "The server refused.", ...refused });
  }

  #handleConnected(way: Way, connected: Connected): void {
    way.connected = connected;
    way.transport?.handleConnected(connected);
    const now = this.#options.now();
    this.#options.meter.measure(now - way.began);
    this.#tell(() => this.#route.handleConnected(now, way.id));
  }
}

function isOfNewcomer({ name, body }: Command): boolean {
  return name === "connect" && body.grant === undefined;
}

function isReplaced(body: unknown): boolean {
  return (body as { code?: number }).code === codes.replaced;
}
