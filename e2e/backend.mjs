/**
 * Requests as a backend makes them: over connections of its own, which no client in this program
 * shares, and to a server whose certificate nobody trusts as well.
 */

import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import { json } from "node:stream/consumers";

/** Makes requests to one server. */
export class Backend {
  #url;
  #headers;
  #make;
  #agent;

  constructor(url, key) {
    const { request, Agent } = url.startsWith("https:") ? https : http;
    this.#url = url;
    this.#headers = { "content-type": "application/json", authorization: `Bearer ${key}` };
    this.#make = request;
    this.#agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
  }

  /** Posts `body` to `/v1/PATH` and gives what is answered. */
  async post(path, body) {
    const options = { method: "POST", agent: this.#agent, headers: this.#headers };
    const request = this.#make(`${this.#url}/v1/${path}`, options).end(JSON.stringify(body));
    const [response] = await once(request, "response");
    const answer = await json(response);
    if (response.statusCode !== 200) {
      throw new Error(`${path} was answered ${response.statusCode}: ${JSON.stringify(answer)}`);
    }
    return answer;
  }

  /** Lets its connections go. */
  close() {
    this.#agent.destroy();
  }
}
