/** A real proxy as a process of its own, with a folder for its configuration and its logs. */

import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { EventEmitter, once } from "node:events";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";

const START_LIMIT = 15_000;
/** Where Debian keeps servers, which is not on everybody's path. */
const FOLDERS = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"];

/** Where a program is, if it is there. */
export function find(name) {
  return FOLDERS.map((folder) => join(folder, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Why a test that needs these programs must be skipped: for the option `skip` of `test`. */
export function missing(...names) {
  const gone = names.filter((name) => find(name) === undefined);
  return gone.length > 0 && `needs ${gone.join(" and ")}`;
}

/** A running proxy. Tells each line that it writes as `line`. */
export class ProxyProcess extends EventEmitter {
  #child;
  #folder;
  #said = [];

  /**
   * Starts the program `name`. `configure` gives the text of its configuration for a port and a
   * folder, `args` how it is called with the path of that.
   */
  static async start(name, configure, args, scheme = "http") {
    const proxy = new ProxyProcess();
    const port = await freePort();
    proxy.#folder = await mkdtemp(join(tmpdir(), `martlet-${name}-`));
    const path = join(proxy.#folder, `${name}.conf`);
    await writeFile(path, await configure(port, proxy.#folder));
    proxy.#spawn(find(name), args(path, proxy.#folder));
    proxy.url = `${scheme}://127.0.0.1:${port}`;
    await proxy.#ready(port);
    return proxy;
  }

  #spawn(program, args) {
    this.#child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface(stream).on("line", (line) => {
        this.#said.push(line);
        this.emit("line", line);
      });
    }
  }

  /** Nothing tells when a proxy listens, so it is asked until it does. */
  async #ready(port) {
    const late = performance.now() + START_LIMIT;
    while (!(await answers(port))) {
      if (this.#child.exitCode !== null || performance.now() > late) {
        await this.close();
        throw new Error(`the proxy does not listen:\n${this.#said.join("\n")}`);
      }
      await wait(20);
    }
  }

  /** The next line it writes that looks like this. */
  async says(pattern, limit = 15_000) {
    const signal = AbortSignal.timeout(limit);
    for (;;) {
      const [line] = await once(this, "line", { signal });
      if (pattern.test(line)) {
        return line;
      }
    }
  }

  /** Ends it. */
  async close() {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, "exit");
      this.#child.kill("SIGTERM");
      const late = setTimeout(() => this.#child.kill("SIGKILL"), START_LIMIT);
      await ended;
      clearTimeout(late);
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** A port that nobody has. These programs cannot choose one by themselves. */
async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

async function answers(port) {
  const socket = net.connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
