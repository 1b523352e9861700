/**
 * Plays the client's side of a golden transcript with a real session. What the transcript's client
 * sends, the application is made to ask for, and the session must send the same; what the
 * transcript's server sends, the session is given, and must make of it what the protocol says.
 *
 * Some transcripts show clients that err on purpose. What this client would never send is left
 * out, together with its answer.
 */

import assert from "node:assert/strict";

import { json } from "../src/codec/json.js";
import { MartletError } from "../src/error.js";
import type { Output } from "../src/session/output.js";
import type { Command, Event, HistoryAsk, Subscribe } from "../src/wire.js";
import type { Step, Wait } from "./transcript.js";
import { World } from "./world.js";

type Body = Record<string, unknown>;

/** A connection of the transcript that a session can play. */
class Player {
  /** The session's number for each number of the transcript. */
  readonly ids = new Map<number, number>();
  /** How many channels each subscribe asked for. */
  readonly asked = new Map<number, string[]>();
  grant = "";
  session = "";

  constructor(readonly world: World) {}

  /** Whether an error about a channel can be meant for what the session asked, and takes it. */
  waitsFor(id: number, channel: string | undefined): boolean {
    const asked = this.asked.get(id);
    if (asked === undefined || channel === undefined) {
      return true;
    }
    const at = asked.indexOf(channel);
    return at >= 0 && asked.splice(at, 1).length === 1;
  }
}

/** One transcript as it is played. */
export class Replay {
  readonly #players = new Map<number, Player>();
  readonly #past = new Set<Player>();
  /** How many frames of the transcript the session sent itself, and how many it was given. */
  sent = 0;
  given = 0;

  play(steps: readonly (Step | Wait)[]): void {
    for (const step of steps) {
      if (step.kind === "+") {
        this.#wait(step.time);
      } else if (step.kind === ">") {
        this.#send(step);
      } else if (step.kind === "<") {
        this.#give(step);
      } else if (step.kind === "cut") {
        this.#players.get(step.connection)?.world.lose();
        this.#players.delete(step.connection);
      }
    }
  }

  #wait(time: number): void {
    const worlds = new Set([...this.#players.values()].map(({ world }) => world));
    worlds.forEach((world) => world.advance(time));
  }

  #send({ connection, text, line }: Step): void {
    for (const part of text.split("\n")) {
      const command = readCommand(part);
      const player = this.#players.get(connection);
      if (command?.name === "connect" && player === undefined) {
        this.#connect(connection, command.id, command.body);
      } else if (command !== undefined && player !== undefined) {
        const id = ask(player, command.id, command.name, command.body, `line ${line}`);
        this.sent += id === undefined ? 0 : 1;
        if (id !== undefined) {
          player.ids.set(command.id, id);
        }
      }
    }
  }

  #connect(connection: number, id: number, body: Body): void {
    const {
      grant,
      session,
      token,
      subscribe = [],
    } = body as {
      [key: string]: string | undefined;
      subscribe?: never;
    };
    const list = subscribe as unknown as Subscribe[];
    const player = grant === undefined ? newcomer(token, list) : this.#find(grant, session);
    if (player === undefined) {
      return;
    }
    if (grant !== undefined) {
      comeBack(player.world, list);
    }
    player.world.session.connect(player.world.now);
    player.world.settle();
    const connect = player.world.command("connect");
    assert.deepEqual(plain({ ...connect.body, agent: body["agent"] }), plain(body));
    player.ids.set(id, connect.id);
    player.asked.set(
      connect.id,
      list.map(({ channel }) => channel),
    );
    for (const [other, { world }] of this.#players) {
      if (world === player.world) {
        this.#players.delete(other);
      }
    }
    this.#players.set(connection, player);
    this.#past.add(player);
    this.sent += 1;
  }

  /** The player that was given this grant and session. Without a session nobody comes back. */
  #find(grant: string, session: string | undefined): Player | undefined {
    return [...this.#past].find((one) => one.grant === grant && one.session === session);
  }

  #give({ connection, text, line }: Step): void {
    const player = this.#players.get(connection);
    const [event] = json.decode(text);
    assert.ok(event, `line ${line} is an event`);
    const id = event.id === 0 ? 0 : player?.ids.get(event.id);
    if (player === undefined || id === undefined) {
      return;
    }
    const given = { ...event, id } as Event;
    if (given.name === "error" && !player.waitsFor(id, given.body.channel)) {
      return; // The answer to the part of a list that this client would not send.
    }
    if (given.name === "connected") {
      player.session = given.body.session;
    }
    if (given.name === "connected" || given.name === "grant") {
      player.grant = given.body.grant;
    }
    const { world } = player;
    world.outputs = [];
    world.session.handleEvent(world.now, given);
    world.settle();
    check(player, given, `line ${line}`);
    this.given += 1;
    if (given.name === "close") {
      this.#players.delete(connection);
    }
  }
}

/** A session that was never connected. */
function newcomer(token: string | undefined, list: Subscribe[]): Player {
  const world = new World({ token, queueBytes: 100_000, queue: 1_000 });
  list.forEach((start) => world.session.subscribe(start.channel, optionsOf(start)));
  return new Player(world);
}

/** Has a session lose its connection and want another, for these channels. */
function comeBack(world: World, list: Subscribe[]): void {
  world.lose();
  const wanted = new Set(list.map(({ channel }) => channel));
  const followed = [...world.session.positions()].map(([channel]) => channel);
  followed.filter((one) => !wanted.has(one)).forEach((one) => world.session.unsubscribe(one));
  world.outputs = [];
  world.advance(1_000);
}

function optionsOf({ epoch, offset, since, token }: Subscribe) {
  const given = epoch !== undefined && offset !== undefined;
  return { fetches: false, since, token, position: given ? { epoch, offset } : undefined };
}

/** A command as the transcript has it; `undefined` for what no client of ours would send. */
function readCommand(text: string): { id: number; name: string; body: Body } | undefined {
  try {
    const { id, ...rest } = JSON.parse(text) as { id?: unknown };
    const [[name, body], ...more] = Object.entries(rest) as [[string, Body], ...unknown[]];
    const numbered = typeof id === "number" && id > 0 && id <= 0xffff_ffff;
    const good = more.length === 0 && (numbered || name === "pong");
    return good ? { id: numbered ? id : 0, name, body } : undefined;
  } catch {
    return undefined;
  }
}

/** Has the application ask for it; returns the session's number when it sent the same. */
function ask(
  player: Player,
  id: number,
  name: string,
  body: Body,
  where: string,
): number | undefined {
  const { world } = player;
  world.outputs = [];
  const command = makeCommand(world, name, body);
  if (command === undefined || world.session.connected === undefined) {
    return undefined;
  }
  const sent = world.commands();
  assert.equal(sent.length, 1, `${where}: one command`);
  const [{ id: own, name: sentName, body: sentBody }] = sent as [Command];
  assert.equal(sentName, name, where);
  const same = JSON.parse(json.encode({ ...command, id } as Command) as string) as Body;
  assert.deepEqual(plain(sentBody), plain(command.body), where);
  assert.deepEqual(plain(same[name]), plain(command.expected ?? body), where);
  if (name === "subscribe") {
    player.asked.set(
      own,
      (sentBody as Subscribe[]).map(({ channel }) => channel),
    );
  }
  return own;
}

interface Made {
  name: string;
  body: unknown;
  expected?: unknown;
}

function makeCommand(world: World, name: string, body: Body): Made | undefined {
  switch (name) {
    case "subscribe":
      return subscribe(world, body as unknown as Subscribe[]);
    case "publish":
      return publish(world, body);
    case "history":
    case "presence":
    case "ping":
      if (typeof body["channel"] !== "string" && name !== "ping") {
        return undefined;
      }
      if (Object.keys(body).length > 0 && name === "ping") {
        return undefined;
      }
      world.session.ask(world.now, name, body as unknown as HistoryAsk & { [key: string]: never });
      world.settle();
      return { name, body };
    case "refresh":
      if (body["channel"] !== undefined) {
        return undefined; // Only when the application was asked for the channel's token.
      }
      world.session.handleToken(world.now, undefined, body["token"] as string);
      world.settle();
      return { name, body };
    case "unsubscribe":
      // Sent without a number, so there is no answer to wait for.
      (body as unknown as string[]).forEach((channel) => world.session.unsubscribe(channel));
      world.settle();
      return undefined;
    default:
      return undefined;
  }
}

function subscribe(world: World, list: Subscribe[]): Made | undefined {
  const taken = list.filter((start) => {
    try {
      const half = (start.epoch === undefined) !== (start.offset === undefined);
      assert.ok(!half);
      world.session.subscribe(start.channel, optionsOf(start));
      return true;
    } catch {
      return false;
    }
  });
  world.settle();
  return taken.length === 0 ? undefined : { name: "subscribe", body: taken, expected: taken };
}

function publish(world: World, { data, bytes, ...rest }: Body): Made | undefined {
  if ((data === undefined) === (bytes === undefined) || bytes === "?") {
    return undefined;
  }
  const decoded = typeof bytes === "string" ? Buffer.from(bytes, "base64") : undefined;
  const content =
    decoded === undefined ? { json: JSON.stringify(data) } : { bytes: new Uint8Array(decoded) };
  const body = { ...(rest as { channel: string }), ...content };
  world.session.ask(world.now, "publish", body);
  world.settle();
  return { name: "publish", body };
}

/** What JSON can carry: 1e999 cannot be written again by JavaScript. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? {})) as unknown;
}

/** Looks whether the session made of an event what it should. */
function check(player: Player, event: Event, where: string): void {
  const { world } = player;
  const told = (name: string) =>
    world.outputs.find((one) => one.do === "tell" && one.event.name === name);
  switch (event.name) {
    case "connected":
      assert.equal(world.state().state, "connected", where);
      break;
    case "close":
      checkClose(world, event.body.reconnect, where);
      break;
    case "error":
      checkError(player, event, where);
      break;
    case "published":
    case "history":
    case "presence":
    case "pong":
      assert.deepEqual(
        world.take("settle"),
        [{ do: "settle", id: event.id, answer: event }],
        where,
      );
      break;
    case "ping":
      assert.deepEqual(world.commands(), [{ id: 0, name: "pong", body: {} }], where);
      break;
    case "grant":
    case "refreshed":
      assert.deepEqual(world.outputs, [], where);
      break;
    default: {
      const output = told(event.name) as Extract<Output, { do: "tell" }> | undefined;
      assert.deepEqual(output?.event.body, event.body, where);
    }
  }
}

/** After a refused connect the state was told with the error, before the close. */
function checkClose(world: World, reconnect: boolean, where: string): void {
  const [state] = world.take("state");
  if (state !== undefined) {
    assert.equal(state.state.retryIn !== undefined, reconnect, where);
  }
}

function checkError(player: Player, event: Extract<Event, { name: "error" }>, where: string): void {
  const { world } = player;
  const { code, channel } = event.body;
  const asked = player.asked.get(event.id) ?? [];
  if (channel === undefined && asked.length > 1) {
    // All were refused together, so each is asked for by itself. Enough for here.
    assert.equal(world.commands().length, asked.length, where);
    asked.forEach((one) => world.session.unsubscribe(one));
    world.settle();
    return;
  }
  const errors = world.outputs.flatMap((output) => {
    const error =
      output.do === "settle"
        ? output.answer
        : output.do === "complain"
          ? output.error
          : output.do === "tell"
            ? output.event.body
            : output.do === "state"
              ? output.state
              : undefined;
    const fits = error !== undefined && "code" in error && error.code === code;
    return fits || error instanceof MartletError ? [code] : [];
  });
  assert.ok(errors.includes(code), `${where}: somebody is told of ${code}`);
}
