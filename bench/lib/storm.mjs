/**
 * What happens to a cluster and its clients when a node goes: a million sessions simulated, real ones beside them, and
 * the document that is made of it.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { grouped, written } from "./figures.mjs";
import { lines } from "./lines.mjs";
import { measure } from "./martlet.mjs";
import { stormDocument, stormPlots, stormResults } from "./places.mjs";
import { machine } from "./report.mjs";

/** Whose arrivals are drawn. */
const plotted = { drain: ["martlet", "pusher-js", "socket.io-client", "EventSource"], kill: ["martlet", "phoenix.js", "socket.io-client", "EventSource"] };

/** The calls of `martlet bench`. */
function plan(quick) {
  const sessions = quick ? ["--sessions", 30_000] : [];
  const some = "martlet,restless,eventsource,socketio,pusher,phoenix,centrifuge";
  return [
    { id: "storm", call: ["storm", ...sessions] },
    { id: "slow", call: ["storm", "--scenario", "kill", "--clients", some, "--work", 2000, "--admission", 400, ...sessions] },
    { id: "real", call: ["storm", "--real", quick ? 600 : 15_000, ...(quick ? ["--over", 5] : [])] },
    { id: "direct", call: ["storm", "--real", quick ? 600 : 15_000, "--no-balancer", ...(quick ? ["--over", 5] : [])] },
    { id: "fewer", call: ["storm", "--real", quick ? 300 : 6000, ...(quick ? ["--over", 5] : [])] },
  ];
}

/** Takes all of it. */
export async function measureStorm(martlet, { quick, cores, files, say }) {
  const measurements = [];
  for (const { id, call } of plan(quick)) {
    say(`${id} …`);
    const taken = await measure(martlet, call, { onError: (text) => process.stderr.write(text) });
    measurements.push({ id, command: ["martlet", "bench", ...call].join(" "), ...taken });
    say(`${id}: ${taken.failed ?? "ok"}`);
  }
  const about = { date: new Date().toISOString().slice(0, 10), quick: quick === true, storm: true, cores, files };
  return { about, measurements: measurements.map(lighter) };
}

/** Without the arrivals that are not drawn. */
function lighter({ output, ...rest }) {
  if (output === undefined) return rest;
  const drawn = ({ scenario, clients, server }) => rest.id === "storm" && plotted[scenario]?.includes(clients) && server === serverOf(clients);
  const results = output.results.map(({ tenths, ...one }) => (drawn({ ...one }) ? { ...one, tenths } : one));
  return { ...rest, output: { ...output, results } };
}

const serverOf = (clients) => (clients === "martlet" ? "martlet" : "all-at-once");
const output = (results, id) => results.measurements.find((one) => one.id === id)?.output;
const command = (results, id) => results.measurements.find((one) => one.id === id)?.command;

const seconds = (us) => `${written(us / 1e6)} s`;
const millis = (us) => `${written(us / 1e3)} ms`;
const yes = (met) => (met ? "yes" : "**no**");
const names = {
  drain: "one of three is drained",
  kill: "one of three is killed",
  vanish: "one of three loses its power",
  rolling: "all three are restarted in turn",
  restart: "a single node is restarted",
  outage: "all three are killed, back after 10 s",
};

const wanted = (one) => {
  if (!one.wanted) return "";
  const times = [["p50", one.wanted.p50_us], ["p99", one.wanted.p99_us]].filter(([, us]) => us);
  const even = one.wanted.most_of_even ? [`≤ ${one.wanted.most_of_even} × even`] : [];
  return [...even, ...times.map(([name, us]) => `${name} < ${us / 1e6} s`), `${one.wanted.never} lost`].join(", ");
};

const columns = {
  what: { title: "what happens", cell: (one) => names[one.scenario] },
  clients: { title: "clients", left: true, cell: (one) => (one.clients === "martlet" ? "**martlet**" : one.clients) },
  sessions: { title: "clients", cell: (one) => grouped(one.sessions) },
  balancer: { title: "behind", left: true, cell: (one) => (one.balancers === 0 ? "nothing" : "HAProxy") },
  gone: { title: "lost a connection", cell: (one) => grouped(one.gone) },
  peak: { title: "peak, arrivals/s", cell: (one) => grouped(one.peak_per_second) },
  even: { title: "even", cell: (one) => grouped(one.even_per_second) },
  times: { title: "× even", cell: (one) => written(one.peak_of_even) },
  tenth: { title: "busiest 0.1 s, as /s", cell: (one) => grouped(one.tenth_per_second) },
  shaking: { title: "shaking hands at once", cell: (one) => grouped(one.shaking) },
  tries: { title: "tries, mean and most", cell: (one) => `${written(one.tries)}, ${one.most_tries}` },
  p50: { title: "live again p50", cell: (one) => seconds(one.away_us.p50) },
  p99: { title: "p99", cell: (one) => seconds(one.away_us.p99) },
  max: { title: "max", cell: (one) => seconds(one.away_us.max) },
  never: { title: "never", cell: (one) => grouped(one.never) },
  wanted: { title: "wanted", left: true, cell: wanted },
  met: { title: "met?", left: true, cell: (one) => yes(one.met) },
  before: { title: "live p99 before", cell: (one) => millis(one.before_us.p99) },
  during: { title: "meanwhile", cell: (one) => millis(one.during_us.p99) },
  busy: { title: "cores, busiest second: nodes and Redis, HAProxy", cell: (one) => `${written(one.servers_busiest)}, ${written(one.balancers_busiest)}` },
  faults: { title: "lost, repeated, in gaps", cell: (one) => `${one.lost}, ${one.repeated}, ${one.in_gaps}` },
};

function table(rows, ...chosen) {
  const all = chosen.map((name) => columns[name]);
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [
    line(all.map(({ title }) => title)),
    line(all.map(({ left }, at) => (at === 0 || left ? "---" : "---:"))),
    ...rows.map((one) => line(all.map(({ cell }) => cell(one)))),
  ].join("\n");
}

const rows = (results, id, scenario, server) =>
  (output(results, id)?.results ?? []).filter((one) => one.scenario === scenario && (one.clients === "martlet" || one.server === server));

/** Real storms, with how many clients there were beside those who only watch, and behind what. */
const really = (output) =>
  (output?.results ?? []).map((one) => ({ ...one, sessions: output.settings.clients, balancers: output.settings.balancers }));

const herd = ["clients", "peak", "times", "tenth", "shaking", "tries", "p50", "p99", "max", "never"];

/** The tables, in the order of the document. */
export function stormTables(results) {
  const ours = (output(results, "storm")?.results ?? []).filter(({ clients }) => clients === "martlet");
  return [
    table(ours, "what", "gone", "peak", "even", "times", "shaking", "tries", "p50", "p99", "max", "wanted", "met"),
    table(rows(results, "storm", "drain", "all-at-once"), ...herd),
    table(rows(results, "storm", "kill", "all-at-once"), ...herd),
    table(rows(results, "storm", "kill", "martlet"), ...herd),
    table(rows(results, "slow", "kill", "all-at-once"), ...herd),
    table(rows(results, "slow", "kill", "martlet"), ...herd),
    table(["real", "direct", "fewer"].flatMap((id) => really(output(results, id))), "what", "sessions", "balancer", "gone", "peak", "even", "times", "tries", "p50", "p99", "max", "before", "during", "busy", "faults", "met"),
  ];
}

/** The plots, by the names of their files. */
export function stormDrawings(results) {
  const found = (scenario, clients) =>
    rows(results, "storm", scenario, "all-at-once").find((one) => one.clients === clients && one.tenths);
  const drawn = (scenario, title, until) => {
    const all = plotted[scenario].map((name) => found(scenario, name)).filter(Boolean);
    const points = ({ tenths }) => [...tenths, 0, ...Array(600).fill(0)].map((count, at) => [at / 10, count * 10]);
    const series = all.map((one) => ({ name: one.clients, ours: one.clients === "martlet", points: points(one) }));
    return lines({ title, unit: "arrivals a second, by tenths of a second", seconds: until, least: 1000, series });
  };
  return {
    "drain.svg": drawn("drain", "A third of a million sessions is let go", 40),
    "kill.svg": drawn("kill", "A third of a million sessions loses its node", 10),
  };
}

/** The document. */
export function stormMarkdown(results) {
  const { about } = results;
  const { settings } = output(results, "storm");
  const slow = output(results, "slow").settings;
  const real = output(results, "real").settings;
  const fewer = output(results, "fewer").settings;
  const [ours, drained, killed, unheard, slowly, admitted, counted] = stormTables(results);
  const warning = about.quick ? "\n\n**This was a short run, made to see that all of it works: do not quote its figures.**" : "";
  const [least, most] = settings.round_trip_ms;
  const survivors = (settings.nodes - 1) * settings.workers;
  return `<!-- Made by bench/report of bench/results/storm.json. Change those, not this. -->

# Draining

What it does to a cluster, and to its clients, when a node of it is let go, killed or restarted. How to do it is in
[deploying without dropping anyone](guides/deploying.md). Measured on ${about.date}; \`bench/run --storm\` does it again, and writes this page.${warning}

![Arrivals at the other nodes while one of three is drained](draining/drain.svg)

![Arrivals at the other nodes after one of three was killed](draining/kill.svg)

## A million sessions

${grouped(settings.sessions)} sessions on ${settings.nodes} nodes of ${settings.workers} workers; a drain takes ${settings.over_seconds} s.

${ours}

\`${command(results, "storm")}\`

* **Live again**: from when the connection was lost until the client is told that it is connected. Of a node that lost its power a client finds out by
  its heartbeat, after 10 to 35 s: most of that is waiting for a sign.
* **Peak**: the most that arrived at the nodes in any second, tries in vain included. **Even** is what a perfectly even spread would have been: of a drain, all
  who go from a node over the time that it takes; of a single node, over the time that its clients are told; otherwise over the time in
  which 99 in 100 came back, and a second at the least.
* **Never**, **lost**: clients that did not come back within ten minutes.
* Of **a single node** the clients are told times that begin before it is there again, ${settings.away_seconds} s later: nobody knows how long a restart takes. Those come in vain, back off, and
  are the peak when it opens; admission gives them a place in the line. [A successor](guides/deploying.md#one-node-hand-over-to-a-successor) does without all that.

The sessions and grants, each worker's admission and drain, and the clients' waits are those of the server and of the Rust client, on a virtual clock: the same
seed gives the same figures. Simulated are the network (a round trip of ${least} to ${most} ms, each client's own; four of them until it is connected), the
balancer (any node that takes clients), and work: a worker does one handshake at a time, in ${settings.work_us} µs. Without TLS
[half of that](performance.md#coming) was measured. Admission is the default, ${grouped(settings.admission_per_second)} a second for each worker.

## Beside other clients

The same storms, with the waits that other clients have as they come, and a server that does what theirs do: it closes all connections at once, and lets
everybody in. *At once, always* is a loop without a wait.

### Drained

${drained}

### Killed

${killed}

Here *× even* flatters a herd: whoever is back within a second counts as even. The busiest tenth of a second, and how many shake hands at once, show it.

### Killed, and the nodes have martlet's admission

These clients hear nothing of when to come back, and try again as they do. The nodes are spared, and the clients pay for it.

${unheard}

### Killed, where letting in is dear

A handshake takes a worker ${slow.work_us / 1000} ms, as where a backend is asked who everybody is: ${grouped((1e6 / slow.work_us) * survivors)} a second are all that the nodes can do.
A client gives up after 10 s and tries again, but the work for it is done all the same: that is how a herd keeps servers down that were never short of
anything. First, where everybody is let in (martlet's clients and nodes are as below):

${slowly}

With admission at ${grouped(slow.admission_per_second)} a second for each worker:

${admitted}

\`${command(results, "slow")}\`

Set \`admission.per_second\` to less than what a worker can do. \`martlet bench connect\` says what that is without TLS and without a backend.

## Real clients

${grouped(real.clients)} WebSockets at ${real.nodes} nodes behind one Redis and ${real.balancers === 0 ? "no balancer" : "HAProxy"}, then without a balancer, then ${grouped(fewer.clients)} of them, with ${grouped(real.rate)} publications a second in a channel for each ten of them; a third of the clients loses its node.
One more client watches each channel at a node that stays: the p99 of what it gets, before and while the others come back, is to be at most twice as long.

${counted}

${["real", "direct", "fewer"].map((id) => `\`${command(results, id)}\``).join(", ")}

All of it, nodes, Redis and balancer, had core ${about.cores} of this machine together, and the clients the last one. Where the cores of both come near 1 that core is full: it takes as many back
a second as it can, and what is published waits for its turn. The rows behind nothing have that core without a balancer.

## How far to trust it

* Machine: ${machine(results.measurements)}. A process could have ${about.files.toLocaleString("en")} files open.
* The simulation has no lost packets, no slow phones, and a balancer that knows at once which node is gone.
* Not every server closes all at once: Phoenix lets 10,000 go every two seconds, and Mercure lets every connection run to a deadline of its own. What stands here
  beside martlet is what these clients do where the server leaves the pace to them.
* The waits of other clients are those of their sources in 2026; what an application configures may be better, or worse. How long they wait for a server that
  does not answer is taken to be the same for all, 10 s.
* One run is one run: of the real clients' latencies repeat it before building on a difference of less than a half.
`;
}

/** Keeps the figures, and writes the document. */
export function keepStorm(results) {
  mkdirSync(dirname(stormResults), { recursive: true });
  // A list of numbers takes one line.
  const text = JSON.stringify(results, null, 1).replace(/\[[\s\d,.-]+\]/g, (list) => list.replace(/\s+/g, ""));
  writeFileSync(stormResults, `${text}\n`);
  writeStorm();
}

/** Writes the document of the figures that were kept. */
export function writeStorm() {
  const results = JSON.parse(readFileSync(stormResults, "utf8"));
  mkdirSync(stormPlots, { recursive: true });
  for (const [name, svg] of Object.entries(stormDrawings(results))) writeFileSync(join(stormPlots, name), svg);
  writeFileSync(stormDocument, stormMarkdown(results));
}
