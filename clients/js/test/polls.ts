/**
 * The test double's long polls: events gathered into batches, each kept until the next poll names
 * it.
 */

import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";

import type { Down, Hub, Peer } from "./hub.js";

const LINES = { "content-type": "application/x-ndjson" };

/** One session that is polled. */
class Polled implements Down {
  readonly key = randomUUID();
  peer: Peer | undefined;
  #waiting: string[] = [];
  #batch = 0;
  #last = "";
  #response: Answer | undefined;
  #timer: NodeJS.Timeout | undefined;
  ended = false;

  constructor(readonly gone: () => void) {}

  send(event: object): void {
    this.#waiting.push(JSON.stringify(event));
    // What is told in one turn goes together.
    setImmediate(() => this.#flush());
  }

  end(): void {
    this.ended = true;
    setImmediate(() => this.#flush());
  }

  cut(): void {
    this.#response?.destroy();
    this.gone();
  }

  /** A poll; `lose` loses its answer on the way. */
  poll(response: Answer, batch: number, wait: number): void {
    this.#answer(204);
    this.#response = response;
    if (batch === this.#batch - 1) {
      this.#answer(200, this.#last);
      return;
    }
    this.#timer = setTimeout(() => this.#answer(204), wait * 1000);
    this.#flush();
  }

  #flush(): void {
    if (this.#response === undefined || this.#waiting.length === 0) {
      return;
    }
    this.#batch += 1;
    this.#last = [...this.#waiting, JSON.stringify({ batch: this.#batch }), ""].join("\n");
    this.#waiting = [];
    this.#answer(200, this.#last);
    if (this.ended) {
      this.gone();
    }
  }

  #answer(status: number, body?: string): void {
    clearTimeout(this.#timer);
    const response = this.#response;
    this.#response = undefined;
    response?.writeHead(status, status === 200 ? LINES : {}).end(body);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** As much of a response as is used here. */
export interface Answer {
  writeHead(status: number, headers?: Record<string, string>): Answer;
  end(body?: string): unknown;
  destroy(): unknown;
}

/** The same answers as calls of a function, for script elements. */
export function asScript(response: ServerResponse, callback: string): Answer {
  let status = 200;
  const answer: Answer = {
    writeHead: (code) => {
      status = code;
      return answer;
    },
    end: (body = "") => {
      const lines = body.split("\n").filter((line) => line !== "");
      const list = status >= 400 ? [`{"error":${lines.join("")}}`] : lines;
      response.writeHead(200, { "content-type": "application/javascript" });
      response.end(`/**/${callback}([${list.join(",")}]);`);
    },
    destroy: () => response.destroy(),
  };
  return answer;
}

/** All sessions that are polled. */
export class Polls {
  readonly #polled = new Set<Polled>();
  /** The queries of all polls, in order. */
  readonly asked: string[] = [];

  constructor(readonly hub: Hub) {}

  /** Takes a request of `/v1/poll`. */
  take(query: URLSearchParams, body: string, response: Answer): void {
    this.asked.push(query.toString());
    const key = query.get("session");
    if (key === null) {
      this.#begin(body, response);
      return;
    }
    const polled = [...this.#polled].find(({ peer }) => peer?.session === key);
    if (polled === undefined) {
      const error = { code: 1009, name: "unknown_session", message: "There is no such session." };
      response.writeHead(404, { "content-type": "application/json" }).end(JSON.stringify(error));
      return;
    }
    polled.poll(response, Number(query.get("batch")), Number(query.get("wait") ?? 25));
  }

  #begin(body: string, response: Answer): void {
    const polled: Polled = new Polled(() => {
      polled.stop();
      this.#polled.delete(polled);
      if (polled.peer !== undefined) {
        this.hub.detach(polled.peer, polled);
      }
    });
    this.#polled.add(polled);
    polled.poll(response, 0, 25);
    polled.peer = this.hub.take(body, polled);
  }

  stop(): void {
    this.#polled.forEach((polled) => polled.stop());
  }
}
