/**
 * The client's session: a pure state machine. It is told what happens and what time it is, and
 * says what to do next; it owns no socket, timer or clock, so a test drives it as it likes.
 *
 * Inputs are `handle*` (the world tells) and plain verbs (the application asks), outputs come from
 * `poll`, and `deadline` says when `handleTimeout` is due.
 */

import { Backoff } from "./backoff.js";
import { checkChannel } from "./channel.js";
import { codes } from "./codes.js";
import { MartletError, refusal } from "./error.js";
import type { Position } from "./model.js";
import { Asks } from "./session/asks.js";
import { Comeback, staysAway, type Ending, type Permit } from "./session/comeback.js";
import { Heartbeat } from "./session/heartbeat.js";
import { Identity } from "./session/identity.js";
import type { SessionOptions } from "./session/options.js";
import { Outbox, type Output, type State } from "./session/output.js";
import type { PlaceOptions } from "./session/place.js";
import { Places } from "./session/places.js";
import { Target } from "./session/target.js";
import type { Close, Command, Commands, Connected, Event, Refused } from "./wire.js";

type Phase = "off" | "token" | "dialing" | "live" | "waiting";

/** One client's session. */
export class Session {
  readonly #options: SessionOptions;
  readonly #outbox = new Outbox();
  readonly #asks: Asks;
  readonly #places: Places;
  readonly #identity: Identity;
  readonly #heartbeat = new Heartbeat();
  readonly #comeback: Comeback;
  readonly #target: Target;
  #phase: Phase = "off";
  /** When the phase ends by itself: a try to connect, or a wait. */
  #phaseEnds = Infinity;
  /** For the try that waits for its token. */
  #permit: Permit | undefined;
  #liveSince = 0;
  #connectId = 0;
  /** The number of the `connect` by which the session may move to another transport. */
  #moveId = 0;
  #refreshId = 0;
  #fetching = false;
  #skew = 0;
  #connected: Connected | undefined;
  #closed = false;
  /** Whether the last state told was `connected`. */
  #toldConnected = false;
  #tokenBackoff = new Backoff(1_000, 30_000);

  constructor(options: SessionOptions) {
    this.#options = options;
    const { queue: count, queueBytes: bytes, timeout, random } = options;
    this.#asks = new Asks({ count, bytes, timeout }, this.#outbox);
    this.#places = new Places(this.#outbox, random);
    this.#identity = new Identity(options.token, options.fetches);
    this.#comeback = new Comeback(options.backoffMin, options.backoffMax);
    this.#target = new Target(options.home);
  }

  // What the application asks.

  /** Connects at the next `handleTimeout`, unless that is under way. */
  connect(now: number): void {
    if (this.#phase === "off" && !this.#closed) {
      this.#phase = "waiting";
      this.#phaseEnds = now;
    }
  }

  /** Ends everything for good. */
  close(): void {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    const ending = { code: 0, name: "closed", message: "The client was closed." };
    this.#stop(ending, refusal("closed"), true);
    this.#places.removeAll();
  }

  /** Follows a channel. Throws when the client follows it already, or is closed. */
  subscribe(channel: string, options: PlaceOptions): void {
    if (this.#closed) {
      throw refusal("closed", undefined, channel);
    }
    checkChannel(channel);
    if (this.#places.has(channel)) {
      throw refusal("already_subscribed", undefined, channel);
    }
    this.#places.add(channel, options);
  }

  /** Follows a channel no more. */
  unsubscribe(channel: string): void {
    this.#places.remove(channel, this.#phase === "live");
  }

  /** Sends a command whose answer is awaited; `settle` with the returned number will tell it. */
  ask<K extends "publish" | "history" | "presence" | "ping">(
    now: number,
    name: K,
    body: Commands[K],
  ): number {
    const id = this.#outbox.nextId();
    const command = { id, name, body } as Parameters<Asks["add"]>[1];
    const error = this.#whyNotAsk() ?? this.#asks.add(now, command);
    if (error !== undefined) {
      this.#outbox.put({ do: "settle", id, answer: error });
    } else if (this.#phase === "live") {
      this.#outbox.send(command);
    }
    return id;
  }

  #whyNotAsk(): MartletError | undefined {
    if (this.#closed) {
      return refusal("closed");
    }
    return this.#phase === "off" ? refusal("stopped") : undefined;
  }

  /** Every channel with its position. */
  positions(): IterableIterator<[string, Position]> {
    return this.#places.positions();
  }

  /** What the server said at the last `connected`. */
  get connected(): Connected | undefined {
    return this.#connected;
  }

  // What the world tells.

  /** The application gave a token, or failed to. */
  handleToken(now: number, channel: string | undefined, token?: string, error?: unknown): void {
    if (channel !== undefined) {
      this.#places.handleToken(now, channel, token, error);
      return;
    }
    this.#fetching = false;
    if (error !== undefined) {
      this.#handleFetchFailed(now, error);
      return;
    }
    this.#tokenBackoff.reset();
    if (this.#phase !== "live") {
      this.#identity.handleToken(token);
    } else if (token !== undefined) {
      this.#refreshId = this.#outbox.ask("refresh", { token });
    }
    if (this.#phase === "token" && this.#permit !== undefined) {
      this.#dial(now, this.#permit);
    }
  }

  #handleFetchFailed(now: number, error: unknown): void {
    const detail = error instanceof Error ? error.message : String(error);
    const complaint = refusal("token_failed", detail);
    this.#outbox.put({ do: "complain", error: complaint });
    if (this.#phase === "token") {
      this.#lose(now, { code: 0, name: complaint.name, message: complaint.message });
    } else {
      this.#identity.handleFetchFailed(now, this.#tokenBackoff.next(this.#options.random()));
    }
  }

  /** Something came over the connection, if only a comment. */
  handleAlive(now: number): void {
    this.#heartbeat.handleHeard(now);
  }

  /** The transport could not be opened or has ended. */
  handleClosed(now: number, ending: Ending): void {
    if (this.#phase !== "dialing" && this.#phase !== "live") {
      return;
    }
    if (ending.code === codes.expired) {
      this.#identity.handleExpired();
    }
    if (staysAway(ending.code)) {
      return this.#stop(ending, new MartletError(ending));
    }
    this.#lose(now, ending);
  }

  /** The connection was refused before it began. */
  handleConnectRefused(now: number, refused: Refused): void {
    if (this.#phase !== "dialing") {
      return;
    }
    const { code, temporary = code >= 3000 } = refused;
    const concernsIdentity = code >= 1100 && code <= 1199;
    const again = concernsIdentity
      ? this.#identity.handleRefused(code)
      : this.#places.separate(this.#connectId);
    if (again || (temporary && !staysAway(code))) {
      // With another token at hand there is nothing to wait for.
      const atHand = again && concernsIdentity && !this.#identity.wantsToken;
      this.#lose(now, atHand ? { after: 0, ...refused } : refused);
    } else {
      this.#outbox.put({ do: "complain", error: new MartletError(refused) });
      this.#stop(refused, new MartletError(refused));
    }
  }

  /** A command could not be sent because it is larger than the server takes. */
  handleTooLarge(id: number): void {
    this.#asks.settle(id, refusal("frame_too_large"));
  }

  /** There is news of the network or the page: the connection may be dead, or a try may succeed. */
  handleWake(now: number): void {
    if (this.#phase === "waiting") {
      const soon = now + this.#comeback.hurry(now, this.#options.random());
      this.#phaseEnds = Math.min(this.#phaseEnds, soon);
    } else if (this.#phase === "live") {
      this.#outbox.ask("ping", {});
      this.#heartbeat.probe(now);
    }
  }

  /** An event came. */
  handleEvent(now: number, event: Event): void {
    if (this.#phase !== "dialing" && this.#phase !== "live") {
      return;
    }
    this.#heartbeat.handleHeard(now);
    switch (event.name) {
      case "connected":
        this.#handleConnected(now, event.id, event.body);
        break;
      case "close":
        this.#handleClose(now, event.body);
        break;
      case "error":
        this.#handleError(now, event.id, event.body);
        break;
      case "ping":
        this.#outbox.send({ id: 0, name: "pong", body: {} });
        break;
      case "grant":
        this.#identity.handleGrant(event.body.grant);
        break;
      case "refreshed":
        this.#handleRefreshed(now, event.body);
        break;
      case "published":
      case "history":
      case "presence":
      case "pong":
        this.#asks.settle(event.id, event);
        break;
      default:
        this.#places.handleEvent(now, event);
    }
  }

  #handleConnected(now: number, id: number, connected: Connected): void {
    if (this.#phase === "live" && id === this.#moveId) {
      this.#handleMoved(id);
    } else if (this.#phase !== "dialing") {
      return;
    } else {
      this.#phase = "live";
      this.#phaseEnds = Infinity;
      this.#liveSince = now;
    }
    this.#begin(now, connected);
  }

  /** Another transport carries the live session: what the old one did not answer is asked anew. */
  #handleMoved(id: number): void {
    this.#moveId = 0;
    this.#refreshId = 0;
    this.#outbox.dropCommands();
    this.#places.handleMoved(id);
  }

  #begin(now: number, connected: Connected): void {
    this.#connected = connected;
    this.#skew = connected.time - now;
    this.#places.handleTime(now, connected.time);
    this.#identity.handleConnected(now, connected);
    this.#heartbeat.start(now, connected.ping + connected.pong);
    this.#asks.sendAll();
    if (!this.#toldConnected || !connected.resumed) {
      const message = connected.resumed ? "Connected; the session goes on." : "Connected.";
      this.#state({ state: "connected", code: 0, name: "connected", message });
    }
  }

  #handleClose(now: number, close: Close): void {
    if (close.reconnect) {
      this.handleClosed(now, close);
    } else {
      this.#stop(close, new MartletError(close));
    }
  }

  #handleError(now: number, id: number, refused: Refused): void {
    if (this.#phase === "live" && this.#places.handleRefused(now, id, refused)) {
      return;
    }
    if (id !== 0 && id === this.#connectId) {
      this.handleConnectRefused(now, refused);
    } else if (id !== 0 && id === this.#refreshId) {
      this.#refreshId = 0;
      this.#identity.handleFetchFailed(now, this.#tokenBackoff.next(this.#options.random()));
      this.#outbox.put({ do: "complain", error: new MartletError(refused) });
    } else if (id === 0 && refused.code === codes.not_subscribed) {
      // The server ended the subscription just before the application did.
    } else if (!this.#asks.settle(id, new MartletError(refused))) {
      this.#outbox.put({ do: "complain", error: new MartletError(refused) });
    }
  }

  #handleRefreshed(now: number, refreshed: { channel?: string; expires?: number }): void {
    const { channel, expires } = refreshed;
    if (channel === undefined) {
      this.#refreshId = 0;
      this.#identity.handleExpires(now, now + this.#skew, expires);
    } else {
      this.#places.handleRefreshed(now, channel, expires);
    }
  }

  /** The page is put to sleep. What there is of a connection ends, until `handleWake`. */
  handleFreeze(): void {
    if (this.#phase !== "off") {
      this.#detach("frozen");
      this.#wait(Infinity);
      const message = "The page sleeps.";
      this.#state({ state: "disconnected", code: 0, name: "frozen", message, retryIn: 0 });
    }
  }

  /** Time has passed. */
  handleTimeout(now: number): void {
    this.#asks.handleTimeout(now);
    if (now >= this.#phaseEnds) {
      this.#handlePhaseEnds(now);
    }
    if (this.#phase !== "live") {
      return;
    }
    if (now >= this.#heartbeat.deadline) {
      const alone = this.#heartbeat.probing;
      const message = "The server gave no sign of life.";
      this.#lose(now, { code: 0, name: "silent", message, alone });
      return;
    }
    this.#places.handleTimeout(now);
    if (now >= this.#identity.refreshAt) {
      this.#identity.refreshAt = Infinity;
      this.#fetch();
    }
  }

  #handlePhaseEnds(now: number): void {
    if (this.#phase === "waiting") {
      this.#try(now);
    } else {
      const message = "No connection in time.";
      this.#lose(now, { code: 0, name: "connect_timeout", message });
    }
  }

  // What a transport asks that is to take over, or to show whether it works.

  /** The `connect` by which the live session moves to another transport. */
  move(now: number): Command | undefined {
    if (this.#phase !== "live") {
      return undefined;
    }
    this.#moveId = this.#outbox.nextId();
    const body = this.#identity.connect(this.#options.agent, this.#places.askToMove(now));
    return { id: this.#moveId, name: "connect", body };
  }

  /** A `connect` that leaves the session where it is, and follows nothing. */
  probe(): Command | undefined {
    const body = this.#identity.probe(this.#options.agent);
    const id = this.#outbox.nextId();
    return this.#phase === "live" ? { id, name: "connect", body } : undefined;
  }

  // What the session tells.

  /** The next thing to do. Call it until there is none. */
  poll(now: number): Output | undefined {
    if (this.#phase === "live") {
      this.#askSubscriptions(now);
    }
    return this.#outbox.poll();
  }

  /** When `handleTimeout` is due; `Infinity` for never. */
  get deadline(): number {
    const always = Math.min(this.#phaseEnds, this.#asks.deadline);
    if (this.#phase !== "live") {
      return always;
    }
    const { refreshAt } = this.#identity;
    return Math.min(always, this.#heartbeat.deadline, refreshAt, this.#places.deadline);
  }

  /** In as many commands as it takes, each well below the server's limit. */
  #askSubscriptions(now: number): void {
    while (this.#places.changed) {
      const id = this.#outbox.nextId();
      const body = this.#places.ask(now, id, this.#identity.hasGrant);
      if (body.length > 0) {
        this.#outbox.send({ id, name: "subscribe", body });
      }
    }
  }

  #try(now: number): void {
    const permit = this.#comeback.permit(now);
    if (permit === undefined) {
      return this.#wait(now + Math.max(1, this.#comeback.soonest(now)));
    }
    const message = "Connecting.";
    this.#state({ state: "connecting", code: 0, name: "connecting", message });
    if (!this.#identity.wantsToken) {
      return this.#dial(now, permit);
    }
    this.#permit = permit;
    this.#phase = "token";
    this.#phaseEnds = now + this.#options.connectTimeout;
    this.#fetch();
  }

  #fetch(): void {
    if (!this.#fetching) {
      this.#fetching = true;
      this.#outbox.put({ do: "fetch_token", channel: undefined });
    }
  }

  #dial(now: number, permit: Permit): void {
    this.#permit = undefined;
    this.#phase = "dialing";
    this.#phaseEnds = now + this.#options.connectTimeout;
    this.#connectId = this.#outbox.nextId();
    const { hasGrant } = this.#identity;
    const places = this.#places.askInConnect(now, this.#connectId, hasGrant);
    const body = this.#identity.connect(this.#options.agent, places);
    const { address } = this.#target;
    const connect = { id: this.#connectId, name: "connect", body } as const;
    this.#outbox.put({ do: "dial", permit, address, commands: [connect] });
  }

  /** The connection, or the try for one, is over; the client comes back. */
  #lose(now: number, ending: Ending): void {
    const { code, name, message } = ending;
    const live = this.#phase === "live";
    const lived = live ? now - this.#liveSince : undefined;
    const wait = this.#comeback.next(now, lived, ending, this.#options.random());
    const atOnce = wait === 0 && live && !this.#identity.wantsToken;
    const permit = atOnce ? this.#comeback.permit(now) : undefined;
    this.#target.handleEnd(ending, live);
    this.#detach(name);
    if (permit !== undefined) {
      return this.#dial(now, permit); // Nothing to tell, unless it fails.
    }
    const retryIn = Math.max(1, wait);
    this.#wait(now + retryIn);
    this.#state({ state: "disconnected", code, name, message, retryIn });
  }

  #wait(until: number): void {
    this.#permit = undefined;
    this.#phase = "waiting";
    this.#phaseEnds = until;
  }

  /** The connection is over, and the client stays away. */
  #stop(ending: Ending, error: MartletError, leaves = false): void {
    const { code, name, message } = ending;
    this.#target.handleEnd(ending, false);
    this.#detach(name, leaves);
    this.#phase = "off";
    this.#phaseEnds = Infinity;
    this.#asks.refuseAll(error);
    this.#state({ state: "disconnected", code, name, message });
  }

  #detach(reason: string, leaves = false): void {
    if (this.#phase === "dialing" || this.#phase === "live") {
      this.#outbox.put({ do: "hang_up", code: 1000, reason, leaves });
    }
    this.#outbox.dropCommands();
    this.#refreshId = 0;
    this.#asks.handleDetached();
    this.#places.handleDetached();
  }

  #state(state: State): void {
    this.#toldConnected = state.state === "connected";
    this.#outbox.put({ do: "state", state });
  }
}
