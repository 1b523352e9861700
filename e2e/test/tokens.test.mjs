/** Tokens with the client in Node: the first, the next, the channel's own, lost grants. */

import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import WebSocket from "ws";

import { bundle } from "../bundle.mjs";
import { MartletServer } from "../server.mjs";

const SECRET = randomBytes(24).toString("hex");
const CONFIGURATION = `
[auth]
anonymous = false
leeway = "0s"

[[auth.tokens]]
algorithm = "HS256"
secret = "${SECRET}"

[channels.default]
history_size = 100
subscribe = "granted"
publish = "users"
`;

let folder;
let more;
let server;
let Martlet;
let gear;
const clients = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "martlet-tokens-"));
  await writeFile(join(folder, "martlet.toml"), CONFIGURATION);
  await writeFile(join(folder, "scenarios.mjs"), await bundle());
  ({ Martlet, gear } = await import(join(folder, "scenarios.mjs")));
  more = ["--config", join(folder, "martlet.toml")];
  server = await MartletServer.start(0, more);
});

after(async () => {
  clients.forEach((client) => client.close());
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A token, good for so many seconds. */
function token(seconds, claims) {
  const part = (object) => Buffer.from(JSON.stringify(object)).toString("base64url");
  const exp = Date.now() / 1_000 + seconds;
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ exp, ...claims })}`;
  return `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`;
}

function connect(options) {
  const client = new Martlet(server.url, { WebSocket, backoffMin: 20, ...options });
  clients.push(client);
  return client;
}

function next(from, name, fits = () => true) {
  return new Promise((resolve) => {
    const off = from.on(name, (event) => {
      if (fits(event)) {
        off();
        resolve(event);
      }
    });
  });
}

const reaches = (client, state) => next(client, "state", (event) => event.state === state);

for (const transport of ["websocket", "sse"]) {
  const transports = [transport];

  test(`${transport}: a newer token comes before the old one ends`, async () => {
    let fetched = 0;
    const getToken = () => token(2, { sub: "ann", jti: (fetched += 1) });
    const client = connect({ transports, getToken });
    await reaches(client, "connected");
    assert.equal(client.user, "ann");
    const states = [];
    client.on("state", ({ name }) => states.push(name));
    // Longer than the first two tokens are good, by the server's clock.
    await next({ on: every(client) }, "time", (time) => time > 4_500);
    assert.deepEqual(states, []);
    assert.ok(fetched >= 3, `${fetched} tokens`);
    client.close();
  });

  test(`${transport}: a channel's token is renewed, and the subscription goes on`, async () => {
    const client = connect({ transports, token: token(60, { sub: "ann" }) });
    const channel = `own-${transport}`;
    let fetched = 0;
    const getToken = () => token(2, { channel, jti: (fetched += 1) });
    const subscription = client.subscribe(channel, { getToken });
    await next(subscription, "subscribed");
    const ends = [];
    subscription.on("unsubscribed", (event) => ends.push(event));
    subscription.on("error", (event) => ends.push(event));
    await next({ on: every(client) }, "time", (time) => time > 4_500);
    const got = next(subscription, "publication");
    await client.publish(channel, "still here");
    assert.equal((await got).data, "still here");
    assert.deepEqual(ends, []);
    assert.ok(fetched >= 3, `${fetched} tokens`);
    client.close();
  });

  test(`${transport}: a channel of the token is followed unasked, and again`, async () => {
    const channel = `inbox-${transport}`;
    const permissions = { [channel]: ["history"] };
    const { options, pull, plug } = gear(WebSocket);
    const claims = { sub: "ann", channels: [channel], permissions };
    const client = connect({ ...options, transports, token: token(60, claims) });
    const subscription = await next(client, "subscription");
    assert.equal(subscription.channel, channel);
    const got = next(subscription, "publication", ({ data }) => data === "one");
    await client.publish(channel, "one");
    await got;
    const other = connect({ transports, token: token(60, { sub: "ann" }) });
    await reaches(other, "connected");
    const ends = [];
    subscription.on("unsubscribed", (event) => ends.push(event));
    subscription.on("error", (event) => ends.push(event));
    const began = [];
    subscription.on("subscribed", ({ recovered }) => began.push(recovered));
    const second = next(subscription, "publication", ({ data }) => data === "two");
    const lost = reaches(client, "disconnected");
    pull();
    await lost;
    await other.publish(channel, "two");
    plug();
    await second;
    assert.deepEqual(ends, []);
    assert.ok(began.includes(true), `${began}`);
    [client, other].forEach((one) => one.close());
  });
}

test("without a token it is refused, and says so", async () => {
  const client = connect({});
  const { code, retryIn } = await reaches(client, "disconnected");
  assert.deepEqual([code, retryIn], [1100, undefined]);
});

test("a server that knows the grant no more is given a token", async () => {
  const getToken = () => token(60, { sub: "ann", permissions: { "*": ["subscribe"] } });
  let fetched = 0;
  const client = connect({ getToken: () => getToken((fetched += 1)) });
  const subscription = client.subscribe("restart");
  await next(subscription, "subscribed");
  const got = next(subscription, "publication");
  await client.publish("restart", 1);
  await got;
  const { port } = server;
  await server.stop("SIGKILL");
  const gap = next(subscription, "gap");
  server = await MartletServer.start(port, more);
  assert.equal((await gap).reason, "epoch");
  assert.equal(fetched, 2);
  client.close();
});

/** Tells how long it has been, at every answered ping. A lost connection ends it. */
function every(client) {
  return (_, listener) => {
    const began = performance.now();
    let timer;
    const again = () =>
      client.ping().then(
        () => {
          timer = setTimeout(again, 50);
          listener(performance.now() - began);
        },
        () => undefined,
      );
    void again();
    return () => clearTimeout(timer);
  };
}
