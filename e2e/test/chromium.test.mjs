/**
 * The TypeScript client in Chromium through proxies, with HTTP/2 where a server or proxy speaks it to
 * the browser. What faults do to transports is tried in Node, by more ways than these.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launch } from "../browser.mjs";
import { Flood } from "../flood.mjs";
import { journey } from "../journeys.mjs";
import { badGateway, FaultyProxy } from "../proxies/faulty.mjs";
import { startHaproxy } from "../proxies/haproxy.mjs";
import { startNginx } from "../proxies/nginx.mjs";
import { missing } from "../proxies/process.mjs";
import { pageSeats } from "../seats.mjs";
import { MartletServer } from "../server.mjs";
import { WAYS } from "../ways.mjs";

const LIMIT = { timeout: 60_000 };
const TRANSPORTS = ["websocket", "sse", "stream", "poll"];
const DEVELOPMENT = "history_size = 100\n[server.tls]\ndevelopment = true\n";

/** `version` of HTTP for requests, and the status of a handshake, which is 200 only over HTTP/2. */
const HERE = {
  nginx: { ...WAYS.nginx, version: "http/1.1", handshake: 101 },
  "nginx without Upgrade": { ...WAYS["nginx without Upgrade"], version: "http/1.1" },
  HAProxy: { ...WAYS.HAProxy, version: "http/1.1", handshake: 101 },
  "cut every 300 ms": { ...WAYS["cut every 300 ms"], version: "http/1.1", handshake: 101 },
  "WebSocket never answered": { ...WAYS["WebSocket never answered"], version: "http/1.1" },
  "nginx with HTTP/2": {
    start: (upstream) => startNginx(upstream, { tls: true }),
    needs: ["nginx", "openssl"],
    version: "h2",
    // This nginx has no WebSocket over HTTP/2; the browser opens a connection of HTTP/1.1 beside it.
    handshake: 101,
  },
  "HAProxy with HTTP/2": {
    start: (upstream) => startHaproxy(upstream, { tls: true }),
    needs: ["haproxy", "openssl"],
    version: "h2",
    handshake: 200,
  },
};

let server;
let browser;

before(async () => {
  server = await MartletServer.start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A page of the origin of `url`, and what the browser says of its connections. */
async function visit(url) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  const network = await context.newCDPSession(page);
  const versions = new Set();
  const handshakes = new Set();
  await page.goto(`${url}/health`);
  const seats = await pageSeats(page);
  // Not what the browser asks for by itself, such as the page's icon.
  network.on("Network.responseReceived", ({ response }) => {
    if (new URL(response.url).pathname.startsWith("/v1/")) {
      versions.add(response.protocol);
    }
  });
  network.on("Network.webSocketHandshakeResponseReceived", ({ response }) =>
    handshakes.add(response.status),
  );
  await network.send("Network.enable");
  return { url, seats, versions, handshakes, close: () => context.close() };
}

/** A journey in a page; gives its transports and what the browser says of its connections. */
async function travel(backend, { url, seats, versions, handshakes }, options) {
  versions.clear();
  handshakes.clear();
  const { transports } = await journey(backend, seats, { url, storage: false, ...options });
  return { by: [...new Set(transports)], versions: [...versions], handshakes: [...handshakes] };
}

/** What a journey by one transport must look like; a WebSocket alone makes no requests. */
const wanted = (transport, { version, handshake }) => ({
  by: [transport],
  versions: transport === "websocket" ? [] : [version],
  handshakes: transport === "websocket" ? [handshake] : [],
});

for (const [name, way] of Object.entries(HERE)) {
  const skip = missing(...(way.needs ?? []));
  const channel = (by) => `page-${name.replaceAll(/\W+/g, "-")}-${by}`;

  // Not the suite is skipped but each test, so that each is counted.
  describe(name, () => {
    let proxy;
    let page;
    let losing;

    before(async () => {
      if (skip) {
        return;
      }
      proxy = await way.start(server.url);
      page = await visit(proxy.url);
      losing = { lose: way.lose && ((...args) => way.lose(proxy, ...args)), losses: way.losses };
    });

    after(async () => {
      await page?.close();
      await proxy?.close();
    });

    for (const transport of TRANSPORTS.filter((one) => !way.without?.includes(one))) {
      test(`${name}: ${transport}`, { ...LIMIT, skip }, async () => {
        const options = { ...losing, channel: channel(transport), transports: [transport] };
        assert.deepEqual(await travel(server, page, options), wanted(transport, way));
      });
    }

    test(`${name}: whatever the client finds`, { ...LIMIT, skip }, async () => {
      const { by } = await travel(server, page, { ...losing, channel: channel("any") });
      assert.deepEqual(by.filter((one) => way.without?.includes(one)), []);
    });
  });
}

describe("the server's own HTTP/2", () => {
  let own;
  let page;

  before(async () => {
    own = await MartletServer.startOpen(DEVELOPMENT);
    page = await visit(own.url);
  });

  after(async () => {
    await page?.close();
    await own?.stop();
  });

  for (const transport of TRANSPORTS) {
    test(`${transport} over HTTP/2`, LIMIT, async () => {
      const options = { channel: `h2-${transport}`, transports: [transport] };
      const way = { version: "h2", handshake: 200 };
      assert.deepEqual(await travel(own, page, options), wanted(transport, way));
    });
  }
});

/** Lets nothing through that these transports need. */
const shut = (...names) => ({ url }) => {
  const blocked = names.some((name) => url.startsWith(`/v1/${name}`));
  return blocked ? badGateway() : undefined;
};

test("pages move while 200 publications a second come down", { timeout: 90_000 }, async () => {
  const proxy = await FaultyProxy.start(server.url, { answer: shut("ws", "poll") });
  const { seats, close } = await visit(proxy.url);
  const flood = new Flood(server, "pages", 200);
  const transports = ["websocket", "sse", "poll"];
  const options = { url: proxy.url, channel: "pages", transports, storage: false };
  const all = await Promise.all(Array.from({ length: 4 }, () => seats.sit(options)));
  let accounts;
  const each = (name, ...args) => Promise.all(all.map((traveller) => traveller[name](...args)));
  try {
    await each("carriedBy", "sse");
    proxy.answer = undefined;
    await seats.online();
    await each("carriedBy", "websocket");
    proxy.answer = shut("ws", "sse");
    proxy.cut();
    await each("carriedBy", "poll");
    proxy.answer = shut("sse");
    await seats.online();
    await each("carriedBy", "websocket");
    await each("hears", flood.count);
    accounts = await each("close");
  } finally {
    await flood.stop();
    await close();
    await proxy.close();
  }
  for (const { begun, first, twice, disorder, lost, gaps, transports } of accounts) {
    const account = { missed: first - begun - 1, twice, disorder, lost, gaps, transports };
    const path = ["sse", "websocket", "poll", "websocket"];
    const nothing = { missed: 0, twice: 0, disorder: 0, lost: 0, gaps: [] };
    assert.deepEqual(account, { ...nothing, transports: path });
  }
});
