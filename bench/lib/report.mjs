/** The document and its plots, made of a run's results and of nothing else. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { entry, kib, milliseconds, ratio } from "./figures.mjs";
import { document, plots } from "./places.mjs";
import { bars } from "./plot.mjs";
import { nameOf, section } from "./sections.mjs";
import { markdownTable, summary } from "./table.mjs";

/** The document. */
export function markdown(results) {
  const names = namesOf(results);
  const sections = results.measurements.map((one) => section(one, names));
  return [head(results), pictures(results), "## Each measurement", ...sections, tail(results)].join("\n\n") + "\n";
}

/** The plots, by the names of their files. Those whose figures are missing are left out. */
export function drawings({ measurements, ...results }) {
  const names = namesOf(results);
  const output = (id) => measurements.find((one) => one.id === id)?.output;
  const [one, many, open, idle] = ["fanout-1", "fanout-16", "open-loop", "idle"].map(output);
  const drawn = {};
  if (one && many) drawn["cpu.svg"] = cpu(one, many, names);
  if (open) drawn["latency.svg"] = latency(open, names);
  if (idle) drawn["memory.svg"] = memory(idle, names);
  return drawn;
}

/** Writes both. */
export function writeDocument(results) {
  mkdirSync(plots, { recursive: true });
  for (const [name, svg] of Object.entries(drawings(results))) writeFileSync(join(plots, name), svg);
  writeFileSync(document, markdown(results));
}

function namesOf({ peers }) {
  return Object.fromEntries(peers.map(({ name, says }) => [name, says]));
}

function head(results) {
  const { about } = results;
  const warnings = [
    about.quick && "This was a short run, made to see that all of it works: do not quote its figures.",
    found(results.measurements)?.optimized === false && "It was a debug build, whose figures mean nothing.",
  ];
  const warning = warnings.filter(Boolean).map((words) => `\n\n**${words}**`).join("");
  return `<!-- Made by bench/report of bench/results/latest.json. Change those, not this. -->

# Performance

What martlet costs, measured on ${about.date} beside other servers and beside bare loops that send the same bytes and do nothing
else. Everything was measured in one run: all servers were up together and took turns on the same core${about.cores.includes("-") ? "s" : ""}.
\`bench/run\` does it again, from a fresh clone, and writes this page. ${summary(results)}${warning}

${markdownTable(results)}

A figure with × is a quotient of two servers' figures in the same round, and of those the median over all rounds: that is what a machine's bad moments
spoil least. *The bare loop* is epoll and one \`send\` for each delivery. *The corked loop* puts together what it finds in one turn. *The loop of places* keeps each
channel as one log and sends every reader what is between its place and the end, as martlet does. All three are part of the program.
Where targets are missed, and why, is told in [a decision](decisions/0014-where-targets-are-missed.md).`;
}

function pictures(results) {
  const texts = {
    "cpu.svg": "CPU for each delivery beside the bare loop, with one and with sixteen publications in flight",
    "latency.svg": "Latency of 400 publications a second to 1,000 subscribers",
    "memory.svg": "Own memory for each idle connection",
  };
  return Object.keys(drawings(results)).map((name) => `![${texts[name]}](performance/${name})`).join("\n\n");
}

function tail({ about, peers, missing, measurements }) {
  return `## The servers

Each has the best configuration that its own documentation gives, and says there which page that is. Nothing is compressed, nothing is encrypted, and
nothing goes to a disk.

| server | version | configuration |
| --- | --- | --- |
${peers.map(({ says, version, configuration }) => `| ${says} | ${version} | [${configuration}](../bench/peers/${configuration}) |`).join("\n")}

Martlet's channels have history and recovery on, as an app has them, and every publication an id, a time and an offset. Of the others only Nchan and *Centrifugo, with history*
keep publications at all; uWebSockets and ws are libraries, measured with the smallest hub that can be written on them. Redis has no WebSocket, and
is a yardstick.

## What was not measured

${[...missing.map(({ says, why }) => `* ${says}: ${why}.`), ""].join("\n")}* Other machines; networks; TLS; compression.

## How far to trust it

* Machine: ${machine(measurements)}. The servers had core ${about.cores}, the generator the last one. A process could have ${about.files.toLocaleString("en")} files open.
* Server and clients were on one machine. The kernel does the receiver's work in the sender's time there, so a delivery costs more than over a network,
  and what a server does by itself weighs less.
* CPU is what the kernel accounts to the server's processes. It does not depend on how fast the generator is; deliveries a second and latency do where the
  generator was busy, and then a note says so.
* A server that waits for its turn is idle, but up, on the same core as the one that is measured.
* One run is one run. Repeat it before building on a difference of less than a tenth.`;
}

/** What the program says of the machine and of itself. */
function found(measurements) {
  return measurements.find(({ output }) => output?.machine)?.output.machine;
}

/** The machine, in a line. */
export function machine(measurements) {
  const { cpu, cores, kernel, memory, martlet } = found(measurements) ?? {};
  if (cpu === undefined) return "unknown";
  return `${cpu}, ${cores} cores, ${Math.round(memory / 2 ** 30)} GiB, Linux ${kernel}; martlet ${martlet}`;
}

/** One group of bars for each server, the least of its first figure first. */
function groups(output, names, values) {
  const plain = (server) => nameOf(server, names).replaceAll("*", "");
  return output.results
    .map(({ server }) => ({ name: plain(server), ours: server.startsWith("martlet"), values: values(server) }))
    .sort((one, two) => (one.values[0] ?? Infinity) - (two.values[0] ?? Infinity));
}

function cpu(one, many, names) {
  const values = (server) => [ratio(one, server, "bare", "cpu"), ratio(many, server, "bare", "cpu")];
  return bars({
    title: "CPU for each delivery, as a multiple of the bare loop's",
    unit: "× the bare loop",
    series: ["one in flight", "sixteen in flight"],
    groups: groups(one, names, values),
  });
}

function latency(open, names) {
  const of = (server, figure) => milliseconds(entry(open, server).latency_us?.[figure]);
  return bars({
    title: "400 publications a second × 1,000 subscribers: latency",
    unit: "ms, each line ten times the last",
    series: ["p50", "p99"],
    groups: groups(open, names, (server) => [of(server, "p50"), of(server, "p99")]),
    log: true,
  });
}

function memory(idle, names) {
  return bars({
    title: "Own memory for each idle connection",
    unit: "KiB",
    series: ["user space"],
    groups: groups(idle, names, (server) => [kib(entry(idle, server).bytes_per_connection)]),
  });
}
