/**
 * The ways between a client and a server that are tried with every transport. Each says how what is
 * between them is started, which transports cannot work there, and how a connection is lost on it.
 */

import { once } from "node:events";

import { badGateway, captivePortal, FaultyProxy } from "./proxies/faulty.mjs";
import { CUT, startHaproxy } from "./proxies/haproxy.mjs";
import { startNginx } from "./proxies/nginx.mjs";

const LIMIT = 20_000;
const event = (proxy, name) => once(proxy, name, { signal: AbortSignal.timeout(LIMIT) });
const faulty = (faults) => (upstream) => FaultyProxy.start(upstream, faults);

/** Everything is answered otherwise until three requests have come, and then as it should be. */
const troubled = (answer) => async (proxy) => {
  proxy.answer = answer;
  proxy.cut();
  for (let i = 0; i < 3; i++) {
    await event(proxy, "request");
  }
  proxy.answer = undefined;
};

/**
 * `without`: the transports that cannot work there. `lose`: loses the connection of a traveller,
 * `losses` times. `server`: more arguments of the server. `needs`: programs.
 */
export const WAYS = {
  "no proxy": { start: async (upstream) => ({ url: upstream, close: () => undefined }) },
  nginx: { start: (upstream) => startNginx(upstream), needs: ["nginx"] },
  "nginx without Upgrade": {
    start: (upstream) => startNginx(upstream, { upgrade: false }),
    needs: ["nginx"],
    without: ["websocket"],
  },
  HAProxy: { start: (upstream) => startHaproxy(upstream), needs: ["haproxy"] },
  "HAProxy that cuts after 2 s of silence": {
    start: (upstream) => startHaproxy(upstream, { short: 2 }),
    needs: ["haproxy"],
    // It may find two requests silent at once; a traveller that is alone has one that waits.
    lose: (proxy) => proxy.says(CUT),
    losses: 1,
  },
  "cut every 300 ms": {
    start: faulty({ cutAfter: 300 }),
    lose: (proxy) => event(proxy, "cut"),
    losses: 4,
  },
  "one byte at a time": { start: faulty({ oneByte: true }) },
  "every POST repeated": {
    start: faulty({ repeatPosts: true }),
    lose: (proxy) => proxy.cut(),
    losses: 2,
  },
  "HTTP/1.0 to the server": { start: faulty({ http10: true }) },
  "responses held until their end": {
    start: faulty({ buffered: true }),
    without: ["sse", "stream"],
    lose: (proxy) => proxy.cut(),
    losses: 2,
  },
  "no Upgrade": { start: faulty({ noUpgrade: true }), without: ["websocket"] },
  "WebSocket never answered": { start: faulty({ silentWebSocket: true }), without: ["websocket"] },
  "502 for a while": {
    start: faulty({ answer: undefined }),
    lose: troubled(badGateway),
    losses: 2,
  },
  "a captive portal for a while": {
    start: faulty({ answer: undefined }),
    lose: troubled(captivePortal),
    losses: 2,
  },
  "a black hole after 4,000 bytes": {
    start: faulty({ silentAfter: 4_000 }),
    server: ["--set", "heartbeat.ping=1s", "--set", "heartbeat.pong=1s"],
    lose: (_, traveller, i) => traveller.disconnected(i + 1),
    losses: 1,
  },
};
