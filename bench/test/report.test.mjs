/** What the document says of made-up results, and that the one that is there is what the last results make. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { clusterMarkdown } from "../lib/cluster.mjs";
import { bench, clusterDocument, clusterResults, document, latest, plots, root, stormDocument, stormPlots, stormResults } from "../lib/places.mjs";
import { drawings, markdown } from "../lib/report.mjs";
import { stormDrawings, stormMarkdown, stormTables } from "../lib/storm.mjs";
import { table } from "../lib/table.mjs";
import { judged } from "../lib/targets.mjs";

const results = JSON.parse(readFileSync(join(bench, "canned/results.json"), "utf8"));

/** The first row whose figure begins so. */
function row(begin, from = results) {
  const found = judged(from).find(({ figure }) => figure.startsWith(begin));
  assert.ok(found, `no row begins with ${begin}`);
  return found;
}

test("a target is met up to its bound and missed beyond it", () => {
  assert.equal(row("CPU for each delivery, one channel").met, true);
  assert.equal(row("the same with 16 publications").met, false);
  assert.equal(row("400 publications a second × 1,000: p50, as").met, true);
  assert.equal(row("400 publications a second × 1,000: p99, as").met, false);
  assert.equal(row("own memory for each idle WebSocket").met, true);
  assert.equal(row("own memory for each idle parked long poll").met, false);
  assert.equal(row("CPU for each publication by HTTP, one").met, true);
  assert.equal(row("memory of a publication").met, true);
  assert.equal(row("deliveries a second, two workers").met, false);
  assert.equal(row("time until 9,000 clients").met, true);
  assert.equal(row("p99 latency of a live channel meanwhile").met, false);
});

test("a quotient of two servers is taken from what both are beside the reference", () => {
  const { measured } = row("p50 latency with 16 in flight");
  assert.ok(Math.abs(measured - 0.7) < 1e-9, `${measured}`);
  assert.ok(Math.abs(row("400 publications a second × 1,000: p99").measured - 0.0105 / 0.0078) < 1e-9);
});

test("what was not measured is neither met nor missed", () => {
  assert.equal(row("the same with 4 publications").met, undefined);
  assert.equal(row("CPU for each delivery by SSE").met, undefined);
  const without = { ...results, measurements: [] };
  assert.ok(judged(without).every(({ met }) => met === undefined));
  assert.match(markdown(without), /0 of \d+ targets are met, 0 missed; \d+ not measured/);
});

test("the others of the same run stand beside it, the least first", () => {
  const { beside } = row("CPU for each delivery, one channel");
  assert.equal(beside, "the corked loop 1.00, the loop of places 1.01, uWebSockets in Bun 1.10, Nchan 1.48");
});

test("the document tells every measurement, with every server", () => {
  const text = markdown(results);
  assert.match(text, /\| the same with 16 publications in flight \| ≤ 0.055 × the bare loop \| 0.061 × \| \*\*no\*\* \|/);
  assert.match(text, /### One publication at a time/);
  assert.match(text, /`martlet bench fanout --subscribers 1000 --in-flight 1 --beside bare --beside nchan=…`/);
  assert.match(text, /\| server \| CPU beside bare \| CPU µs\/delivery \| deliveries\/s \|/);
  assert.match(text, /\| Nchan \| 1.48 \| 7.60 \| 140,000 \| 1.00 \| 7.00 \| 12.0 \| 18.0 \| 24.0 \| 0 \|/);
  assert.match(text, /\*\*Not measured:\*\* it printed no JSON/);
  assert.match(text, /\* Mercure: it could not be had on this machine\./);
  assert.match(text, /\* bare: the generator used 84 % of its core/);
  assert.match(text, /\*\*210 bytes\*\* for each/);
});

test("a short run and a debug build are called that", () => {
  const short = structuredClone(results);
  short.about.quick = true;
  short.measurements[0].output.machine.optimized = false;
  assert.match(markdown(short), /a short run/);
  assert.match(markdown(short), /a debug build/);
  assert.doesNotMatch(markdown(results), /a short run|a debug build/);
});

test("the terminal's table has no Markdown in it", () => {
  assert.doesNotMatch(table(results), /[`*|]/);
  assert.match(table(results), /≤ 1.10 × the bare loop +1.08 × +yes/);
});

test("plots have a bar for every figure, and are well-formed", () => {
  const drawn = drawings(results);
  assert.deepEqual(Object.keys(drawn), ["cpu.svg", "latency.svg", "memory.svg"]);
  const bars = (svg) => svg.match(/<rect [^>]*rx=/g).length;
  assert.deepEqual(Object.values(drawn).map(bars), [12, 12, 6]);
  for (const svg of Object.values(drawn)) {
    assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
    assertNested(svg);
  }
});

test("what has no figure is not drawn as nothing", () => {
  const lacking = structuredClone(results);
  delete lacking.measurements[3].output.results[5].bytes_per_connection;
  assert.match(drawings(lacking)["memory.svg"], /not measured/);
});

test("docs/performance.md is what the last results make", () => {
  const last = JSON.parse(readFileSync(latest, "utf8"));
  assert.equal(readFileSync(document, "utf8"), markdown(last), "run bench/report");
  const drawn = drawings(last);
  for (const [name, svg] of Object.entries(drawn)) assert.equal(readFileSync(join(plots, name), "utf8"), svg, `run bench/report: ${name}`);
  if (existsSync(plots)) assert.deepEqual(readdirSync(plots).sort(), Object.keys(drawn).sort());
});

test("docs/performance-cluster.md is what the last results of several nodes make", () => {
  const last = JSON.parse(readFileSync(clusterResults, "utf8"));
  assert.equal(readFileSync(clusterDocument, "utf8"), clusterMarkdown(last), "run bench/report");
  assert.doesNotMatch(JSON.stringify(last), /127\.0\.0\.1/);
});

test("docs/draining.md is what the last results of storms make", () => {
  const last = JSON.parse(readFileSync(stormResults, "utf8"));
  assert.equal(readFileSync(stormDocument, "utf8"), stormMarkdown(last), "run bench/report");
  assert.doesNotMatch(stormMarkdown(last), /NaN|undefined|–/);
  const drawn = stormDrawings(last);
  assert.deepEqual(readdirSync(stormPlots).sort(), Object.keys(drawn).sort());
  for (const [name, svg] of Object.entries(drawn)) {
    assert.equal(readFileSync(join(stormPlots, name), "utf8"), svg, `run bench/report: ${name}`);
    assert.equal(svg.match(/<polyline /g).length, 4, "martlet's clients and three others");
    assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
    assertNested(svg);
  }
});

test("storms stand under what they are, each with its own server", () => {
  const last = JSON.parse(readFileSync(stormResults, "utf8"));
  const [ours, drained, killed, unheard, slow, admitted, real] = stormTables(last).map((table) => table.split("\n").slice(2));
  assert.equal(ours.length, 6);
  for (const table of [drained, killed, unheard]) assert.equal(table.length, 10);
  for (const table of [slow, admitted]) assert.equal(table.length, 7);
  assert.equal(real.length, 6);
  assert.notDeepEqual(killed.slice(1), unheard.slice(1));
});

test("what a hop adds is what is left without that of a node alone", () => {
  const ratios = [["martlet", 3, 2], ["martlet alone", 1.25, 1]].map(([server, p50, p99]) => ({ server, p50, p99 }));
  const hop = { id: "hop", output: { reference: "redis", ratios, results: [] } };
  const join = { id: "join", output: { results: [{ calls: 80 }, { calls: 101 }] } };
  const judgedRows = judged({ about: { cluster: true }, peers: [], measurements: [hop, join] });
  const values = judgedRows.map(({ measured, met }) => [measured, met]);
  assert.deepEqual(values, [[undefined, undefined], [undefined, undefined], [1.75, false], [1, true], [101, false]]);
});

test("every configuration that the document points to is there", () => {
  for (const [, path] of readFileSync(document, "utf8").matchAll(/\]\(\.\.\/(bench\/[^)]+)\)/g)) {
    assert.ok(existsSync(join(root, path)), path);
  }
});

/** Every element is closed by its own name, in order. */
function assertNested(svg) {
  const open = [];
  for (const [, close, name, self] of svg.matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g)) {
    if (close) assert.equal(open.pop(), name);
    else if (!self) open.push(name);
  }
  assert.deepEqual(open, []);
}
