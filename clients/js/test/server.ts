/**
 * The test double's doors: WebSocket, streams, polls and their uplink, and files of a page. Binds
 * to a free port of the loopback address. What stands between client and server on bad networks is
 * in here too: what drops, buffers, cuts, or answers in the server's place.
 */

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import {
  createServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { extname, join } from "node:path";
import { text } from "node:stream/consumers";

import { WebSocketServer, type WebSocket } from "ws";

import { Hub, type Down, type Peer } from "./hub.js";
import { asScript, Polls, type Answer } from "./polls.js";

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css",
  ".js": "text/javascript",
};

/** An answer that the server did not give. */
export interface Foreign {
  status: number;
  body: string;
  type?: string;
}

/** What a double can be made to do wrong. */
export interface Faults {
  /** Answers WebSocket upgrades with this status. */
  refuseWebSocket?: number;
  /** Takes WebSocket connections and never answers the upgrade. */
  stallWebSocket?: boolean;
  /** Answers requests of these paths under `/v1/` so. */
  foreign?: Record<string, Foreign>;
  /** Holds back what streams have to tell, as a proxy does that waits for the end. */
  buffer?: boolean;
  /** Keeps what streams have to tell until `releaseStreams`. */
  stallStreams?: boolean;
  /** Takes this many requests of the path, does as they say, and loses the answers. */
  loseAnswers?: Record<string, number>;
}

/** A running double. */
export class Server {
  readonly hub = new Hub();
  faults: Faults = {};
  /** The largest piece in which an event stream is written; small ones split characters. */
  pieces = Infinity;
  /** Bodies of the requests of the uplink, in order. */
  readonly sends: string[] = [];
  /** The paths that were asked for, apart from WebSockets. */
  readonly requests: string[] = [];
  #count = 0;
  readonly polls = new Polls(this.hub);
  readonly #http: HttpServer;
  readonly #stalled: (() => void)[] = [];
  readonly #kept: (() => void)[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    handleProtocols: () => SUBPROTOCOL,
  });
  readonly #root: string | undefined;

  private constructor(root: string | undefined) {
    this.#root = root;
    this.#http = createServer((request, response) => void this.#request(request, response));
    this.#http.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    this.#http.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) =>
      this.#upgrade(request, socket, head),
    );
  }

  /** Starts one; `root` is a directory of files to show. */
  static async start(root?: string): Promise<Server> {
    const server = new Server(root);
    server.#http.listen(0, "127.0.0.1");
    await once(server.#http, "listening");
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  /** Numbers, so that no two publications are the same. */
  next(): number {
    return ++this.#count;
  }

  /** Stops it and everything that is connected to it. */
  async stop(): Promise<void> {
    const closed = once(this.#http, "close");
    this.#http.close();
    this.polls.stop();
    this.#sockets.forEach((socket) => socket.destroy());
    await closed;
  }

  /** Answers the WebSockets that were left waiting, and lets later ones through. */
  releaseWebSockets(): void {
    this.faults.stallWebSocket = false;
    this.#stalled.splice(0).forEach((answer) => answer());
  }

  /** Tells what streams were kept from telling, and lets them. */
  releaseStreams(): void {
    this.faults.stallStreams = false;
    this.#kept.splice(0).forEach((write) => write());
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    if (this.faults.stallWebSocket === true) {
      this.#stalled.push(() => this.#upgrade(request, socket, head));
      return;
    }
    if (this.faults.refuseWebSocket !== undefined) {
      socket.end(`HTTP/1.1 ${this.faults.refuseWebSocket} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, (open) => this.#webSocket(open));
  }

  #webSocket(socket: WebSocket): void {
    let peer: Peer | undefined;
    const down: Down = {
      send: (event) => socket.send(JSON.stringify(event)),
      end: () => socket.close(),
      cut: () => socket.terminate(),
    };
    socket.on("message", (frame: Buffer) => (peer = this.hub.take(frame.toString(), down, peer)));
    socket.on("close", () => peer && this.hub.detach(peer, down));
  }

  async #request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", this.url);
    const body = await text(request).catch(() => "");
    const path = pathname.replace("/v1/", "");
    this.requests.push(path);
    const foreign = this.faults.foreign?.[path];
    if (foreign !== undefined) {
      const { status, body: page, type = "text/html" } = foreign;
      response.writeHead(status, { "content-type": type }).end(page);
      return;
    }
    const lost = this.#loses(searchParams.has("send") ? "send" : path);
    const connect = searchParams.get("connect") ?? "";
    if (path === "sse" || path === "stream" || path === "htmlfile") {
      this.#stream(path, body || connect, response, searchParams.get("callback") ?? "");
    } else if (path === "jsonp") {
      this.#jsonp(searchParams, lost ? deaf(response) : response);
    } else if (path === "poll") {
      this.polls.take(searchParams, body, lost ? deaf(response) : response);
    } else if (path === "send") {
      const answer = lost ? deaf(response) : response;
      this.#send(searchParams.get("session") ?? "", body, answer, searchParams.has("leave"));
    } else {
      await this.#file(pathname, response);
    }
  }

  #loses(path: string): boolean {
    const left = this.faults.loseAnswers?.[path] ?? 0;
    if (left > 0) {
      this.faults.loseAnswers = { ...this.faults.loseAnswers, [path]: left - 1 };
    }
    return left > 0;
  }

  #jsonp(query: URLSearchParams, response: ServerResponse): void {
    const answer = asScript(response, query.get("callback") ?? "");
    const frame = query.get("send");
    if (frame !== null) {
      this.#send(query.get("session") ?? "", frame, answer);
    } else {
      this.polls.take(query, query.get("connect") ?? "", answer);
    }
  }

  #stream(path: keyof typeof FRAMINGS, first: string, response: ServerResponse, name = ""): void {
    const { type, hello, event } = FRAMINGS[path];
    if (this.faults.buffer !== true) {
      response.writeHead(200, { "content-type": type });
      response.write(hello.replace("NAME", name));
    }
    const write = (text: string) => {
      if (this.faults.stallStreams === true) {
        this.#kept.push(() => this.#write(response, text));
      } else if (this.faults.buffer !== true) {
        this.#write(response, text);
      }
    };
    const down: Down = {
      send: (told) => write(event(JSON.stringify(told))),
      end: () => response.end(),
      cut: () => response.destroy(),
    };
    const peer = this.hub.take(first, down);
    response.on("close", () => peer && this.hub.detach(peer, down));
  }

  #write(response: ServerResponse, event: string): void {
    const bytes = Buffer.from(event);
    for (let at = 0; at < bytes.length; at += this.pieces) {
      response.write(bytes.subarray(at, Math.min(bytes.length, at + this.pieces)));
      if (this.pieces === Infinity) {
        return;
      }
    }
  }

  #send(session: string, body: string, response: Answer, leaves = false): void {
    const peer = this.hub.peers.get(session);
    if (!leaves) {
      this.sends.push(body);
    }
    if (peer?.down === undefined) {
      const error = { code: 1009, name: "unknown_session", message: "There is no such session." };
      response.writeHead(404, { "content-type": "application/json" }).end(JSON.stringify(error));
      return;
    }
    response.writeHead(204).end();
    if (leaves) {
      this.hub.leave(peer);
    } else {
      this.hub.takeOnce(body, peer.down, peer);
    }
  }

  async #file(pathname: string, response: ServerResponse): Promise<void> {
    const name = pathname === "/" ? "index.html" : pathname.slice(1);
    if (this.#root === undefined || !/^[a-z]+\.[a-z]+$/.test(name)) {
      response.writeHead(404).end();
      return;
    }
    const type = TYPES[extname(name)] ?? "text/plain";
    response.writeHead(200, { "content-type": type });
    response.end(await readFile(join(this.#root, name)));
  }
}

/** The way down breaks right before the answer. */
function deaf(response: ServerResponse): ServerResponse {
  response.writeHead = () => response;
  response.end = () => response.destroy();
  return response;
}

const FRAMINGS = {
  sse: {
    type: "text/event-stream",
    hello: ": martlet\n\n",
    event: (text: string) => `data: ${text}\n\n`,
  },
  htmlfile: {
    type: "text/html",
    hello: "<!doctype html><script>function m(e){parent.NAME(e)}</script>\n",
    event: (text: string) => `<script>m(${text.replaceAll("<", "\\u003c")});</script>\n`,
  },
  stream: { type: "application/x-ndjson", hello: "\n", event: (text: string) => `${text}\n` },
} as const;

const SUBPROTOCOL = "martlet.v1.json";
