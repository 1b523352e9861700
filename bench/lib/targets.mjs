/**
 * The figures that martlet is to reach, each beside what it is to be compared with, measured in the same run. How they
 * are measured is in plan.mjs.
 */
import { clusterRows } from "./cluster.mjs";
import { entry, grouped, kib, milliseconds, ratio, written } from "./figures.mjs";

const bare = { bare: "the bare loop", cork: "the corked loop", places: "the loop of places" };

/** The rows of the table, for the results of a run: figure, target, measured, whether it is met, and the others. */
export function judged({ about, measurements, peers }) {
  const outputs = Object.fromEntries(measurements.map(({ id, output }) => [id, output]));
  const names = Object.fromEntries(peers.map(({ name, says }) => [name, says]));
  return (about?.cluster ? clusterRows : rows).map(({ figure, target, from, value, unit, most, least, below, others, othersIn = "" }) => {
    const output = outputs[from];
    const measured = output && value(output);
    const met = Number.isFinite(measured) ? within(measured, { most, least, below }) : undefined;
    const beside = output && others ? othersIn + named(others(output), names) : "";
    return { figure: typeof figure === "function" ? figure(output) : figure, target, measured, unit, met, beside };
  });
}

function within(value, { most = Infinity, least = -Infinity, below = Infinity }) {
  return value <= most && value >= least && value < below;
}

function named(others, names) {
  return others
    .filter(([, value]) => Number.isFinite(value))
    .sort(([, one], [, two]) => one - two)
    .map(([name, value]) => `${names[name] ?? bare[name] ?? name} ${written(value)}`)
    .join(", ");
}

/** A figure of every server but martlet, by name. */
function ofOthers(output, value) {
  const servers = output.results.map(({ server }) => server).filter((server) => !server.startsWith("martlet"));
  return servers.map((server) => [server, value(server)]);
}

const cpuBeside = (other) => (output) => ratio(output, "martlet", other, "cpu");
const cpuOfOthers = (output) => ofOthers(output, (server) => (server === "bare" ? undefined : ratio(output, server, "bare", "cpu")));
const p50OfOthers = (output) => ofOthers(output, (server) => milliseconds(entry(output, server).latency_us?.p50));
const p99OfOthers = (output) => ofOthers(output, (server) => milliseconds(entry(output, server).latency_us?.p99));
const memoryOfOthers = (output) => ofOthers(output, (server) => kib(entry(output, server).bytes_per_connection));

const fanout = "CPU for each delivery, one channel × 1,000 subscribers, 128 bytes, WebSocket";
const open = "400 publications a second × 1,000";
const transports = (name, inFlight) => ({
  figure: `CPU for each delivery by ${name === "sse" ? "SSE" : "a stream of lines (XHR streaming)"}, ${inFlight} in flight`,
  target: "≤ 1.15 × martlet's WebSocket",
  from: `transports-${inFlight}`,
  value: (output) => ratio(output, `martlet ${name}`, "martlet", "cpu"),
  unit: "×",
  most: 1.15,
});
const latency = (name, figure, others) => [
  {
    figure: `${open}: ${name}`,
    target: "≤ 1.3 × the loop of places",
    from: "open-loop",
    value: (output) => ratio(output, "martlet", "places", figure),
    unit: "×",
    most: 1.3,
    others: (output) => ofOthers(output, (server) => ratio(output, server, "places", figure)).filter(([server]) => server !== "places"),
  },
  {
    figure: `${open}: ${name}, as a multiple of uWebSockets'`,
    target: "< 1 ×",
    from: "open-loop",
    value: (output) => ratio(output, "martlet", "uWebSockets", figure),
    unit: "×",
    below: 1,
    others,
    othersIn: "in ms: ",
  },
];
const waiting = (name, says, most) => ({
  figure: `own memory for each idle ${says}, with a session and one subscription`,
  target: `≤ ${most} KiB`,
  from: "idle",
  value: (output) => kib(entry(output, name)?.bytes_per_connection),
  unit: "KiB",
  most,
  others: name === "martlet" ? memoryOfOthers : undefined,
});
// Where the limit of open files leaves no room for as many as the target names, it says how many there were.
const channels = (from, many, each) => ({
  figure: (output) => `CPU for each delivery, ${grouped(output?.settings?.channels ?? many)} channels × ${each}`,
  target: "≤ 1.3 × the bare loop",
  from,
  value: cpuBeside("bare"),
  unit: "×",
  most: 1.3,
});
const published = (batch, most) => ({
  figure: `CPU for each publication by HTTP, ${batch === 1 ? "one by one" : `batches of ${batch}`}`,
  target: `≤ ${most} × that of Redis \`PUBLISH\``,
  from: "publish",
  value: (output) => ratio(output, "martlet", "redis", "cpu", batch),
  unit: "×",
  most,
});

const rows = [
  {
    figure: `${fanout}, one publication at a time`,
    target: "≤ 1.10 × the bare loop",
    from: "fanout-1",
    value: cpuBeside("bare"),
    unit: "×",
    most: 1.1,
    others: cpuOfOthers,
  },
  ...[[4, 0.3], [16, 0.055]].map(([inFlight, most]) => ({
    figure: `the same with ${inFlight} publications in flight`,
    target: `≤ ${most} × the bare loop`,
    from: `fanout-${inFlight}`,
    value: cpuBeside("bare"),
    unit: "×",
    most,
    others: cpuOfOthers,
  })),
  ...[4, 16].map((inFlight) => ({
    figure: `p50 latency with ${inFlight} in flight, as a multiple of the corked loop's`,
    target: "< 1 ×",
    from: `fanout-${inFlight}`,
    value: (output) => ratio(output, "martlet", "cork", "p50"),
    unit: "×",
    below: 1,
    others: (output) => ofOthers(output, (server) => (server === "cork" ? undefined : ratio(output, server, "cork", "p50"))),
  })),
  ...latency("p50", "p50", p50OfOthers),
  ...latency("p99", "p99", p99OfOthers),
  ...[1, 16].flatMap((inFlight) => [transports("sse", inFlight), transports("stream", inFlight)]),
  channels("channels-10", 1000, "10 subscribers"),
  channels("channels-1", 10_000, "1 subscriber"),
  {
    figure: "deliveries a second, two workers against one",
    target: "≥ 1.8 ×",
    from: "cores",
    value: (output) => ratio(output, "2 workers", "1 worker", "speed"),
    unit: "×",
    least: 1.8,
  },
  waiting("martlet", "WebSocket", 1.5),
  waiting("martlet sse", "event stream", 2),
  waiting("martlet poll", "parked long poll", 2),
  {
    figure: (output) => `CPU of ${grouped(entry(output, "martlet")?.connections ?? 15_000)} idle WebSockets, with heartbeats every 25 s`,
    target: "≤ 1 % of a core",
    from: "heartbeats",
    value: (output) => shareOfCore(entry(output, "martlet")),
    unit: "% of a core",
    most: 1,
  },
  {
    figure: "p99 latency at half of what the bare loop can deliver",
    target: "≤ 1.5 × the bare loop",
    from: "half",
    value: (output) => ratio(output, "martlet", "bare", "p99"),
    unit: "×",
    most: 1.5,
  },
  published(1, 3),
  published(100, 1),
  {
    figure: (output) => `time until ${grouped(output?.settings?.clients ?? 10_000)} clients that return at once have the 100 publications that each missed`,
    target: "≤ 2 × a bare loop that writes the same bytes",
    from: "recover",
    value: (output) => 1 / ratio(output, "martlet", "bare", "speed"),
    unit: "×",
    most: 2,
  },
  {
    figure: "p99 latency of a live channel meanwhile, as a multiple of that before",
    target: "≤ 2 ×",
    from: "recover",
    value: (output) => entry(output, "martlet")?.live_during_us?.p99 / entry(output, "martlet")?.live_before_us?.p99,
    unit: "×",
    most: 2,
  },
  {
    figure: "memory of a publication of 128 bytes in a history",
    target: "≤ 1.2 × its payload + 64 bytes",
    from: "history",
    value: ({ bytes_per_publication: bytes }) => bytes,
    unit: "bytes",
    most: 1.2 * 128 + 64,
  },
];

/** What a server with so many idle connections uses of one core, in per cent. */
export function shareOfCore(one) {
  return (one?.cpu_us_per_connection_second * one?.connections) / 1e6 * 100;
}
