/**
 * Processes of a run: they are started on given cores with as many files as this user may open, and every one is ended
 * by its number whatever happens to the run. Knows nothing of who they are.
 */
import { execFile, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const started = new Set();
let ending = false;

/** As many open files as allowed; the given cores; and it ends with this program, should that be killed outright. */
const begin =
  'ulimit -n "$(ulimit -Hn)"; cores=$1; shift; ' +
  'if setpriv --pdeathsig TERM true 2>/dev/null; then set -- setpriv --pdeathsig TERM "$@"; fi; ' +
  'exec taskset -c "$cores" "$@"';

/** Starts a program. The end of what it says is remembered for whoever asks why it ended. */
export function start(program, args, { name, cores, env = {} }) {
  if (ending) throw new Error("the run is ending");
  const child = spawn("sh", ["-c", begin, name, cores, program, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  child.said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => (child.said = (child.said + data).slice(-2000)));
  }
  started.add(child);
  child.on("exit", () => started.delete(child));
  child.on("error", () => started.delete(child));
  return child;
}

/** Runs a program to its end, for at most so many seconds, and gives what it said. */
export function run(program, args, { seconds = 20, onError = () => {} } = {}) {
  return new Promise((resolve) => {
    // Who waits for it waits until this program has ended, which is soon.
    if (ending) return;
    const options = { maxBuffer: 64 << 20, timeout: seconds * 1000 };
    const child = execFile(program, args, options, (error, stdout, stderr) => resolve({ error, stdout, stderr }));
    started.add(child);
    child.on("exit", () => started.delete(child));
    child.on("error", () => started.delete(child));
    child.stderr.on("data", onError);
  });
}

/** Ends everything that was started: politely, and after three seconds for good. */
export async function endAll() {
  ending = true;
  const children = [...started];
  for (const child of children) child.kill("SIGTERM");
  const end = Date.now() + 3000;
  while (started.size > 0 && Date.now() < end) await sleep(20);
  for (const child of started) child.kill("SIGKILL");
}

/** Ends one that was started. */
export async function end(child) {
  child.kill("SIGTERM");
  for (let waited = 0; started.has(child) && waited < 3000; waited += 20) await sleep(20);
  if (started.has(child)) child.kill("SIGKILL");
}

/** Ends everything also when this program is told to end. */
export function endAllOnSignals() {
  for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]]) {
    process.once(signal, () => endAll().then(() => process.exit(status)));
  }
  process.on("exit", () => started.forEach((child) => child.kill("SIGKILL")));
}

/** A port of this machine that nobody uses now. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Waits until a process listens on its port, for at most ten seconds. */
export async function listens(port, child) {
  for (let waited = 0; waited < 10_000; waited += 50) {
    if (child.exitCode !== null) throw new Error(`ended with status ${child.exitCode}: ${child.said.trim()}`);
    if (await answers(port)) return;
    await sleep(50);
  }
  throw new Error(`does not listen after ten seconds: ${child.said.trim()}`);
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}

/** A process and those that it started, by number. */
export function tree(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  return [pid, ...children.flatMap(tree)];
}

/** How many files a process of this user may open at most. */
export function fileLimit() {
  const line = /Max open files +\S+ +(\S+)/.exec(readFileSync("/proc/self/limits", "utf8"));
  return line[1] === "unlimited" ? 1_000_000 : Number(line[1]);
}

/** The server's own memory in bytes: what of it is resident and belongs to no file. */
export function memoryOf(pid) {
  return Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;
}
