/**
 * The client as applications see it. It gives the session a clock, a timer, a line to the server
 * and promises for its answers; what to do when is decided in the session.
 */

import { baseOf } from "./address.js";
import { codes } from "./codes.js";
import { formatCursor, parseCursor } from "./cursor.js";
import { Emitter } from "./emitter.js";
import { MartletError, refusal } from "./error.js";
import { Dialer } from "./dialer.js";
import { Line, type TransportChange } from "./line.js";
import type { HistoryPage, Position, Presence, Published } from "./model.js";
import {
  AGENT,
  timeOf,
  timeoutOf,
  type GetToken,
  type HistoryOptions,
  type MartletOptions,
  type PublishOptions,
  type SubscribeOptions,
} from "./options.js";
import { Naps } from "./naps.js";
import { networkTo, storageFor } from "./network.js";
import { isHidden, watchPage } from "./page.js";
import { Memory } from "./route/memory.js";
import { Session } from "./session.js";
import type { Output, State } from "./session/output.js";
import { Subscription } from "./subscription.js";
import { Meter, type Traffic } from "./traffic.js";
import type { Closed, TransportName } from "./transport.js";
import type { Commands, Draft, Event } from "./wire.js";

/** What a client tells. */
export interface MartletEvents {
  /** The client's state has changed. */
  state: State;
  /** The server began a subscription by itself. */
  subscription: Subscription;
  /** Another transport carries the session; nothing is missed by that. */
  transport: TransportChange;
  /** Something went wrong that no promise and no subscription tells. */
  error: MartletError;
}

/** The longest that a browser's timer can wait. */
const TIMER_MAX = 2 ** 31 - 1;
/** How often at least a page that is seen looks whether the computer slept. */
const NAP_CHECK = 15_000;
const QUEUE = 256;
const QUEUE_BYTES = 8 * 1024 * 1024;

interface Settler {
  resolve(event: Event): void;
  reject(error: MartletError): void;
}

/** A client of one martlet server. */
export class Martlet extends Emitter<MartletEvents> {
  readonly #session: Session;
  readonly #line: Line;
  readonly #getToken: GetToken | undefined;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #channelTokens = new Map<string, GetToken>();
  readonly #settlers = new Map<number, Settler>();
  readonly #meter = new Meter();
  readonly #naps = new Naps();
  readonly #start: Map<string, Position>;
  readonly #unwatch: () => void;
  #state: State = { state: "disconnected", code: 0, name: "new", message: "Not connected yet." };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #driving = false;

  /** A client of the server at `url`. It connects by itself unless told not to. */
  constructor(url: string, options: MartletOptions = {}) {
    super();
    const home = baseOf(url);
    this.#getToken = options.getToken;
    this.#start = parseCursor(options.cursor ?? "");
    this.#session = new Session({
      home,
      agent: options.agent ?? AGENT,
      token: options.token,
      fetches: options.getToken !== undefined,
      backoffMin: options.backoffMin ?? 250,
      backoffMax: options.backoffMax ?? 20_000,
      connectTimeout: options.connectTimeout ?? 10_000,
      timeout: timeoutOf(options),
      queue: options.queue ?? QUEUE,
      queueBytes: options.queueBytes ?? QUEUE_BYTES,
      random: Math.random,
    });
    this.#line = this.#newLine(home, options);
    this.#unwatch = watchPage({
      onwake: () => this.#handleWake(),
      onfreeze: () => this.#handleFreeze(),
    });
    if (options.autoConnect ?? true) {
      this.connect();
    }
  }

  #newLine(home: string, options: MartletOptions): Line {
    // Which transports pass is the network's matter, and hardly the node's.
    const memory = new Memory(storageFor(options.storage), () => networkTo(home));
    const dialer = new Dialer(options);
    const parts = { dialer, memory, meter: this.#meter, now: () => this.#now() };
    return new Line(parts, {
      onevents: (events) => this.#handleEvents(events),
      onalive: () => this.#input((now) => this.#session.handleAlive(now)),
      onclose: (closed) => this.#handleClosed(closed),
      ontoolarge: (id) => this.#input(() => this.#session.handleTooLarge(id)),
      ontransport: (change) => this.emit("transport", change),
      onhello: (hello) =>
        hello === "probe" ? this.#session.probe() : this.#session.move(this.#now()),
    });
  }

  /** How the client is. */
  get state(): State["state"] {
    return this.#state.state;
  }

  /** The client's public name, once it was connected. */
  get id(): string | undefined {
    return this.#session.connected?.client;
  }

  /** The user it acts for, if it has one. */
  get user(): string | undefined {
    return this.#session.connected?.user;
  }

  /** The transport in use. */
  get transport(): TransportName | undefined {
    return this.#line.transport;
  }

  /** Bytes and round trips, as far as they were measured. */
  get traffic(): Traffic {
    return this.#meter.traffic;
  }

  /** The positions in all channels, as one text to come back with. */
  get cursor(): string {
    return formatCursor(this.#session.positions());
  }

  /** Connects, after the server or `autoConnect` kept the client away. */
  connect(): void {
    this.#input((now) => this.#session.connect(now));
  }

  /** Ends everything: the connection, all subscriptions, and what waits. */
  close(): void {
    this.#unwatch();
    this.#session.close();
    this.#drive();
  }

  /** Follows a channel. Throws when the client follows it already. */
  subscribe(channel: string, options: SubscribeOptions = {}): Subscription {
    const { position = this.#start.get(channel), token, getToken } = options;
    const since = options.since === undefined ? undefined : timeOf(options.since, Date.now());
    const fetches = getToken !== undefined;
    this.#session.subscribe(channel, { position, since, token, fetches });
    this.#start.delete(channel);
    if (getToken !== undefined) {
      this.#channelTokens.set(channel, getToken);
    }
    this.#schedule();
    return this.#begin(channel);
  }

  #begin(channel: string): Subscription {
    const unsubscribe = () => this.#input(() => this.#session.unsubscribe(channel));
    const subscription = new Subscription(channel, unsubscribe);
    this.#subscriptions.set(channel, subscription);
    return subscription;
  }

  /** The subscription to `channel`, if there is one. */
  subscription(channel: string): Subscription | undefined {
    return this.#subscriptions.get(channel);
  }

  /**
   * Publishes `data`, any JSON value, or bytes. Resolves when the server's store took it. While
   * there is no connection it waits, and is published once however often it had to be sent.
   */
  async publish(channel: string, data: unknown, options: PublishOptions = {}): Promise<Published> {
    const { key = crypto.randomUUID(), name, ref, tags } = options;
    const draft: Draft = { channel, ...content(data), key };
    const rest = Object.entries({ name, ref, tags }).filter(([, value]) => value !== undefined);
    const answer = await this.#ask("publish", { ...draft, ...Object.fromEntries(rest) });
    return answer.body as Published;
  }

  /** Reads a page of history. */
  async history(channel: string, options: HistoryOptions = {}): Promise<HistoryPage> {
    const { limit, reverse, position } = options;
    const since = options.since === undefined ? undefined : timeOf(options.since, Date.now());
    const start = position ?? { since };
    const fields = Object.entries({ limit, reverse, ...start });
    const given = fields.filter(([, value]) => value !== undefined);
    const answer = await this.#ask("history", { channel, ...Object.fromEntries(given) });
    return answer.body as HistoryPage;
  }

  /** Asks who is in a channel. */
  async presence(channel: string): Promise<Presence> {
    const answer = await this.#ask("presence", { channel });
    return answer.body as Presence;
  }

  /** Measures a round trip to the server and back, in milliseconds. */
  async ping(): Promise<number> {
    if (this.state !== "connected") {
      throw refusal("disconnected");
    }
    const began = performance.now();
    await this.#ask("ping", {});
    const took = performance.now() - began;
    this.#meter.measure(took);
    return took;
  }

  #ask<K extends "publish" | "history" | "presence" | "ping">(
    name: K,
    body: Commands[K],
  ): Promise<Event> {
    return new Promise((resolve, reject) => {
      this.#input((now) => {
        const id = this.#session.ask(now, name, body);
        this.#settlers.set(id, { resolve, reject });
      });
    });
  }

  /** Unix time that never goes back, whatever happens to the computer's clock. */
  #now(): number {
    return performance.timeOrigin + performance.now();
  }

  #input(take: (now: number) => void): void {
    take(this.#now());
    this.#schedule();
  }

  /** Outputs wait for the end of the tick, so that what is asked in one tick goes in one frame. */
  #schedule(): void {
    if (!this.#driving) {
      this.#driving = true;
      queueMicrotask(() => this.#drive());
    }
  }

  #drive(): void {
    this.#driving = true;
    const now = this.#now();
    try {
      this.#advance(now);
    } finally {
      this.#driving = false;
      this.#setTimer(now);
    }
  }

  #advance(now: number): void {
    if (now >= this.#session.deadline) {
      this.#session.handleTimeout(now);
    }
    for (let output; (output = this.#session.poll(now)) !== undefined;) {
      this.#carryOut(output);
    }
  }

  #setTimer(now: number): void {
    clearTimeout(this.#timer);
    const { deadline } = this.#session;
    if (deadline !== Infinity) {
      const most = isHidden() ? TIMER_MAX : NAP_CHECK;
      const wait = Math.min(Math.max(0, Math.ceil(deadline - now)), most);
      this.#timer = setTimeout(() => this.#handleTimer(now + wait), wait);
    }
  }

  #handleTimer(due: number): void {
    if (this.#naps.handleTimer(due, this.#now(), Date.now())) {
      this.#handleWake();
    }
    this.#drive();
  }

  #handleWake(): void {
    this.#line.handleWake();
    this.#input((now) => this.#session.handleWake(now));
  }

  /** Carried out at once: there may be no later. */
  #handleFreeze(): void {
    this.#session.handleFreeze();
    this.#drive();
  }

  #carryOut(output: Output): void {
    switch (output.do) {
      case "dial":
        return this.#line.dial(output.address, output.commands);
      case "hang_up":
        return this.#line.hangUp(output.reason, output.leaves);
      case "send":
        return this.#line.send(output.commands);
      case "fetch_token":
        return this.#fetchToken(output.channel);
      case "settle":
        return this.#settle(output.id, output.answer);
      case "state":
        this.#state = output.state;
        return this.emit("state", output.state);
      case "complain":
        return this.emit("error", output.error);
      default:
        return this.#tell(output);
    }
  }

  #tell(output: Extract<Output, { do: "begin" | "tell" }>): void {
    const { channel } = output;
    if (output.do === "begin") {
      this.emit("subscription", this.#begin(channel));
      return;
    }
    const subscription = this.#subscriptions.get(channel);
    if (output.event.name === "unsubscribed") {
      this.#subscriptions.delete(channel);
      this.#channelTokens.delete(channel);
    }
    subscription?.handleEvent(output.event);
  }

  #settle(id: number, answer: Event | MartletError): void {
    const settler = this.#settlers.get(id);
    this.#settlers.delete(id);
    if (answer instanceof MartletError) {
      settler?.reject(answer);
    } else {
      settler?.resolve(answer);
    }
  }

  #fetchToken(channel: string | undefined): void {
    const getToken = channel === undefined ? this.#getToken : this.#channelTokens.get(channel);
    const fetched = Promise.resolve().then(() => getToken?.());
    fetched.then(
      (token) => this.#input((now) => this.#session.handleToken(now, channel, token ?? undefined)),
      (error: unknown) =>
        this.#input((now) => this.#session.handleToken(now, channel, undefined, error)),
    );
  }

  #handleEvents(events: Event[]): void {
    for (const event of events) {
      this.#session.handleEvent(this.#now(), event);
    }
    this.#schedule();
  }

  #handleClosed({ code, reason, refused }: Closed): void {
    const message = reason === "" ? "The connection was lost." : reason;
    this.#input((now) => {
      if (refused !== undefined) {
        this.#session.handleConnectRefused(now, refused);
      }
      // Where there was a connection already, a refused request is the end of it.
      this.#session.handleClosed(now, refused ?? { code, name: nameOf(code), message });
    });
  }
}

/** The name of a close that came without its event. */
function nameOf(code: number): string {
  // WebSocket has closes of its own, with numbers that are refusals here.
  const [name] = Object.entries(codes).find(([, number]) => number === code) ?? [];
  return code >= 3000 ? (name ?? "connection_lost") : "connection_lost";
}

/** The data as it is at this moment, whatever the application does with it afterwards. */
function content(data: unknown): Pick<Draft, "json" | "bytes"> {
  if (data instanceof Uint8Array) {
    return { bytes: data.slice() };
  }
  const json = JSON.stringify(data) as string | undefined;
  if (json === undefined) {
    throw new TypeError("data must be a JSON value or a Uint8Array");
  }
  return { json };
}
