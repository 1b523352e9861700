/**
 * What the document says of each measurement: what was done, and a table with all servers. The columns go by what was
 * measured; those that nobody has a figure for are left out.
 */
import { grouped, kib, milliseconds, ratio, written } from "./figures.mjs";
import { shareOfCore } from "./targets.mjs";

const latency = ["p50", "p99", "p999", "max"].map((name) => ({
  title: `${{ p50: "p50", p99: "p99", p999: "p99.9", max: "max" }[name]} ms`,
  cell: (one) => written(milliseconds(one.latency_us?.[name])),
}));

/** How a server's CPU, or another figure, compares with the reference's in the same rounds. */
const beside = (figure, title) => ({
  title: (output) => `${title} beside ${output.reference}`,
  cell: ({ server, batch }, output) => {
    if (output.reference === undefined || output.reference === null) return "–";
    return written(ratio(output, server, output.reference, figure, batch));
  },
});

const columns = {
  fanout: [
    beside("cpu", "CPU"),
    { title: "CPU µs/delivery", cell: (one) => written(one.server_cpu_us_per_delivery) },
    { title: "deliveries/s", cell: (one) => grouped(one.deliveries_per_second) },
    { title: "bytes", cell: (one) => grouped(one.bytes_per_delivery) },
    { title: "a read", cell: (one) => written(one.deliveries_per_read) },
    ...latency,
    { title: "missed", cell: (one) => grouped(one.missed) },
  ],
  idle: [
    { title: "own memory, KiB each", cell: (one) => written(kib(one.bytes_per_connection)) },
    { title: "connections", cell: (one) => grouped(one.connections) },
    { title: "CPU µs each and second", cell: (one) => written(one.cpu_us_per_connection_second) },
    { title: "% of a core", cell: (one) => written(shareOfCore(one)) },
    { title: "failed", cell: (one) => grouped(one.failed) },
  ],
  connect: [
    beside("cpu", "CPU"),
    { title: "CPU µs/connection", cell: (one) => written(one.server_cpu_us_per_connection) },
    { title: "connections/s", cell: (one) => grouped(one.connections_per_second) },
    ...latency,
    { title: "failed", cell: (one) => grouped(one.failed) },
  ],
  publish: [
    { title: "batch", cell: (one) => grouped(one.batch) },
    beside("cpu", "CPU"),
    { title: "CPU µs/publication", cell: (one) => written(one.server_cpu_us_per_publication) },
    { title: "publications/s", cell: (one) => grouped(one.publications_per_second) },
    ...latency,
  ],
  recover: [
    beside("cpu", "CPU"),
    { title: "seconds", cell: (one) => written(one.seconds) },
    { title: "publications/s", cell: (one) => grouped(one.publications_per_second) },
    { title: "CPU µs/publication", cell: (one) => written(one.server_cpu_us_per_publication) },
    { title: "live p99 before, ms", cell: (one) => written(milliseconds(one.live_before_us?.p99)) },
    { title: "live p99 meanwhile, ms", cell: (one) => written(milliseconds(one.live_during_us?.p99)) },
    { title: "missed", cell: (one) => grouped(one.missed) },
    { title: "gaps", cell: (one) => grouped(one.gaps) },
  ],
  cores: [
    { title: "workers", cell: (one) => grouped(one.workers) },
    beside("speed", "speed"),
    { title: "deliveries/s", cell: (one) => grouped(one.deliveries_per_second) },
    { title: "CPU µs/delivery", cell: (one) => written(one.server_cpu_us_per_delivery) },
    { title: "cores used", cell: (one) => written(one.server_cores) },
  ],
  cluster: [
    { title: "batch", cell: (one) => grouped(one.batch) },
    beside("speed", "speed"),
    { title: "publications/s", cell: (one) => grouped(one.publications_per_second) },
    { title: "CPU µs/publication", cell: (one) => written(one.server_cpu_us_per_publication) },
    { title: "of nodes", cell: (one) => written(one.nodes_cpu_us_per_publication) },
    { title: "of Redis", cell: (one) => written(one.redis_cpu_us_per_publication) },
    { title: "answered p50 ms", cell: (one) => written(milliseconds(one.answered_us?.p50)) },
    { title: "delivered p50 ms", cell: (one) => written(milliseconds(one.latency_us?.p50)) },
    { title: "p99 ms", cell: (one) => written(milliseconds(one.latency_us?.p99)) },
    { title: "missed", cell: (one) => grouped(one.missed) },
  ],
  join: [
    { title: "channels", cell: (one) => grouped(one.channels) },
    { title: "calls", cell: (one) => grouped(one.calls) },
    { title: "of functions", cell: (one) => grouped(one.functions) },
    { title: "subscribing", cell: (one) => grouped(one.subscriptions) },
    { title: "commands inside", cell: (one) => grouped(one.inside) },
    { title: "Redis CPU µs/channel", cell: (one) => written(one.redis_cpu_us_per_channel) },
    { title: "all followed after, s", cell: (one) => written(one.seconds) },
  ],
};
columns.hop = columns.fanout;
columns.echo = columns.fanout;
columns.channels = columns.fanout;

/** What was done, by the measurement's name. */
const told = {
  "fanout-1": [
    "One publication at a time",
    "One publisher, 1,000 subscribers of one channel, 128 bytes, and the next publication when everybody has the last one. There is nothing to put together: " +
      "every delivery is a write of its own, and what differs is what a server does beside it. `bytes` is what a delivery is on the wire, all told.",
  ],
  "fanout-4": [
    "Four publications in flight",
    "The same, but four publications are under way at any time. Who writes each by itself pays four times; who puts together what is there does not.",
  ],
  "fanout-16": ["Sixteen publications in flight", "The same with sixteen. `a read` says how many deliveries came together."],
  "open-loop": [
    "A fixed rate",
    "400 publications a second, whatever the server does, to 1,000 subscribers: what users feel. Latency counts from when a publication was meant to be sent. Who cannot " +
      "deliver 400,000 a second falls behind for as long as the measurement lasts.",
  ],
  half: [
    "Half of what a bare loop can do",
    "A fixed rate again: half of what the bare loop delivered when it was given one publication at a time, so that neither it nor martlet is near its end.",
  ],
  "transports-1": ["Transports, one publication at a time", "The same subscribers by WebSocket, server-sent events and a stream of lines, all of one server."],
  "transports-16": ["Transports, sixteen in flight", "The same with sixteen in flight."],
  "channels-10": [
    "Many channels, ten subscribers each",
    "A publisher goes round all the channels. Where the limit of open files leaves no room for two servers with 10,000 connections each, there are a few channels less.",
  ],
  "channels-1": ["Many channels, one subscriber each", "What a service of private inboxes does. Again as many as there is room for."],
  "channels-peers": ["A hundred channels, ten subscribers each", "Few enough for all servers at once."],
  cores: ["Two workers against one", "The generator is kept out of the way as [benchmarking](guides/benchmarking.md) tells."],
  idle: [
    "Connections that only wait",
    "Each has a session, where there is such a thing, and follows one channel. What is counted is the server's own memory; the kernel's part is the same for all.",
  ],
  heartbeats: ["CPU of connections that only wait", "Martlet alone, for two rounds of heartbeats."],
  publish: ["Publishing by HTTP", "Kept-alive connections, one publication a request and a hundred, beside Redis `PUBLISH` over TCP, pipelined alike. Nobody follows the channels."],
  recover: [
    "Everybody returns at once",
    "Clients have followed a channel, are cut off, miss 100 publications, and return together with their cursors. The bare loop writes the same bytes to as many sockets.",
  ],
  echo: ["Echo", "100 clients that each publish into a channel of their own and follow it: the way there and back."],
  connect: ["Coming", "1,000 clients, 64 at once: handshake, session and one subscription."],
  cluster: [
    "Publishing",
    "Every node is published to by four connections to its HTTP API, each with its next request when the last was answered. Each of 1,200 channels is followed by a " +
      "WebSocket at the next node, so that every publication travels. A slice ends with the last delivery.",
  ],
  hop: [
    "One hop",
    "A client publishes at one node, and another follows at a second one; the same at a node alone, whose engine is its memory; and Redis by `PUBLISH` and `SUBSCRIBE`. " +
      "200 publications a second, each counted from when it was meant to be sent.",
  ],
  join: [
    "Joining",
    "One node is there, and another one joins, to which a hundred clients come at once that follow a hundred channels each. Redis says how often it was asked until all were followed. " +
      "The first node that joins is told apart, in the note.",
  ],
  history: ["History", "The memory of a server with full histories, divided by the publications in them."],
};

/** The section of one measurement. */
export function section({ id, command, output, failed, lacking }, names) {
  const [title, words] = told[id] ?? [id, ""];
  const parts = [`### ${title}`, words];
  if (command) parts.push(`\`${command}\``);
  if (lacking) parts.push(`**Without the peers:** with them it failed (${lacking}).`);
  if (failed) parts.push(`**Not measured:** ${failed}`);
  else if (output.results) parts.push(tableOf(output, names), notesOf(output));
  else parts.push(historyOf(output));
  return parts.filter(Boolean).join("\n\n");
}

function tableOf(output, names) {
  const shown = columns[output.command].filter(({ cell }) => output.results.some((one) => cell(one, output) !== "–"));
  const titles = ["server", ...shown.map(({ title }) => (typeof title === "function" ? title(output) : title))];
  const rows = output.results.map((one) => [nameOf(one.server, names), ...shown.map(({ cell }) => cell(one, output))]);
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(titles), line(titles.map((_, at) => (at === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}

/** The loops and transports in words, the peers as they call themselves. */
export function nameOf(server, names) {
  const loops = { bare: "*bare loop*", cork: "*corked loop*", places: "*loop of places*" };
  return server.startsWith("martlet") ? `**${server}**` : loops[server] ?? names[server] ?? server;
}

function notesOf({ notes }) {
  return notes?.length > 0 ? notes.map((note) => `* ${note}`).join("\n") : "";
}

function historyOf({ publications, payload, channels, bytes_per_publication: bytes }) {
  return `${grouped(publications)} publications of ${payload} bytes in ${channels} channels: **${written(bytes)} bytes** for each.`;
}
