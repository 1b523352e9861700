/**
 * What the session wants done: the outputs that its owner carries out, and the commands waiting
 * for the next frame. A queue and nothing more.
 */

import type { MartletError } from "../error.js";
import type { Gap, Lagged, MemberChange, Publication, Subscribed, Unsubscribed } from "../model.js";
import type { Command, Commands, Event } from "../wire.js";
import type { Permit } from "./comeback.js";

/** What a subscription can tell the application. */
export interface ChannelEvents {
  /** A message, in order, once. */
  publication: Publication;
  /** Somebody entered the channel. */
  join: MemberChange;
  /** Somebody left the channel. */
  leave: MemberChange;
  /** The stream begins, or begins again after a connection was lost. */
  subscribed: Subscribed;
  /** Messages that cannot be had any more. */
  gap: Gap;
  /** The client fell behind and is being caught up. */
  lagged: Lagged;
  /** The subscription has ended. */
  unsubscribed: Unsubscribed;
  /** Something was refused; unless `unsubscribed` follows, it is tried again. */
  error: MartletError;
}

/** One of these events, as a value. */
export type ChannelEvent = {
  [K in keyof ChannelEvents]: { readonly name: K; readonly body: ChannelEvents[K] };
}[keyof ChannelEvents];

/** Whether the client is connected, and why it is as it is. */
export interface State {
  readonly state: "connecting" | "connected" | "disconnected";
  /** The code of the close or refusal; 0 when there is none. */
  readonly code: number;
  /** In one word. */
  readonly name: string;
  /** In a sentence. */
  readonly message: string;
  /** When it comes back: milliseconds until the next try, 0 for when the page is shown. */
  readonly retryIn?: number;
}

/** Something for the session's owner to do. */
export type Output =
  /** Open a transport to the server at `address` that carries these commands first. */
  | {
      readonly do: "dial";
      readonly permit: Permit;
      readonly address: string;
      readonly commands: readonly Command[];
    }
  /** Close the transport. `leaves` when the client goes for good, and is not to be waited for. */
  | {
      readonly do: "hang_up";
      readonly code: number;
      readonly reason: string;
      readonly leaves: boolean;
    }
  /** Send these commands. */
  | { readonly do: "send"; readonly commands: readonly Command[] }
  /** Ask the application for a token, for a channel or for the connection. */
  | { readonly do: "fetch_token"; readonly channel: string | undefined }
  /** The server began a subscription by itself. */
  | { readonly do: "begin"; readonly channel: string }
  /** Tell a subscription's listeners. */
  | { readonly do: "tell"; readonly channel: string; readonly event: ChannelEvent }
  /** Tell everyone how the client is. */
  | { readonly do: "state"; readonly state: State }
  /** Something was refused that nobody waits for. */
  | { readonly do: "complain"; readonly error: MartletError }
  /** An asked command is answered. */
  | { readonly do: "settle"; readonly id: number; readonly answer: Event | MartletError };

/** Outputs and commands on their way out. */
export class Outbox {
  #outputs: Output[] = [];
  #commands: Command[] = [];
  #lastId = 0;

  /** Adds an output. */
  put(output: Output): void {
    this.#outputs.push(output);
  }

  /** Adds an output that tells a subscription. */
  tell(channel: string, event: ChannelEvent): void {
    this.put({ do: "tell", channel, event });
  }

  /** A number for a command, by which its answer is known. */
  nextId(): number {
    this.#lastId = (this.#lastId % 0xffff_ffff) + 1;
    return this.#lastId;
  }

  /** Adds a command to the next frame. */
  send(command: Command): void {
    this.#commands.push(command);
  }

  /** Adds a command that is answered; returns its number. */
  ask<K extends keyof Commands>(name: K, body: Commands[K]): number {
    const id = this.nextId();
    this.send({ id, name, body } as Command);
    return id;
  }

  /** Forgets commands that no connection can take any more. */
  dropCommands(): void {
    this.#commands = [];
  }

  /** The next output; the waiting commands come last, together. */
  poll(): Output | undefined {
    const output = this.#outputs.shift();
    if (output !== undefined || this.#commands.length === 0) {
      return output;
    }
    const commands = this.#commands;
    this.#commands = [];
    return { do: "send", commands };
  }
}
