/** The half of the faulty proxy that knows bytes and time, and nothing of HTTP. */

import { once } from "node:events";
import net from "node:net";
import { performance } from "node:perf_hooks";
import { setImmediate as nextTurn, setTimeout as wait } from "node:timers/promises";

/** Accepts connections and carries their bytes to a port and back. */
export class Wire {
  #port;
  #faults;
  #oncut;
  #pairs = new Set();
  #server = net.createServer({ allowHalfOpen: true }, (near) => this.#accept(near));
  counts = { connections: 0, up: 0, down: 0, cuts: 0 };

  /** `oncut` is called for each connection that was cut. */
  constructor(port, faults, oncut) {
    this.#port = port;
    this.#faults = faults;
    this.#oncut = oncut;
  }

  /** Begins, and gives its port. */
  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this.#server.address().port;
  }

  /** Cuts every connection now. */
  cut() {
    this.#pairs.forEach((pair) => pair.cut());
  }

  /** Ends it and all of its connections. */
  async close() {
    this.#server.close();
    this.#pairs.forEach((pair) => pair.end());
    await once(this.#server, "close");
  }

  #accept(near) {
    this.counts.connections += 1;
    const far = net.connect({ port: this.#port, host: "127.0.0.1", allowHalfOpen: true });
    const pair = new Pair(near, far, this.#faults, this.counts, this.#oncut);
    this.#pairs.add(pair);
    near.once("close", () => this.#pairs.delete(pair));
  }
}

/** A client's connection and the one to the server. */
class Pair {
  #sockets;
  #counts;
  #oncut;
  #timer;

  constructor(near, far, faults, counts, oncut) {
    this.#sockets = [near, far];
    this.#counts = counts;
    this.#oncut = oncut;
    const { cutAfter, delay = 0 } = faults;
    if (cutAfter !== undefined) {
      this.#timer = setTimeout(() => this.cut(), cutAfter);
    }
    for (const socket of this.#sockets) {
      socket.setNoDelay(true);
      // A connection that breaks takes its other half along, in the line after the next.
      socket.on("error", () => undefined);
      socket.on("close", () => this.end());
    }
    const passed = { bytes: 0 };
    // A client sends its first byte after a round trip, which on this machine has taken no time.
    const opened = performance.now() + 2 * delay;
    new Leg(near, far, { ...faults, opened, passed }, (bytes) => (counts.up += bytes));
    new Leg(far, near, { ...faults, opened: 0, passed }, (bytes) => (counts.down += bytes));
  }

  /** Ends it as a broken network does. */
  cut() {
    this.#counts.cuts += 1;
    this.#sockets.forEach((socket) => socket.resetAndDestroy());
    this.end();
    this.#oncut();
  }

  end() {
    clearTimeout(this.#timer);
    this.#sockets.forEach((socket) => socket.destroy());
  }
}

/** One way of a connection: what comes waits for its time and is written, and then the end. */
class Leg {
  #to;
  #faults;
  #count;
  #due = [];
  #busy = false;

  constructor(from, to, faults, count) {
    this.#to = to;
    this.#faults = faults;
    this.#count = count;
    from.on("data", (chunk) => this.#take(chunk));
    from.on("end", () => this.#take(null));
  }

  /** `null` is the end. */
  #take(chunk) {
    const { delay = 0, opened } = this.#faults;
    this.#due.push([Math.max(performance.now(), opened) + delay, chunk]);
    void this.#drain();
  }

  async #drain() {
    if (this.#busy) {
      return;
    }
    this.#busy = true;
    for (let next = this.#due.shift(); next !== undefined; next = this.#due.shift()) {
      await this.#until(next[0]);
      await this.#write(next[1]);
    }
    this.#busy = false;
  }

  async #until(due) {
    const left = due - performance.now();
    if ((this.#faults.delay ?? 0) > 0 && left > 0) {
      await wait(left);
    }
  }

  async #write(chunk) {
    const { silentAfter = Infinity, passed } = this.#faults;
    if (passed.bytes >= silentAfter || this.#to.destroyed) {
      return;
    }
    if (chunk === null) {
      this.#to.end();
      return;
    }
    passed.bytes += chunk.length;
    this.#count(chunk.length);
    await (this.#faults.oneByte ? this.#drip(chunk) : this.#to.write(chunk));
  }

  /** Each byte in a turn of its own, so that the system does not put them together again. */
  async #drip(chunk) {
    for (let at = 0; at < chunk.length && !this.#to.destroyed; at++) {
      this.#to.write(chunk.subarray(at, at + 1));
      await nextTurn();
    }
  }
}
