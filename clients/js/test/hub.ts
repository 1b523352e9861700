/**
 * The channels and sessions of the test double: a small server that speaks the protocol page and
 * nothing more. It exists to test the client, so it trusts whoever speaks to it.
 */

import { randomUUID } from "node:crypto";

type Body = Record<string, unknown>;

/** One connection's way down. */
export interface Down {
  send(event: Body): void;
  /** Ends it when everything has gone out. */
  end(): void;
  /** Ends it without a word. */
  cut(): void;
}

interface Kept extends Body {
  epoch: string;
  offset: number;
  time: number;
}

class Channel {
  epoch = "e0000001";
  offset = 0;
  kept: Kept[] = [];
  readonly receipts = new Map<string, Body>();
  readonly readers = new Set<Peer>();

  constructor(readonly name: string) {}

  get place(): { epoch: string; offset: number } {
    return { epoch: this.epoch, offset: this.offset };
  }

  tell(event: Body): void {
    for (const reader of this.readers) {
      reader.down?.send(event);
    }
  }
}

/** One client as the server knows it, connected or not. */
export class Peer {
  readonly client = randomUUID();
  session: string = randomUUID();
  down: Down | undefined;
  user: string | undefined;
  readonly channels = new Set<Channel>();
  /** The highest number of a command that came by the uplink. */
  sent = 0;
}

/** Everything a test may want to set or count. */
export class Hub {
  readonly channels = new Map<string, Channel>();
  readonly peers = new Map<string, Peer>();
  /** Every command that came, by name. */
  readonly commands: { name: string; body: Body }[] = [];
  /** The clients that said that they go for good. */
  readonly left: string[] = [];
  /** How many publications a channel keeps. */
  keeps = 100;
  /** Token texts and their users; without any, everybody is anonymous. */
  readonly tokens = new Map<string, string>();
  /** Grants that are refused. */
  grantsRefused = false;
  /** Drops answers of this many publishes, as a connection does that breaks at the wrong moment. */
  dropReceipts = 0;
  /** Leaves an old connection open when a new one takes its session over. */
  keepsOld = false;
  heartbeat = { ping: 25_000, pong: 10_000 };
  frameBytes = 65_536;

  channel(name: string): Channel {
    const channel = this.channels.get(name) ?? new Channel(name);
    this.channels.set(name, channel);
    return channel;
  }

  /** Publishes, as a backend does. */
  publish(name: string, draft: Body): Body {
    const channel = this.channel(name);
    const { key, ...rest } = draft as { key?: string };
    const known = key === undefined ? undefined : channel.receipts.get(key);
    if (known !== undefined) {
      return { ...known, duplicate: true };
    }
    channel.offset += 1;
    const at = { id: randomUUID(), ...channel.place, time: Date.now() };
    const kept = { ...at, ...rest };
    channel.kept = [...channel.kept, kept].slice(-this.keeps);
    const receipt = { channel: name, ...at };
    if (key !== undefined) {
      channel.receipts.set(key, receipt);
    }
    channel.tell({ publication: { ...kept, channel: name } });
    return receipt;
  }

  /** Cuts every connection without a word. */
  cutAll(): void {
    for (const peer of this.peers.values()) {
      peer.down?.cut();
    }
  }

  /** Tells every connection that it ends. */
  closeAll(close: Body): void {
    for (const peer of this.peers.values()) {
      const { down } = peer;
      down?.send({ close });
      down?.end();
      if (down !== undefined) {
        this.detach(peer, down);
      }
    }
  }

  /** A client goes for good. */
  leave(peer: Peer): void {
    peer.channels.forEach((channel) => this.#unsubscribe(peer, channel));
    this.left.push(peer.client);
    peer.down?.end();
  }

  /** A connection is lost. */
  detach(peer: Peer, down: Down): void {
    if (peer.down === down) {
      peer.down = undefined;
      for (const channel of peer.channels) {
        channel.readers.delete(peer);
      }
    }
  }

  /** Takes a frame; the first of a connection has `connect` and makes the peer. */
  take(frame: string, down: Down, peer?: Peer): Peer | undefined {
    for (const line of frame.split("\n")) {
      const { id, ...command } = JSON.parse(line) as Body;
      const [[name, body]] = Object.entries(command) as [[string, Body]];
      this.commands.push({ name, body });
      if (name === "connect") {
        peer = this.#connect(id, body, down);
      } else if (peer !== undefined) {
        this.#command(peer, id, name, body);
      }
    }
    return peer;
  }

  /** Takes a frame of the uplink, whose commands rise in number: what does not is a repeat. */
  takeOnce(frame: string, down: Down, peer: Peer): void {
    for (const line of frame.split("\n")) {
      const { id = peer.sent + 1 } = JSON.parse(line) as { id?: number };
      if (id > peer.sent) {
        peer.sent = line.includes('"id"') ? id : peer.sent;
        this.take(line, down, peer);
      }
    }
  }

  #connect(id: unknown, body: Body, down: Down): Peer | undefined {
    const { token, grant, session, subscribe = [] } = body as { [key: string]: string };
    const refuse = (code: number, name: string) => {
      down.send({ id, error: { code, name, message: name, temporary: false } });
      const close = { code: 3501, name: "unauthorized", message: "no", reconnect: false };
      down.send({ close });
      down.end();
      return undefined;
    };
    if (grant !== undefined && this.grantsRefused) {
      return refuse(1106, "grant_expired");
    }
    if (grant === undefined && this.tokens.size > 0 && !this.tokens.has(token ?? "")) {
      return refuse(1101, "token_invalid");
    }
    const known = grant === undefined ? undefined : this.peers.get(session ?? "");
    const peer = known ?? new Peer();
    peer.user = this.tokens.get(token ?? "") ?? peer.user;
    this.#attach(peer, down);
    const { client } = peer;
    const user = peer.user === undefined ? {} : { user: peer.user };
    const resumed = known !== undefined;
    const about = { time: Date.now(), frame_bytes: this.frameBytes, grant: `g1.${client}` };
    down.send({
      id,
      connected: { client, session: peer.session, ...user, resumed, ...this.heartbeat, ...about },
    });
    this.#subscribe(peer, id, subscribe as unknown as Body[]);
    return peer;
  }

  #attach(peer: Peer, down: Down): void {
    const old = peer.down;
    if (old !== undefined && !this.keepsOld) {
      old.send({ close: { code: 3004, name: "replaced", message: "replaced", reconnect: true } });
      this.detach(peer, old);
      old.end();
    }
    this.peers.delete(peer.session);
    peer.session = randomUUID();
    peer.down = down;
    this.peers.set(peer.session, peer);
  }

  #command(peer: Peer, id: unknown, name: string, body: Body): void {
    const answer = (event: Body) =>
      id === undefined ? undefined : peer.down?.send({ id, ...event });
    const channel = typeof body["channel"] === "string" ? this.channel(body["channel"]) : undefined;
    if (name === "subscribe") {
      this.#subscribe(peer, id, body as unknown as Body[]);
    } else if (name === "unsubscribe") {
      for (const one of body as unknown as string[]) {
        this.#unsubscribe(peer, this.channel(one));
      }
    } else if (name === "ping") {
      answer({ pong: { time: Date.now() } });
    } else if (name === "publish" && channel !== undefined) {
      const { client, user } = peer;
      const { channel: _, ...draft } = body;
      const from = user === undefined ? { client } : { client, user };
      const published = this.publish(channel.name, { ...draft, from });
      this.#receipt(() => answer({ published }));
    } else if (name === "history" && channel !== undefined) {
      answer({ history: this.#history(channel, body) });
    } else if (name === "presence" && channel !== undefined) {
      const members = [...channel.readers].map(member);
      answer({ presence: { channel: channel.name, members, count: members.length } });
    }
  }

  #receipt(give: () => void): void {
    if (this.dropReceipts > 0) {
      this.dropReceipts -= 1;
    } else {
      give();
    }
  }

  #history(channel: Channel, body: Body): Body {
    const { limit = Infinity, reverse } = body as { limit?: number; reverse?: boolean };
    const listed = reverse === true ? [...channel.kept].reverse() : channel.kept;
    const publications = listed.slice(0, limit);
    const more = publications.length < listed.length;
    return { channel: channel.name, ...channel.place, publications, more };
  }

  #subscribe(peer: Peer, id: unknown, list: Body[]): void {
    for (const start of list) {
      this.#follow(peer, id, this.channel(start["channel"] as string), start);
    }
  }

  #follow(peer: Peer, id: unknown, channel: Channel, start: Body): void {
    const { epoch, offset, since } = start as { epoch?: string; offset?: number; since?: number };
    const given = epoch !== undefined && offset !== undefined;
    const oldest = channel.offset - channel.kept.length;
    const [first] = channel.kept.filter(({ time }) => time >= (since ?? Infinity));
    const wanted = given ? offset : first === undefined ? channel.offset : first.offset - 1;
    const from = given && epoch !== channel.epoch ? oldest : Math.max(wanted, oldest);
    const recovered = given && from === offset && epoch === channel.epoch;
    const place = { epoch: channel.epoch, offset: from };
    const { name } = channel;
    const head = channel.offset;
    peer.down?.send({ id, subscribed: { channel: name, ...place, head, recovered } });
    if (given && !recovered) {
      const reason = epoch === channel.epoch ? "expired" : "epoch";
      const to = reason === "expired" ? { to: from } : {};
      peer.down?.send({ gap: { channel: name, from: offset + 1, ...to, reason, ...place } });
    }
    for (const kept of channel.kept.filter((one) => one.offset > from)) {
      peer.down?.send({ publication: { ...kept, channel: name } });
    }
    this.#enter(peer, channel);
  }

  #enter(peer: Peer, channel: Channel): void {
    const knew = peer.channels.has(channel);
    channel.readers.add(peer);
    peer.channels.add(channel);
    if (!knew) {
      channel.tell({ join: { channel: channel.name, ...member(peer) } });
    }
  }

  #unsubscribe(peer: Peer, channel: Channel): void {
    channel.readers.delete(peer);
    peer.channels.delete(channel);
    channel.tell({ leave: { channel: channel.name, ...member(peer) } });
  }
}

function member({ client, user }: Peer): Body {
  return user === undefined ? { client } : { client, user };
}
