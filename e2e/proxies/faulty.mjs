/**
 * A proxy that misbehaves as it is told, on a free port of this machine. It is made of a wire, which
 * knows bytes and time, and, where a fault needs it, of a gateway behind it, which knows HTTP. What
 * real proxies do is not imitated here: nginx and HAProxy themselves are beside this file.
 */

import { EventEmitter } from "node:events";

import { Gateway } from "./faulty/gateway.mjs";
import { Wire } from "./faulty/wire.mjs";

/**
 * Faults of a wire: `delay` (milliseconds each way, also of the connection's opening), `cutAfter`
 * (milliseconds that a connection lives), `oneByte` (every byte is written by itself), `silentAfter`
 * (bytes after which nothing passes any more though the connection stays).
 *
 * Faults of a gateway: `buffered` (a response is passed on when it has ended), `noUpgrade` (a
 * WebSocket's handshake becomes an ordinary GET), `silentWebSocket` (a handshake is never answered),
 * `repeatPosts` (the first answer to a POST is lost, and it is sent again), `http10` (HTTP/1.0 to the
 * server), `answer` (see below).
 */
const GATEWAY = ["buffered", "noUpgrade", "silentWebSocket", "repeatPosts", "http10", "answer"];

/** A running proxy. Tells `cut` whenever it has cut a connection, `request` for each request. */
export class FaultyProxy extends EventEmitter {
  #wire;
  #gateway;

  /** Starts one before the server at `upstream`. */
  static async start(upstream, faults = {}) {
    const proxy = new FaultyProxy();
    let port = Number(new URL(upstream).port);
    if (GATEWAY.some((fault) => fault in faults)) {
      proxy.#gateway = new Gateway(port, faults, () => proxy.emit("request"));
      port = await proxy.#gateway.listen();
    }
    proxy.#wire = new Wire(port, faults, () => proxy.emit("cut"));
    proxy.url = `http://127.0.0.1:${await proxy.#wire.listen()}`;
    return proxy;
  }

  /** What went through: `connections`, `up` and `down` in bytes, `cuts`. */
  get counts() {
    return this.#wire.counts;
  }

  /**
   * Asked for each request, WebSocket handshakes too, if the proxy was started with `answer`: what the
   * proxy answers by itself, such as `badGateway()`, or nothing to pass the request on.
   */
  set answer(answer) {
    this.#gateway.faults.answer = answer;
  }

  /** The requests that came, each as `METHOD path`; only of a proxy with a gateway. */
  get requests() {
    return this.#gateway.requests;
  }

  /** Cuts every connection now. */
  cut() {
    this.#wire.cut();
  }

  /** Ends it and all of its connections. */
  async close() {
    await this.#wire.close();
    await this.#gateway?.close();
  }
}

const html = (title) =>
  `<!doctype html><html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`;

/** What a proxy says whose server is away. */
export const badGateway = () => ({ status: 502, type: "text/html", body: html("502 Bad Gateway") });

/** What a network says to everything before somebody has paid. */
export const captivePortal = () => ({ status: 200, type: "text/html", body: html("Welcome") });
