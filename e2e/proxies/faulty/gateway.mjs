/**
 * The half of the faulty proxy that knows HTTP: it answers by itself, or asks the server anew for
 * each request, as proxies do. It has no time and no counts; those are the wire's.
 */

import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { buffer } from "node:stream/consumers";

/** What belongs to one connection and is not passed on. */
const HOP = ["connection", "upgrade", "keep-alive", "transfer-encoding"];

/** Accepts requests and carries them to a port. */
export class Gateway {
  #port;
  #onrequest;
  #sockets = new Set();
  #agent = new http.Agent({ keepAlive: false });
  #server = http.createServer({ keepAliveTimeout: 0 }, (request, response) =>
    this.#handle(request, response).catch(() => response.destroy()),
  );
  requests = [];

  /** `onrequest` is called for each request, once it is in `requests`. */
  constructor(port, faults, onrequest) {
    this.#port = port;
    this.#onrequest = onrequest;
    // A copy: the faults of a way are those of all its proxies, the answer is this one's.
    this.faults = { ...faults };
    this.#server.on("connection", (socket) => this.#keep(socket));
    if (!faults.noUpgrade) {
      this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    }
  }

  /** Begins, and gives its port. */
  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this.#server.address().port;
  }

  /** Ends it and all of its connections. */
  async close() {
    this.#server.close();
    this.#sockets.forEach((socket) => socket.destroy());
    await once(this.#server, "close");
  }

  #keep(socket) {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  /** What the proxy says by itself. */
  #own(request) {
    this.requests.push(`${request.method} ${new URL(request.url, "http://proxy").pathname}`);
    this.#onrequest();
    return this.faults.answer?.(request);
  }

  async #handle(request, response) {
    const own = this.#own(request);
    const body = await buffer(request);
    if (own !== undefined) {
      response.writeHead(own.status, { "content-type": own.type }).end(own.body);
    } else if (this.faults.http10) {
      this.#passOld(request, response, body);
    } else {
      await this.#pass(request, response, body);
    }
  }

  async #pass(request, response, body) {
    if (this.faults.repeatPosts && request.method === "POST") {
      (await this.#ask(request, response, body)).destroy();
    }
    const answer = await this.#ask(request, response, body);
    const held = this.faults.buffered ? await buffer(answer) : undefined;
    HOP.forEach((name) => delete answer.headers[name]);
    response.writeHead(answer.statusCode, answer.headers);
    if (held !== undefined) {
      response.end(held);
      return;
    }
    response.flushHeaders();
    // A response that breaks off must not look complete.
    answer.once("error", () => response.destroy());
    answer.pipe(response);
  }

  /** Asks the server, and gives its answer as soon as its head is there. */
  async #ask(request, response, body) {
    const headers = { ...request.headers, "content-length": body.length };
    HOP.forEach((name) => delete headers[name]);
    const { method, url: path } = request;
    const to = { host: "127.0.0.1", port: this.#port, agent: this.#agent };
    const asked = http.request({ ...to, method, path, headers });
    // Whoever asked may go while the server still thinks, or while it answers.
    response.once("close", () => asked.destroy());
    asked.on("error", () => undefined);
    asked.end(body);
    const [answer] = await once(asked, "response");
    return answer;
  }

  /** HTTP/1.0 knows no chunks: the answer goes on until the connection ends, as it stands. */
  #passOld({ method, url, headers, socket }, response, body) {
    const kept = Object.entries(headers).filter(([name]) => !HOP.includes(name));
    const all = [...kept.filter(([name]) => name !== "content-length")];
    const lines = [...all, ["content-length", body.length]].map((pair) => pair.join(": "));
    const far = net.connect(this.#port, "127.0.0.1");
    far.write(`${method} ${url} HTTP/1.0\r\n${lines.join("\r\n")}\r\n\r\n`);
    far.write(body);
    response.detachSocket(socket);
    join(socket, far);
  }

  #upgrade(request, socket, head) {
    const own = this.#own(request);
    if (own !== undefined) {
      socket.end(
        `HTTP/1.1 ${own.status} ${http.STATUS_CODES[own.status]}\r\ncontent-type: ${own.type}\r\n` +
          `content-length: ${own.body.length}\r\nconnection: close\r\n\r\n${own.body}`,
      );
    } else if (this.faults.silentWebSocket) {
      socket.resume();
    } else {
      this.#tunnel(request, socket, head);
    }
  }

  #tunnel({ method, url, rawHeaders }, socket, head) {
    const far = net.connect(this.#port, "127.0.0.1");
    far.write(`${method} ${url} HTTP/1.1\r\n`);
    for (let at = 0; at < rawHeaders.length; at += 2) {
      far.write(`${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`);
    }
    far.write("\r\n");
    far.write(head);
    join(socket, far);
  }
}

/** Carries bytes both ways; the end of one is the end of the other. */
function join(near, far) {
  far.on("error", () => near.destroy());
  far.once("close", () => near.end());
  near.once("close", () => far.destroy());
  near.pipe(far, { end: false });
  far.pipe(near, { end: false });
}
