/**
 * What a client must be able to do on every transport. Runs in Node and, bundled, in a browser,
 * with the same client. Each scenario returns what it saw; the tests say what that must be.
 */

import { Martlet } from "../clients/js/src/index.ts";
import { proto } from "../clients/js/src/codec/proto.ts";

/** Waits for an event, or fails. */
function next(from, name, fits = () => true) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no ${String(name)} in time`)), 15_000);
    const off = from.on(name, (event) => {
      if (fits(event)) {
        clearTimeout(late);
        off();
        resolve(event);
      }
    });
  });
}

/** Collects publications until one has this data. */
function until(subscription, last) {
  const seen = [];
  subscription.on("publication", ({ data }) => seen.push(data));
  return next(subscription, "publication", ({ data }) => data === last).then(() => seen);
}

const publish = (url, channel, data) =>
  fetch(`${url}/v1/publish`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ channel, data }),
  }).then((response) => response.json());

export { Martlet };

/** Network gear that can be pulled out, and plugged in again for one transport alone. */
export function gear(WebSocketClass) {
  let streams = new AbortController();
  const sockets = new Set();
  const state = { broken: false, only: undefined };
  const enter = (name) => {
    if (state.broken || (state.only ?? name) !== name) {
      throw new Error("pulled out");
    }
  };
  class Socket extends WebSocketClass {
    constructor(url, protocols) {
      enter("websocket");
      super(url, protocols);
      sockets.add(this);
    }
  }
  const own = async (input, init) => {
    const [, name] = /\/v1\/(sse|stream|poll)/.exec(input) ?? [];
    enter(name ?? state.only);
    return fetch(input, { ...init, signal: AbortSignal.any([streams.signal, init.signal]) });
  };
  return {
    options: { WebSocket: Socket, fetch: own, backoffMin: 20, backoffMax: 100 },
    pull() {
      state.broken = true;
      streams.abort();
      sockets.forEach((socket) => (socket.terminate ?? socket.close).call(socket));
    },
    plug(only) {
      Object.assign(state, { broken: false, only });
      streams = new AbortController();
    },
  };
}

/** Publishes every kind of data and reads it back. */
export async function publishing({ url, transport, channel, binary, WebSocketClass }) {
  const { options } = gear(WebSocketClass);
  const codec = binary ? { binary: proto } : {};
  const client = new Martlet(url, { ...options, ...codec, transports: [transport] });
  const subscription = client.subscribe(channel);
  await next(subscription, "subscribed");
  const seen = [];
  subscription.on("publication", (publication) => seen.push(publication));
  const data = [{ text: "é€😀\u2028</script>" }, [1, 2.5, null, true], "line", null, 7];
  const receipts = [];
  for (const one of data) {
    receipts.push(await client.publish(channel, one, { name: "kind", ref: "r", tags: { a: "b" } }));
  }
  receipts.push(await client.publish(channel, new Uint8Array([0, 1, 254, 255])));
  const again = await client.publish(channel, 1, { key: "same" });
  const twice = await client.publish(channel, 1, { key: "same" });
  const page = await client.history(channel, { limit: 3, reverse: true });
  const presence = await client.presence(channel);
  const refused = await client
    .publish("not a channel", 1)
    .catch(({ code, name }) => ({ code, name }));
  const trip = await client.ping();
  const result = {
    transport: client.transport,
    same: seen
      .slice(0, data.length)
      .every(({ data: got }, i) => JSON.stringify(got) === JSON.stringify(data[i])),
    ids: receipts.every(({ id }, i) => id === seen[i].id),
    first: [seen[0].name, seen[0].ref, seen[0].tags.a, seen[0].from.client === client.id],
    bytes: [...seen[data.length].bytes],
    count: seen.length,
    duplicate: [again.duplicate ?? false, twice.duplicate, again.id === twice.id],
    page: [
      page.publications.map(({ offset }) => offset),
      page.more,
      page.publications[0].channel === channel,
    ],
    members: presence.members.map(({ client: who }) => who === client.id),
    refused,
    trip: trip >= 0,
  };
  client.close();
  return result;
}

/** Loses its connection again and again, and must miss nothing. */
export async function recovering({ url, transport, channel, binary, WebSocketClass }) {
  const { options, pull, plug } = gear(WebSocketClass);
  const codec = binary ? { binary: proto } : {};
  const client = new Martlet(url, { ...options, ...codec, transports: [transport] });
  const subscription = client.subscribe(channel);
  await next(subscription, "subscribed");
  const { id } = client;
  const gaps = [];
  const recovered = [];
  subscription.on("gap", (gap) => gaps.push(gap));
  subscription.on("subscribed", (event) => recovered.push(event.recovered));
  const all = until(subscription, "end");
  const left = [];
  subscription.on("leave", ({ client: who }) => left.push(who));
  const receipts = [];
  for (let round = 0; round < 5; round++) {
    await publish(url, channel, `live ${round}`);
    const lost = next(client, "state", ({ state }) => state === "disconnected");
    pull();
    await lost;
    for (let i = 0; i < 10; i++) {
      await publish(url, channel, `missed ${round}.${i}`);
    }
    receipts.push(client.publish(channel, `own ${round}`));
    const back = next(subscription, "subscribed");
    plug();
    await back;
  }
  await Promise.all(receipts);
  await publish(url, channel, "end");
  const seen = await all;
  const result = {
    count: seen.length,
    distinct: new Set(seen).size,
    gaps,
    recovered,
    kept: client.id === id,
    left,
  };
  client.close();
  return result;
}

/** Two clients: the first sees the second come and go. */
export async function meeting({ url, transport, channel, binary, WebSocketClass }) {
  const { options } = gear(WebSocketClass);
  const codec = binary ? { binary: proto } : {};
  const [first, second] = [1, 2].map(
    () => new Martlet(url, { ...options, ...codec, transports: [transport] }),
  );
  const room = first.subscribe(channel);
  await next(room, "subscribed");
  const joined = next(room, "join", ({ client }) => client === second.id);
  const other = second.subscribe(channel);
  await next(other, "subscribed");
  await joined;
  const { members, count } = await second.presence(channel);
  const left = next(room, "leave", ({ client }) => client === second.id);
  other.unsubscribe();
  await left;
  const alone = await first.presence(channel);
  const result = {
    count,
    known: members.map(({ client }) => [first.id, second.id].includes(client)),
  };
  first.close();
  second.close();
  return { ...result, after: alone.members.map(({ client }) => client === first.id) };
}

/** Resumes on the other transport, with the same client and session. */
export async function moving({ url, transport, channel, WebSocketClass }) {
  const { options, pull, plug } = gear(WebSocketClass);
  const other = transport === "websocket" ? "sse" : "websocket";
  plug(transport);
  const client = new Martlet(url, { ...options, transports: [transport, other] });
  const subscription = client.subscribe(channel);
  await next(subscription, "subscribed");
  const { id, transport: before } = client;
  const all = until(subscription, "end");
  const lost = next(client, "state", ({ state }) => state === "disconnected");
  pull();
  await lost;
  await publish(url, channel, "missed");
  const back = next(subscription, "subscribed");
  plug(other);
  const { recovered } = await back;
  await publish(url, channel, "end");
  const seen = await all;
  const result = { moved: [before, client.transport], recovered, seen, kept: client.id === id };
  client.close();
  return result;
}

/** Another client goes on from a cursor, on the other transport. */
export async function handingOver({ url, transport, channel, WebSocketClass }) {
  const { options } = gear(WebSocketClass);
  const first = new Martlet(url, { ...options, transports: [transport] });
  const subscription = first.subscribe(channel);
  await next(subscription, "subscribed");
  const one = next(subscription, "publication");
  await publish(url, channel, "one");
  await one;
  const { cursor } = first;
  first.close();
  await publish(url, channel, "two");
  const other = transport === "websocket" ? "sse" : "websocket";
  const second = new Martlet(url, { ...options, transports: [other], cursor });
  const { data } = await next(second.subscribe(channel), "publication");
  second.close();
  return { data };
}
