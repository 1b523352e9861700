/**
 * The client's line to its server: opens transports as the session asks, keeps the one that works,
 * and turns commands and events into frames and back. Decides nothing about the session.
 */

import { json } from "./codec/json.js";
import type { MartletOptions } from "./options.js";
import type { Closed, TransportEvents, TransportName } from "./transport.js";
import { Race, type Runner } from "./transport/race.js";
import { SseTransport } from "./transport/sse.js";
import { WebSocketTransport, type WebSocketClass } from "./transport/websocket.js";
import type { Codec, Command, Connected, Event, Frame } from "./wire.js";

/** What the line tells. */
export interface LineEvents {
  onevents(events: Event[]): void;
  onalive(): void;
  onclose(closed: Closed): void;
  /** A command is larger than the server takes. */
  ontoolarge(id: number): void;
}

/** How much of a head start the preferred transport has, in milliseconds. */
const HEAD_START = { first: 300, min: 100, max: 3_000 };
/** Well below the limit of any server. */
const COMMANDS_PER_FRAME = 128;
/** What a server takes at least, before it has said. */
const FRAME_BYTES = 64 * 1024;

/** The line of one client. */
export class Line {
  readonly #base: string;
  readonly #options: MartletOptions;
  readonly #events: LineEvents;
  #race: Race | undefined;
  #headStart = HEAD_START.first;
  #frameBytes = FRAME_BYTES;

  constructor(base: string, options: MartletOptions, events: LineEvents) {
    this.#base = base;
    this.#options = options;
    this.#events = events;
  }

  /** The transport in use. */
  get transport(): TransportName | undefined {
    return this.#race?.winner?.name;
  }

  /** Opens a transport that carries `commands` first. */
  dial(commands: readonly Command[]): void {
    const began = performance.now();
    const names = this.#options.transports ?? ["websocket", "sse"];
    const runners = names.flatMap((name) => this.#runner(name, commands) ?? []);
    const race: Race = new Race(runners, this.#headStart, {
      onopen: () => this.#measure(performance.now() - began),
      onframe: (frame) => this.#handleFrame(race, frame),
      onalive: () => this.#events.onalive(),
      onclose: (closed) => this.#handleClosed(race, closed),
    });
    this.#race = race;
  }

  /** Twice what it took the last time: a preferred transport that is alive then wins. */
  #measure(took: number): void {
    this.#headStart = Math.min(Math.max(HEAD_START.min, 2 * took), HEAD_START.max);
  }

  #runner(name: TransportName, commands: readonly Command[]): Runner | undefined {
    const codec = this.#codec(name);
    const first = codec.join(commands.map(codec.encode));
    if (name === "sse") {
      const request = this.#options.fetch ?? globalThis.fetch.bind(globalThis);
      const dial = (first: Frame, events: TransportEvents) =>
        new SseTransport(request, this.#base, codec.subprotocol, first, events);
      return { name, first, dial };
    }
    const own = (globalThis as { WebSocket?: WebSocketClass }).WebSocket;
    const socketClass = this.#options.WebSocket ?? own;
    const url = `${this.#base.replace(/^http/, "ws")}/v1/ws`;
    const dial = (first: Frame, events: TransportEvents) =>
      new WebSocketTransport(socketClass as WebSocketClass, url, codec.subprotocol, first, events);
    return socketClass === undefined ? undefined : { name, first, dial };
  }

  #codec(name: TransportName): Codec {
    return name === "websocket" ? (this.#options.binary ?? json) : json;
  }

  /** Sends commands, in as few frames as the server's limits permit. */
  send(commands: readonly Command[]): void {
    const transport = this.#race?.winner;
    if (transport === undefined) {
      return;
    }
    const codec = this.#codec(transport.name);
    for (const written of this.#pack(codec, commands)) {
      transport.send(codec.join(written));
    }
  }

  #pack(codec: Codec, commands: readonly Command[]): Frame[][] {
    const frames: Frame[][] = [];
    let room = 0;
    for (const command of commands) {
      const written = codec.encode(command);
      const size = byteLength(written) + 1;
      if (size > this.#frameBytes) {
        this.#events.ontoolarge(command.id);
        continue;
      }
      const last = frames.at(-1);
      if (last === undefined || size > room || last.length >= COMMANDS_PER_FRAME) {
        frames.push([written]);
        room = this.#frameBytes - size;
      } else {
        last.push(written);
        room -= size;
      }
    }
    return frames;
  }

  /** The server has named the session and its limits. */
  handleConnected({ session, frame_bytes: frameBytes }: Connected): void {
    this.#frameBytes = frameBytes;
    this.#race?.winner?.handleConnected(session, frameBytes);
  }

  /** Ends the transport, or the tries for one. */
  hangUp(code: number, reason: string): void {
    this.#race?.close(code, reason);
    this.#race = undefined;
  }

  #handleFrame(race: Race, frame: Frame): void {
    const name = race.winner?.name;
    if (this.#race !== race || name === undefined) {
      return;
    }
    let events: Event[];
    try {
      events = this.#codec(name).decode(frame);
    } catch (error) {
      this.hangUp(3500, "a frame that could not be read");
      const detail = error instanceof Error ? error.message : String(error);
      this.#events.onclose({ code: 0, reason: `The server sent what is no frame (${detail}).` });
      return;
    }
    this.#events.onevents(events);
  }

  #handleClosed(race: Race, closed: Closed): void {
    if (this.#race === race) {
      this.#race = undefined;
      this.#events.onclose(closed);
    }
  }
}

function byteLength(frame: Frame): number {
  return typeof frame === "string" ? new TextEncoder().encode(frame).length : frame.length;
}
