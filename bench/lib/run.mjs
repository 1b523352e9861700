/**
 * `bench/run`: builds martlet, starts the peers that are there, takes the measurements of the plan one after the other,
 * and makes the document of them. Everything that it started is ended when it ends.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { keepCluster, measureCluster } from "./cluster.mjs";
import { measureHistory } from "./history.mjs";
import { build, measure } from "./martlet.mjs";
import { beside, peers, programOf, startPeer, versionOf } from "./peers.mjs";
import { bench, latest } from "./places.mjs";
import { loops, plan } from "./plan.mjs";
import { end, endAll, endAllOnSignals, fileLimit } from "./processes.mjs";
import { writeDocument } from "./report.mjs";
import { keepStorm, measureStorm, stormTables } from "./storm.mjs";
import { table } from "./table.mjs";

const help = `Measures martlet beside its peers, and writes docs/performance.md

  bench/run                        everything: about a quarter of an hour, and martlet is built before it
  bench/run --quick                the same in short: to see that all of it works
  bench/run --only fanout-1,idle   some of it; prints the figures and leaves the document alone
  bench/run --cluster              several nodes behind Redis: a minute and a half; writes docs/performance-cluster.md
  bench/run --storm                a node of a busy cluster goes: seven minutes; writes docs/draining.md
  bench/run --peers redis,nats     only these peers
  bench/run --martlet PATH         this program rather than one that is built for it
  bench/run --no-install           without asking whether the peers are installed
  bench/run --out FILE             writes the figures there, and leaves the document alone
`;

const options = asked();
if (options.help) {
  process.stdout.write(help);
  process.exit(0);
}

const say = (text) => process.stderr.write(`${text}\n`);
const words = (text) => text?.split(",").map((word) => word.trim());

/** The last core is the generator's; the servers have the others, like those that `martlet bench` starts. */
const count = availableParallelism();
const cores = count <= 2 ? "0" : `0-${count - 2}`;
const files = fileLimit();

const folder = mkdtempSync(join(tmpdir(), "martlet-bench-"));
endAllOnSignals();
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
// Some peers give up being root, and still want to read their configuration there.
chmodSync(folder, 0o755);
try {
  if (!options["no-install"]) spawnSync(join(bench, "install"), { stdio: "inherit" });
  const martlet = options.martlet ? resolve(options.martlet) : build();
  if (options.cluster) finishCluster(await measureCluster(martlet, { quick: options.quick, cores, files, say }));
  else if (options.storm) finishStorm(await measureStorm(martlet, { quick: options.quick, cores, files, say }));
  else finish(await takeAll(martlet, await startPeers()));
} finally {
  await endAll();
}

/** What was asked for on the command line. */
function asked() {
  const text = { type: "string" };
  const yes = { type: "boolean" };
  const options = { quick: yes, cluster: yes, storm: yes, only: text, peers: text, martlet: text, "no-install": yes, out: text, help: { ...yes, short: "h" } };
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${help}`);
    process.exit(2);
  }
}

/** Starts the peers that are there: those that run, and why the others do not. */
async function startPeers() {
  const running = [];
  const missing = [];
  for (const peer of peers.filter(({ name }) => words(options.peers)?.includes(name) ?? true)) {
    if (programOf(peer) === undefined) {
      missing.push({ name: peer.name, says: peer.says, why: "it could not be had on this machine" });
      continue;
    }
    try {
      const version = await versionOf(peer);
      running.push({ version, ...(await startPeer(peer, { cores, files, folder })) });
    } catch (error) {
      say(`${peer.says}: ${error.message}`);
      missing.push({ name: peer.name, says: peer.says, why: "it did not start" });
    }
  }
  for (const { says, why } of missing) say(`without ${says}: ${why}`);
  return { running, missing };
}

/** Takes the measurements that are wanted. */
async function takeAll(martlet, { running, missing }) {
  const all = plan({ quick: options.quick, files });
  const unknown = words(options.only)?.filter((word) => !all.some(({ id }) => wanted(id, word)));
  if (unknown?.length > 0) throw new Error(`there is no measurement ${unknown}; there are ${all.map(({ id }) => id)}`);
  const measurements = [];
  for (const one of all.filter(({ id }) => words(options.only)?.some((word) => wanted(id, word)) ?? true)) {
    const begun = Date.now();
    say(`${one.id} …`);
    if (one.fresh) running = await Promise.all(running.map(startAnew));
    measurements.push(await take(martlet, one, { running, measurements }));
    const { failed } = measurements.at(-1);
    say(`${one.id}: ${failed ?? "ok"}, ${Math.round((Date.now() - begun) / 1000)} s`);
  }
  return {
    about: { date: new Date().toISOString().slice(0, 10), quick: options.quick === true, cores, files },
    peers: running.map(({ name, says, version, script, file }) => ({ name, says, version, configuration: script ?? file })),
    missing,
    measurements,
  };
}

/** The same peer in a new process, which has kept nothing of what was measured before. */
async function startAnew({ child, version, ...peer }) {
  await end(child);
  return { version, ...(await startPeer(peer, { cores, files, folder })) };
}

/** `fanout` means all measurements whose name begins with it. */
function wanted(id, word) {
  return id === word || id.startsWith(`${word}-`);
}

/**
 * One measurement, with the command as a person would give it: the peers' addresses are of this run only. If it fails
 * with the peers it is taken once more without them, so that one of them does not cost us the others' figures.
 */
async function take(martlet, { id, call, beside: whom, history }, { running, measurements }) {
  if (history) return { id, history, ...(await attempt(() => measureHistory(martlet, history, { cores }))) };
  const args = typeof call === "function" ? call(measurements) : call;
  const taken = await takeBeside(martlet, args, whom.flatMap((who) => among(who, running)));
  if (taken.failed === undefined || whom.every((who) => loops.includes(who))) return { id, ...taken };
  say(`${id}: ${taken.failed}: once more without the peers`);
  const alone = await takeBeside(martlet, args, whom.flatMap((who) => among(who, [])));
  return { id, ...alone, lacking: taken.failed };
}

async function takeBeside(martlet, args, others) {
  const told = others.flatMap((who) => ["--beside", who.loop ?? beside(who)]);
  const shown = others.flatMap((who) => ["--beside", who.loop ?? beside(who).replace(/=.*/, "=…")]);
  const command = ["martlet", "bench", ...args, ...shown].join(" ");
  return { command, ...(await measure(martlet, [...args, ...told], { onError: (text) => process.stderr.write(text) })) };
}

/** Whom a word of the plan means: a loop, one peer, all of them, or those that hear and speak on one connection. */
function among(who, running) {
  if (loops.includes(who)) return [{ loop: who }];
  return running.filter(({ name, deaf }) => who === "peers" || who === name || (who === "speakers" && !deaf));
}

async function attempt(what) {
  try {
    return { output: await what() };
  } catch (error) {
    return { failed: error.message };
  }
}

/** Prints the table, and keeps the figures where they are wanted. */
function finish(results) {
  const text = `${JSON.stringify(withoutAddresses(results), null, 1)}\n`;
  const out = options.out ?? (options.only || options.peers ? undefined : latest);
  if (out !== undefined) {
    mkdirSync(dirname(resolve(out)), { recursive: true });
    writeFileSync(out, text);
  }
  if (out === latest) writeDocument(JSON.parse(text));
  process.stdout.write(table(JSON.parse(text)));
}

/** The same of several nodes, whose figures and document are kept apart. */
function finishCluster(results) {
  const text = JSON.stringify(withoutAddresses(results), null, 1);
  if (options.out === undefined) keepCluster(JSON.parse(text));
  else writeFileSync(options.out, `${text}\n`);
  process.stdout.write(table(JSON.parse(text)));
}

/** The same of storms. */
function finishStorm(results) {
  const kept = withoutAddresses(results);
  if (options.out === undefined) keepStorm(kept);
  else writeFileSync(options.out, `${JSON.stringify(kept, null, 1)}\n`);
  process.stdout.write(stormTables(kept).join("\n\n") + "\n");
}

/** What listened where is of no interest afterwards, and nobody's business. */
function withoutAddresses(results) {
  const measurements = results.measurements.map(({ output, ...rest }) => {
    if (output === undefined) return rest;
    const { servers, ...kept } = output;
    return { ...rest, output: kept };
  });
  return { ...results, measurements };
}
