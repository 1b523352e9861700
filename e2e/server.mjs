/** Starts the real server on a free port and stops it again. */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { Backend } from "./backend.mjs";

const BUILT = fileURLToPath(new URL("../target/debug/martlet", import.meta.url));
const ADDRESS = /https?:\/\/127\.0\.0\.1:(\d+)/;
const START_LIMIT = 20_000;
/** For the backend, where the server is configured. */
const KEY = "the key of these tests, which is none";
const OPEN = `
[[api.keys]]
name = "tests"
sha256 = "${createHash("sha256").update(KEY).digest("hex")}"
scopes = ["all"]

[channels.default]
subscribe = "anyone"
publish = "anyone"
history = "anyone"
see_presence = "anyone"
presence = true
`;

/** A running server: its address, and the process. */
export class MartletServer {
  #backend;

  constructor(process, url) {
    this.process = process;
    this.url = url;
    this.#backend = new Backend(url, KEY);
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

  /**
   * Starts one that is configured: open to everybody, for the backend by a key, and with
   * `configuration`, which begins among the keys of `[channels.default]`.
   */
  static async startOpen(configuration) {
    const folder = await mkdtemp(join(tmpdir(), "martlet-server-"));
    const path = join(folder, "martlet.toml");
    await writeFile(path, OPEN + configuration);
    try {
      return await MartletServer.start(0, ["--config", path]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** The port it listens on. */
  get port() {
    return Number(ADDRESS.exec(this.url)[1]);
  }

  /** Publishes as a backend does: any JSON value, or a buffer of bytes. */
  publish(channel, data) {
    const content = Buffer.isBuffer(data) ? { bytes: data.toString("base64") } : { data };
    return this.#backend.post("publish", { channel, ...content });
  }

  /** Publishes several at once, in order. */
  async publishAll(channel, all) {
    const { results } = await this.#backend.post("batch", {
      publish: all.map((data) => ({ channel, data })),
    });
    const refused = results.find(({ error }) => error !== undefined);
    if (refused !== undefined) {
      throw new Error(`a publication was refused: ${JSON.stringify(refused)}`);
    }
    return results;
  }

  /** Stops it: politely, or at once as a power cut does. */
  async stop(signal = "SIGTERM") {
    this.#backend.close();
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
    child.once("exit", (code, signal) => {
      clearTimeout(late);
      reject(new Error(`the server ended (${code ?? signal}):\n${said.join("\n")}`));
    });
  });
}
