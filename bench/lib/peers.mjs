/**
 * Which peers there are, where their programs are, and how each is started on a free port of this machine. What a peer
 * is told is in peers/, in its own language. Starting and ending processes is processes.mjs.
 */
import { createHmac, randomBytes } from "node:crypto";
import { accessSync, constants, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

import { bench, root } from "./places.mjs";
import { freePort, listens, run, start, tree } from "./processes.mjs";

const folders = [join(root, "target/tools/bin"), ...process.env.PATH.split(delimiter), "/usr/sbin", "/usr/local/sbin"];
const nchanModule = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/**
 * The peers, in the order in which reports name them. `kind` is the dialect that the generator speaks with it. `needs`
 * is what must exist beside the program. Those that are `deaf` take publications on another connection only.
 */
export const peers = [
  { name: "uWebSockets", says: "uWebSockets in Bun", kind: "broadcast", program: bun, script: "bun.ts" },
  { name: "redis", says: "Redis (TCP)", kind: "redis", program: "redis-server", file: "redis.conf", deaf: true },
  {
    name: "nchan",
    says: "Nchan",
    kind: "nchan",
    program: "nginx",
    file: "nchan.conf",
    flags: ["-c"],
    needs: nchanModule,
    deaf: true,
  },
  { name: "ws", says: "ws", kind: "broadcast", program: () => process.execPath, script: "ws.mjs", needs: packaged("ws") },
  { name: "mosquitto", says: "Mosquitto", kind: "mosquitto", program: "mosquitto", file: "mosquitto.conf", flags: ["-c"] },
  { name: "centrifugo", says: "Centrifugo", kind: "centrifugo", program: "centrifugo", file: "centrifugo.toml", flags: ["-c"] },
  {
    name: "centrifugo-history",
    says: "Centrifugo, with history",
    kind: "centrifugo",
    program: "centrifugo",
    file: "centrifugo-history.toml",
    flags: ["-c"],
  },
  { name: "nats", says: "NATS", kind: "nats", program: "nats-server", file: "nats.conf", flags: ["-c"] },
  {
    name: "socketio",
    says: "Socket.IO",
    kind: "socketio",
    program: () => process.execPath,
    script: "socketio.mjs",
    needs: packaged("socket.io"),
  },
  {
    name: "mercure",
    says: "Mercure",
    kind: "mercure",
    program: "mercure",
    file: "mercure.Caddyfile",
    flags: ["run", "--adapter", "caddyfile", "--config"],
    deaf: true,
  },
];

/** How to ask each for its version: arguments of the program, or the package whose version it is. */
const versions = {
  uWebSockets: ["--version"],
  redis: ["--version"],
  nchan: [],
  ws: "ws",
  mosquitto: ["-h"],
  centrifugo: ["version"],
  "centrifugo-history": ["version"],
  nats: ["--version"],
  socketio: "socket.io",
  mercure: ["version"],
};

function packaged(name) {
  return join(bench, "node_modules", name, "package.json");
}

/** Bun's own program: npm puts it there when it lets the package's own script run, and else leaves it where it came. */
function bun() {
  const came = join(bench, "node_modules/@oven");
  const folders = exists(came) ? readdirSync(came).map((name) => join(came, name, "bin/bun")) : [];
  return [...folders, join(bench, "node_modules/bun/bin/bun.exe")].find(exists);
}

function exists(path) {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** Where a peer's program is, or undefined if the peer is not to be had here. */
export function programOf(peer) {
  if (peer.needs !== undefined && !exists(peer.needs)) return undefined;
  if (typeof peer.program === "function") return peer.program();
  return folders.map((folder) => join(folder, peer.program)).find(exists);
}

/** What a peer says about its version. */
export async function versionOf(peer) {
  const ask = versions[peer.name];
  if (typeof ask === "string") return JSON.parse(readFileSync(packaged(ask), "utf8")).version + `, Node ${process.version}`;
  if (peer.name === "nchan") return nginxVersion();
  const { stdout, stderr } = await run(programOf(peer), ask);
  return /\d+\.\d+\.\d+/.exec(stdout + stderr)?.[0] ?? "of unknown version";
}

/** nginx says its own; the module's is Debian's. */
async function nginxVersion() {
  const { stderr } = await run(programOf({ program: "nginx" }), ["-v"]);
  const { stdout } = await run("dpkg-query", ["-W", "-f", "${Version}", "libnginx-mod-nchan"]);
  const nchan = /(\d+\.\d+\.\d+)/.exec(stdout)?.[0] ?? "of unknown version";
  return `${nchan} in nginx ${/\d+\.\d+\.\d+/.exec(stderr)?.[0]}`;
}

/** Starts a peer on the given cores, and resolves when it listens: what it is, and its address and processes. */
export async function startPeer(peer, { cores, files, folder }) {
  const port = await freePort();
  const key = randomBytes(32).toString("hex");
  const values = { PORT: port, SPARE: await freePort(), DIR: folder, FILES: files, KEY: key };
  const args = peer.script ? [join(bench, "peers", peer.script)] : [...(peer.flags ?? []), written(peer, values, folder)];
  const child = start(programOf(peer), args, { name: peer.name, cores, env: { PORT: port, NODE_ENV: "production" } });
  await listens(port, child);
  const user = peer.kind === "mercure" ? `${token(key)}@` : "";
  return { ...peer, child, url: `http://${user}127.0.0.1:${port}`, pids: tree(child.pid) };
}

/** A peer's configuration with this run's values in it, in the run's folder. */
function written(peer, values, folder) {
  const text = readFileSync(join(bench, "peers", peer.file), "utf8").replace(/@(\w+)@/g, (all, name) => values[name] ?? all);
  const path = join(folder, `${peer.name}-${peer.file}`);
  writeFileSync(path, text);
  return path;
}

/** A token that may publish everything to Mercure. */
function token(key) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ mercure: { publish: ["*"] } })}`;
  return `${body}.${createHmac("sha256", key).update(body).digest("base64url")}`;
}

/** How `martlet bench` is told of a peer. */
export function beside({ kind, name, url, pids }) {
  const label = kind === name ? kind : `${kind}:${name}`;
  return `${label}=${url},${pids.join("+")}`;
}
