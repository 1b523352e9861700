/**
 * Which transports are open, and which of them carries the session: a pure state machine, without
 * clock, timer or socket. When the session connects, ways are begun side by side, and the first
 * that brings `connected` carries it; a transport works when something arrives over it, not when
 * it opens. A better one that opens later takes the session over while the old one still delivers.
 */

import { Backoff } from "./backoff.js";
import { courtesyOf, DRAIN, hedgeOf, MUTE, PATIENCE, RELIABLE, STALE, TRY } from "./route/delays.js";
import type { Memory } from "./route/memory.js";
import type { Hello, RouteOutput, Why } from "./route/output.js";
import { betterThan, planOf } from "./route/plan.js";
import type { Way } from "./route/way.js";
import type { Closed, TransportName } from "./transport.js";

/** What a route is made of. */
export interface RouteOptions {
  /** The transports that can be used, the preferred first. */
  readonly names: readonly TransportName[];
  readonly memory: Memory;
  /** Numbers in [0, 1). */
  readonly random: () => number;
}

const NO_TRANSPORT: Closed = {
  code: 0,
  reason: "There is no transport that this program can use.",
};

/** The route of one client. */
export class Route {
  readonly #options: RouteOptions;
  readonly #ways = new Map<number, Way>();
  readonly #tries = new Backoff(TRY.min, TRY.max);
  #outputs: RouteOutput[] = [];
  #lastId = 0;
  #racing = false;
  #waiting: TransportName[] = [];
  /** What failed in this race. Whether that means anything is known when something else works. */
  #failed = new Set<TransportName>();
  #worst: Closed = NO_TRANSPORT;
  #current: Way | undefined;
  /** The way that has connected and waits for the current one to deliver its last. */
  #next: Way | undefined;
  /** Why the current way has ended, while another may still take over. */
  #ended: Closed | undefined;
  #carriedBy: TransportName | undefined;
  #steady: TransportName | undefined;
  #doubted: TransportName | undefined;
  #hedgeAt = Infinity;
  #tryAt = Infinity;
  /** When the move that is under way is decided, one way or the other. */
  #moveEnds = Infinity;

  constructor(options: RouteOptions) {
    this.#options = options;
  }

  /** The transport that carries the session. */
  get transport(): TransportName | undefined {
    return this.#current?.name;
  }

  /** Whether a session is beginning or coming back, and nothing has brought `connected` yet. */
  get racing(): boolean {
    return this.#racing;
  }

  /** Whether another way is about to take over, so that the current one takes nothing any more. */
  get moving(): boolean {
    return this.#next !== undefined || this.#ended !== undefined;
  }

  // What the session asks.

  /** Opens ways for a session that connects. */
  dial(now: number): void {
    this.#reset("a new try");
    this.#racing = true;
    this.#failed.clear();
    this.#worst = NO_TRANSPORT;
    const { names, memory } = this.#options;
    const standing = (name: TransportName) => memory.standing(now, name);
    const plan = planOf({ names, standing, steady: this.#steady, doubted: this.#doubted });
    this.#waiting = [...plan.later];
    plan.now.forEach((name) => this.#open(now, name, "first"));
    this.#hedge(now);
    this.#endRaceIfLost();
  }

  /** Ends every way. `reason` is the session's word for why. */
  hangUp(reason: string): void {
    if (reason === "silent") {
      this.#doubted = this.#current?.name;
    } else {
      this.#steady = this.#current?.name ?? this.#steady;
    }
    this.#reset(reason);
  }

  // What the world tells.

  /** A WebSocket is open. */
  handleOpen(now: number, id: number): void {
    const way = this.#ways.get(id);
    if (way === undefined) {
      return;
    }
    // A stream that is about to speak makes a session; moving to it is better than making another.
    way.speakAt = now + (this.#waitsForRivals(way) ? courtesyOf(now - way.since) : 0);
    this.#speakIfDue(now);
  }

  #waitsForRivals(way: Way): boolean {
    const rivals = [...this.#ways.values()].filter((other) => other !== way && other.spoken);
    return this.#racing && rivals.length > 0;
  }

  #waitsForBetter({ name }: Way): boolean {
    const better = betterThan(this.#options.names, name);
    return [...this.#ways.values()].some((other) => better.includes(other.name));
  }

  /** `connected` came over a way. */
  handleConnected(now: number, id: number): void {
    const way = this.#ways.get(id);
    if (way === undefined || way === this.#current) {
      return;
    }
    if (way.hello === "probe") {
      // One move is better than two.
      way.speakAt = now + (this.#waitsForBetter(way) ? courtesyOf(now - way.since) : 0);
      this.#speakIfDue(now);
    } else if (this.#racing || this.#ended !== undefined) {
      this.#carry(now, way);
    } else {
      this.#next = way;
      this.#moveEnds = now + DRAIN;
    }
  }

  /**
   * The server closed the current connection because another took over. Returns whether that is
   * one of ours, so that the session need not know.
   */
  handleReplaced(now: number, id: number): boolean {
    const way = this.#current;
    if (way?.id !== id || !this.#hasHeir) {
      return false;
    }
    this.#drop(way, "replaced");
    this.#pass(now, { code: 0, reason: "Replaced." });
    return true;
  }

  /** A way could not be opened, was refused, or has ended. */
  handleClosed(now: number, id: number, closed: Closed): void {
    const way = this.#ways.get(id);
    if (way === undefined) {
      return;
    }
    this.#ways.delete(id);
    if (way === this.#current) {
      this.#handleCurrentClosed(now, way, closed);
    } else if (this.#racing) {
      this.#handleRivalClosed(now, way, closed);
    } else {
      this.#handleHeirClosed(now, way);
    }
  }

  #handleCurrentClosed(now: number, way: Way, closed: Closed): void {
    if (this.#hasHeir) {
      this.#pass(now, closed);
      return;
    }
    this.#doubted = way.name;
    if (now - way.carries < RELIABLE) {
      this.#options.memory.handleFailed(now, way.name);
    }
    this.#fail(closed);
  }

  #handleRivalClosed(now: number, way: Way, closed: Closed): void {
    this.#failed.add(way.name);
    // What the server said is worth more than that something did not work.
    if (this.#worst.refused === undefined || closed.refused !== undefined) {
      this.#worst = closed;
    }
    if (closed.answered === true || isOfAll(closed)) {
      this.#fail(closed);
      return;
    }
    this.#openNext(now);
    this.#hurry(now);
    this.#endRaceIfLost();
  }

  /** An open WebSocket has nobody to wait for any more. */
  #hurry(now: number): void {
    for (const way of this.#ways.values()) {
      if (way.speakAt !== Infinity && !this.#waitsForRivals(way)) {
        way.speakAt = now;
      }
    }
    this.#speakIfDue(now);
  }

  #handleHeirClosed(now: number, way: Way): void {
    this.#options.memory.handleFailed(now, way.name);
    this.#endMove(now);
  }

  /** Nothing came of a move: the next one may begin. */
  #endMove(now: number): void {
    if (this.#hasHeir) {
      return;
    }
    this.#next = undefined;
    this.#moveEnds = Infinity;
    this.#speakIfDue(now);
    if (this.#ended !== undefined && !this.#hasHeir) {
      this.#fail(this.#ended);
    }
  }

  /** There is news of the network: a better transport may work now. */
  handleWake(now: number): void {
    this.#tries.reset();
    if (this.#tryAt !== Infinity) {
      this.#tryAt = Math.min(this.#tryAt, now + 1_000 + 2_000 * this.#options.random());
    }
  }

  /** Time has passed. */
  handleTimeout(now: number): void {
    this.#speakIfDue(now);
    if (now >= this.#hedgeAt) {
      this.#openBeside(now);
    }
    if (now >= this.#moveEnds) {
      this.#handleMoveEnds(now);
    }
    if (now >= this.#tryAt && this.#current !== undefined) {
      this.#tryBetter(now);
    }
  }

  #handleMoveEnds(now: number): void {
    if (this.#next !== undefined) {
      this.#carry(now, this.#next);
      return;
    }
    for (const mute of this.#heirs) {
      this.#options.memory.handleFailed(now, mute.name);
      this.#drop(mute, "it said nothing");
    }
    this.#endMove(now);
  }

  // What the route tells.

  /** The next thing to do. Call it until there is none. */
  poll(): RouteOutput | undefined {
    return this.#outputs.shift();
  }

  /** When `handleTimeout` is due; `Infinity` for never. */
  get deadline(): number {
    const speaks = this.#mayBegin ? [...this.#ways.values()].map(({ speakAt }) => speakAt) : [];
    const tryAt = this.#current === undefined ? Infinity : this.#tryAt;
    return Math.min(this.#hedgeAt, tryAt, this.#moveEnds, ...speaks);
  }

  // Racing.

  #hedge(now: number): void {
    this.#hedgeAt = now + hedgeOf(this.#options.memory.took, this.#waiting.length === 0);
  }

  #openNext(now: number): void {
    const name = this.#waiting.shift();
    if (name !== undefined) {
      this.#hedge(now);
      this.#open(now, name, "first");
    }
  }

  /** Nobody has spoken for a while. */
  #openBeside(now: number): void {
    if (this.#waiting.length > 0) {
      this.#openNext(now);
      return;
    }
    this.#hedgeAt = Infinity;
    const asking = [...this.#ways.values()].map(({ name }) => name);
    const again = this.#options.names.find((one) => one !== "websocket" && asking.includes(one));
    if (again !== undefined) {
      this.#open(now, again, "first");
    }
  }

  #endRaceIfLost(): void {
    if (this.#racing && this.#ways.size === 0 && this.#waiting.length === 0) {
      this.#fail(this.#worst);
    }
  }

  #open(now: number, name: TransportName, hello: Hello): void {
    const id = ++this.#lastId;
    const spoken = name !== "websocket";
    const times = { since: now, speakAt: Infinity, carries: Infinity };
    this.#ways.set(id, { id, name, hello, spoken, ...times });
    this.#outputs.push({ do: "open", way: id, name, hello });
  }

  /** Whether a way may say hello: a live session moves to one at a time. */
  get #mayBegin(): boolean {
    return this.#racing || !this.#hasHeir;
  }

  #speakIfDue(now: number): void {
    const { names } = this.#options;
    const due = [...this.#ways.values()].filter(({ speakAt }) => speakAt <= now);
    due.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
    for (const way of due) {
      if (this.#mayBegin) {
        this.#begin(now, way);
      }
    }
  }

  #begin(now: number, way: Way): void {
    way.speakAt = Infinity;
    if (way.hello === "probe") {
      this.#drop(way, "it works");
      this.#open(now, way.name, "move");
    } else {
      way.spoken = true;
      this.#outputs.push({ do: "speak", way: way.id, hello: this.#racing ? "first" : "move" });
    }
    if (!this.#racing) {
      this.#moveEnds = now + (this.#ended === undefined ? MUTE : PATIENCE);
    }
  }

  // Carrying and moving.

  #carry(now: number, way: Way): void {
    const { memory } = this.#options;
    this.#failed.delete(way.name);
    this.#failed.forEach((name) => memory.handleFailed(now, name));
    this.#failed.clear();
    memory.handleWorked(now, way.name, now - way.since);
    const why = this.#whyCarried(way);
    const redial = this.#racing ? this.#dropLosers(way) : [];
    this.#takeOver(now, way);
    this.#outputs.push({ do: "carry", way: way.id, why });
    this.#dropWorse(way);
    redial.forEach((name) => this.#open(now, name, "move"));
    this.#hurry(now);
    this.#planTry(now);
  }

  #takeOver(now: number, way: Way): void {
    if (this.#current !== undefined) {
      this.#drop(this.#current, "moved");
    }
    way.carries = now;
    this.#current = way;
    this.#carriedBy = way.name;
    this.#racing = false;
    this.#waiting = [];
    this.#steady = this.#doubted = this.#next = this.#ended = undefined;
    this.#hedgeAt = this.#moveEnds = Infinity;
  }

  #whyCarried({ name }: Way): Why {
    if (this.#carriedBy === undefined) {
      return "first";
    }
    const better = betterThan(this.#options.names, this.#carriedBy);
    return !this.#racing && better.includes(name) ? "better" : "lost";
  }

  /**
   * Whoever has said hello in the race and was not first has made another session. A WebSocket
   * that got that far works, and is opened anew to move to.
   */
  #dropLosers(winner: Way): TransportName[] {
    const losers = [...this.#ways.values()].filter((way) => way !== winner && way.spoken);
    losers.forEach((way) => this.#drop(way, "another was faster"));
    const better = betterThan(this.#options.names, winner.name);
    const opened = losers.filter(({ name }) => name === "websocket" && better.includes(name));
    return opened.map(({ name }) => name);
  }

  #dropWorse(winner: Way): void {
    const better = betterThan(this.#options.names, winner.name);
    for (const way of [...this.#ways.values()]) {
      if (way !== winner && !better.includes(way.name)) {
        this.#drop(way, "not needed");
      }
    }
  }

  get #better(): TransportName[] {
    return this.#current === undefined ? [] : betterThan(this.#options.names, this.#current.name);
  }

  /** A try that is planned already stays so, however often the session is resumed meanwhile. */
  #planTry(now: number): void {
    if (this.#better.length === 0) {
      this.#tryAt = Infinity;
      this.#tries.reset();
    } else if (this.#tryAt === Infinity || this.#tryAt <= now) {
      this.#tryAt = now + this.#tries.next(this.#options.random());
    }
  }

  #tryBetter(now: number): void {
    if (!this.#hasHeir) {
      this.#dropStale(now);
      const pending = [...this.#ways.values()].map(({ name }) => name);
      const streams = this.#better.filter((name) => name !== "websocket").slice(0, 1);
      const names = this.#better.filter((name) => name === "websocket" || streams.includes(name));
      for (const name of names.filter((one) => !pending.includes(one))) {
        // Only a WebSocket shows that it works before the session is given to it.
        this.#open(now, name, name === "websocket" ? "move" : "probe");
      }
    }
    this.#planTry(now);
  }

  /** What was begun long ago and is still not there does not work. */
  #dropStale(now: number): void {
    const stale = (way: Way) => way !== this.#current && now - way.since >= STALE;
    for (const way of [...this.#ways.values()].filter(stale)) {
      this.#options.memory.handleFailed(now, way.name);
      this.#drop(way, "it did not open");
    }
  }

  get #heirs(): Way[] {
    const said = (way: Way) => way.spoken && way.hello !== "probe" && way !== this.#current;
    return this.#racing ? [] : [...this.#ways.values()].filter(said);
  }

  get #hasHeir(): boolean {
    return this.#heirs.length > 0;
  }

  /** The current way has ended while another is taking over. */
  #pass(now: number, closed: Closed): void {
    this.#current = undefined;
    this.#ended = closed;
    if (this.#next !== undefined) {
      this.#carry(now, this.#next);
    } else {
      this.#moveEnds = now + PATIENCE;
    }
  }

  // Ending.

  #fail(closed: Closed): void {
    this.#reset("no way is left");
    this.#outputs.push({ do: "fail", closed });
  }

  #reset(reason: string): void {
    [...this.#ways.values()].forEach((way) => this.#drop(way, reason));
    this.#racing = false;
    this.#waiting = [];
    this.#current = this.#next = this.#ended = undefined;
    this.#hedgeAt = this.#moveEnds = Infinity;
  }

  #drop(way: Way, reason: string): void {
    this.#ways.delete(way.id);
    this.#outputs.push({ do: "drop", way: way.id, reason });
  }
}

/**
 * Whether it would be the same on every transport: a refusal of who the client is, the server's
 * word when to come back, or whether to.
 */
function isOfAll({ refused }: Closed): boolean {
  const { code = 0, after } = refused ?? {};
  return (code >= 1100 && code <= 1199) || code >= 3000 || (code !== 0 && after !== undefined);
}
