/** Starts the real server on a free port and stops it again. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const BUILT = fileURLToPath(new URL("../target/debug/martlet", import.meta.url));
const ADDRESS = /http:\/\/127\.0\.0\.1:(\d+)/;
const START_LIMIT = 20_000;

/** A running server: its address, and the process. */
export class MartletServer {
  constructor(process, url) {
    this.process = process;
    this.url = url;
  }

  /** Starts one, in development mode unless there are more arguments. `port` 0 is any free one. */
  static async start(port = 0, more = []) {
    const binary = process.env.MARTLET_BIN ?? BUILT;
    const child = spawn(binary, ["serve", "--listen", `127.0.0.1:${port}`, ...more], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const server = new MartletServer(child, await address(child));
    return server;
  }

  /** The port it listens on. */
  get port() {
    return Number(ADDRESS.exec(this.url)[1]);
  }

  /** Publishes as a backend does. */
  async publish(channel, data) {
    const response = await fetch(`${this.url}/v1/publish`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ channel, data }),
    });
    if (!response.ok) {
      throw new Error(`publish was answered ${response.status}: ${await response.text()}`);
    }
    return response.json();
  }

  /** Stops it: politely, or at once as a power cut does. */
  async stop(signal = "SIGTERM") {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const ended = once(this.process, "exit");
      this.process.kill(signal);
      const late = setTimeout(() => this.process.kill("SIGKILL"), START_LIMIT);
      await ended;
      clearTimeout(late);
    }
  }
}

/** The address that the server prints when it listens. */
function address(child) {
  return new Promise((resolve, reject) => {
    const said = [];
    const late = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`the server did not say where it listens:\n${said.join("\n")}`));
    }, START_LIMIT);
    const hear = (line) => {
      said.push(line);
      const found = ADDRESS.exec(line);
      if (found !== null) {
        clearTimeout(late);
        resolve(found[0]);
      }
    };
    createInterface(child.stdout).on("line", hear);
    createInterface(child.stderr).on("line", hear);
    child.once("error", reject);
    child.once("exit", (code) =>
      reject(new Error(`the server ended (${code}):\n${said.join("\n")}`)),
    );
  });
}
