/**
 * Several nodes behind one Redis: what is measured of them, what is wanted, and the document that is made of it. They
 * have a run and a document of their own, since nodes, Redis and Centrifugo are all started for each measurement.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

import { ratio } from "./figures.mjs";
import { measure } from "./martlet.mjs";
import { peers, programOf, versionOf } from "./peers.mjs";
import { clusterDocument, clusterResults } from "./places.mjs";
import { machine } from "./report.mjs";
import { section } from "./sections.mjs";
import { markdownTable, summary } from "./table.mjs";

const nodes = 3;
const says = { redis: "Redis alone", centrifugo: "Centrifugo" };

/** The calls of `martlet bench`. */
function plan(quick) {
  const length = ["--seconds", quick ? 1 : 10, "--rounds", quick ? 1 : 10];
  return [
    { id: "cluster", call: ["cluster", "--nodes", nodes, "--batch", "1,100", ...length], beside: true },
    { id: "hop", call: ["hop", "--rate", 200, ...length], beside: true },
    { id: "join", call: ["join", "--channels", quick ? 1000 : 10_000, "--rounds", quick ? 1 : 5], beside: false },
  ];
}

const each = (batch) => (batch === 1 ? "one by one" : `in batches of ${batch}`);
const published = (batch) => ({
  figure: `publications a second by HTTP, ${each(batch)}, ${nodes} nodes behind one Redis, each followed at another node`,
  target: "≥ 1 × Centrifugo's",
  from: "cluster",
  value: (output) => ratio(output, "martlet", "centrifugo", "speed", batch),
  unit: "×",
  least: 1,
  others: (output) => output.results.filter((one) => one.batch === batch).map((one) => [one.server, one.server_cpu_us_per_publication]),
  othersIn: "CPU of nodes and Redis for each, in µs: ",
});
const hop = (figure) => ({
  figure: `what it adds to latency that a publication is followed at another node: ${figure}`,
  target: "≤ 1.5 × a bare hop through Redis",
  from: "hop",
  value: (output) => ratio(output, "martlet", "redis", figure) - ratio(output, "martlet alone", "redis", figure),
  unit: "×",
  most: 1.5,
  others: (output) => output.results.map((one) => [one.server, one.latency_us?.[figure]]),
  othersIn: "all told, in µs: ",
});

/** What is wanted. */
export const clusterRows = [
  published(1),
  published(100),
  hop("p50"),
  hop("p99"),
  {
    figure: "calls of Redis when a node joins whose clients follow 10,000 channels, the most of all rounds but the first",
    target: "≤ 100",
    from: "join",
    value: (output) => Math.max(...output.results.map(({ calls }) => calls)),
    unit: "calls",
    most: 100,
  },
];

/** Takes all of it. Without Centrifugo there is nothing to compare publishing with. */
export async function measureCluster(martlet, { quick, cores, files, say }) {
  const known = Object.fromEntries(peers.map((peer) => [peer.name, peer]));
  const program = programOf(known.centrifugo);
  const measurements = [];
  for (const { id, call, beside } of plan(quick)) {
    say(`${id} …`);
    const told = beside && program ? ["--centrifugo", program] : [];
    const shown = ["martlet", "bench", ...call, ...(told.length > 0 ? ["--centrifugo", "…"] : [])];
    const taken = await measure(martlet, [...call, ...told], { onError: (text) => process.stderr.write(text) });
    measurements.push({ id, command: shown.join(" "), ...taken });
    say(`${id}: ${taken.failed ?? "ok"}`);
  }
  const used = [known.redis, ...(program ? [known.centrifugo] : [])];
  const versions = await Promise.all(used.map(async (peer) => ({ name: peer.name, says: says[peer.name], version: await versionOf(peer) })));
  const about = { date: new Date().toISOString().slice(0, 10), quick: quick === true, cluster: true, cores, files };
  return { about, peers: versions, missing: [], measurements };
}

/** The document. */
export function clusterMarkdown(results) {
  const { about, measurements } = results;
  const names = Object.fromEntries(results.peers.map((peer) => [peer.name, peer.says]));
  const versions = results.peers.map((peer) => `${peer.name === "redis" ? "Redis" : peer.says} ${peer.version}`).join(", ");
  const warning = about.quick ? "\n\n**This was a short run, made to see that all of it works: do not quote its figures.**" : "";
  return `<!-- Made by bench/report of bench/results/cluster.json. Change those, not this. -->

# Performance of several nodes

What martlet costs as ${nodes} nodes behind one Redis, measured on ${about.date} beside as many nodes of Centrifugo behind another one of the same kind, in one run
and in turns. \`bench/run --cluster\` does it again, and writes this page; [performance](performance.md) is that of one node. ${summary(results)}${warning}

${markdownTable(results)}

A figure with × is a quotient of two servers' figures in the same round, and of those the median over all rounds. What a hop adds is what is left of the
latency to another node when that at a single node without Redis is taken away, each as a multiple of the bare hop's.

## Each measurement

${measurements.map((one) => section(one, names)).join("\n\n")}

## How far to trust it

* Machine: ${machine(measurements)}; ${versions}. All nodes and Redis had core ${about.cores} together, the generator the last one. So nothing of a
  publication's way overlaps, and publications a second are what one core can do: CPU for each publication says the same.
* Channels keep 100 publications for 5 minutes, at martlet and at Centrifugo, and its clients recover. Centrifugo has the configuration that its
  documentation gives for its Redis engine, and takes batches in parallel.
* Redis writes nothing to a disk. Its own count of commands includes what functions do inside; martlet sends none of those itself, and they are told apart by name.
* One run is one run. Repeat it before building on a difference of less than a tenth.
`;
}

/** Keeps the figures, and writes the document. */
export function keepCluster(results) {
  mkdirSync(dirname(clusterResults), { recursive: true });
  writeFileSync(clusterResults, `${JSON.stringify(results, null, 1)}\n`);
  writeCluster();
}

/** Writes the document of the figures that were kept. */
export function writeCluster() {
  writeFileSync(clusterDocument, clusterMarkdown(JSON.parse(readFileSync(clusterResults, "utf8"))));
}
