/** Several nodes on one engine, and a HAProxy that deals requests out to them in turn. */

import { setTimeout as wait } from "node:timers/promises";

import { startHaproxy } from "./proxies/haproxy.mjs";
import { startNats } from "./proxies/nats.mjs";
import { startRedis } from "./proxies/redis.mjs";
import { MartletServer } from "./server.mjs";

/** The engines: how each is started, and the programs that it takes. */
export const ENGINES = {
  Redis: { start: startRedis, needs: ["redis-server", "haproxy"] },
  NATS: { start: startNats, needs: ["nats-server", "haproxy"] },
};

/** How long it may take until all nodes are ready. */
const PATIENCE = 20_000;

/** The nodes, what is behind them and what is before. */
export class Nodes {
  #engine;
  #proxy;

  /** Starts so many. The first is never killed: it is the one that the backend speaks to. */
  static async start(engine, count) {
    const nodes = new Nodes();
    nodes.#engine = await ENGINES[engine].start();
    const starting = Array.from({ length: count }, () => nodes.#begin(0));
    nodes.all = await Promise.all(starting);
    nodes.#proxy = await startHaproxy(nodes.all.map(({ url }) => url));
    return nodes;
  }

  #begin(port) {
    return MartletServer.start(port, ["--engine", this.#engine.url]);
  }

  /** Where clients go. */
  get url() {
    return this.#proxy.url;
  }

  /** The node that the backend speaks to. */
  get first() {
    return this.all[0];
  }

  /** Waits until each node has its turn: one that has just begun is not ready at once. */
  async inTurn() {
    const late = performance.now() + PATIENCE;
    for (let seen = []; new Set(seen.slice(-this.all.length)).size < this.all.length; ) {
      if (performance.now() > late) {
        throw new Error(`not every node has its turn: ${seen.slice(-10)}`);
      }
      const { nodes } = await (await fetch(`${this.url}/v1/nodes`)).json();
      seen.push(nodes.find((node) => node.this).node);
      await wait(20);
    }
  }

  /** Ends a node as a power cut does, and starts it again; not the first. */
  async kill(number) {
    const index = 1 + (number % (this.all.length - 1));
    const { port } = this.all[index];
    await this.all[index].stop("SIGKILL");
    this.all[index] = await this.#begin(port);
  }

  /** Ends everything. */
  async stop() {
    await this.#proxy?.close();
    await Promise.all(this.all.map((node) => node.stop()));
    await this.#engine.close();
  }
}
