/**
 * Commands and events as the protocol page has them, before any encoding. Codecs translate these
 * to and from frames; the session speaks nothing else.
 */

import type {
  Gap,
  HistoryPage,
  Lagged,
  MemberChange,
  Position,
  Presence,
  Publication,
  Published,
  Subscribed,
  Unsubscribed,
} from "./model.js";

/** Who the client is, and what it followed when it was here before. */
export interface Connect {
  token?: string;
  grant?: string;
  session?: string;
  agent?: string;
  subscribe?: Subscribe[];
}

/** One channel to follow, and from where. */
export interface Subscribe extends Partial<Position> {
  channel: string;
  token?: string;
  since?: number;
}

/** A message on its way out. `json` is its JSON text, taken when the application published. */
export interface Draft {
  channel: string;
  json?: string;
  bytes?: Uint8Array;
  name?: string;
  ref?: string;
  tags?: Record<string, string>;
  key?: string;
}

/** A page of history to read. */
export interface HistoryAsk extends Partial<Position> {
  channel: string;
  limit?: number;
  reverse?: boolean;
  since?: number;
}

/** Every command, by its name. */
export interface Commands {
  connect: Connect;
  subscribe: Subscribe[];
  unsubscribe: string[];
  publish: Draft;
  history: HistoryAsk;
  presence: { channel: string };
  ping: Record<string, never>;
  pong: Record<string, never>;
  refresh: { channel?: string; token: string };
}

/** A command with its number; 0 asks for no answer but a refusal. */
export type Command = {
  [K in keyof Commands]: { readonly id: number; readonly name: K; readonly body: Commands[K] };
}[keyof Commands];

/** The first answer. */
export interface Connected {
  readonly client: string;
  readonly session: string;
  readonly user?: string;
  readonly resumed: boolean;
  readonly grant: string;
  readonly expires?: number;
  readonly ping: number;
  readonly pong: number;
  readonly time: number;
  readonly frame_bytes: number;
}

/** A command that was not done. */
export interface Refused {
  readonly code: number;
  readonly name: string;
  readonly message: string;
  readonly hint?: string;
  readonly channel?: string;
  readonly temporary?: boolean;
  readonly after?: number;
}

/** The last event of a connection. */
export interface Close {
  readonly code: number;
  readonly name: string;
  readonly message: string;
  readonly reconnect: boolean;
  readonly after?: number;
  /** The address of a node to come back to; the one that the client knows, unless given. */
  readonly node?: string;
}

/** Every event, by its name. */
export interface Events {
  connected: Connected;
  subscribed: Subscribed & { readonly expires?: number };
  unsubscribed: Unsubscribed;
  published: Published;
  publication: Publication;
  history: HistoryPage;
  presence: Presence;
  join: MemberChange;
  leave: MemberChange;
  gap: Gap;
  lagged: Lagged;
  ping: Record<string, never>;
  pong: { readonly time?: number };
  refreshed: { readonly channel?: string; readonly expires?: number };
  grant: { readonly grant: string; readonly expires?: number };
  error: Refused;
  close: Close;
}

/** An event with the number of the command it answers; 0 for none. */
export type Event = {
  [K in keyof Events]: { readonly id: number; readonly name: K; readonly body: Events[K] };
}[keyof Events];

/** One message as a transport carries it. */
export type Frame = string | Uint8Array;

/** One way to write commands and read events. */
export interface Codec {
  /** The WebSocket subprotocol. */
  readonly subprotocol: string;
  /** Writes one command. */
  encode(command: Command): Frame;
  /** Joins commands that were written one by one into a frame. */
  join(written: readonly Frame[]): Frame;
  /** Reads a frame. Throws when it is not one. */
  decode(frame: Frame): Event[];
}
