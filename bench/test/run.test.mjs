/** A run with a program that stands in for martlet, and without peers: what is asked, kept, and ended. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import { bench } from "../lib/places.mjs";
import { end, start, tree } from "../lib/processes.mjs";

const alone = ["--no-install", "--peers", "none", "--martlet", join(bench, "canned/martlet.mjs")];

/** Runs `bench/run` with these options, and gives what it printed and the figures that it kept. */
async function runWith(options) {
  const folder = mkdtempSync(join(tmpdir(), "martlet-bench-test-"));
  try {
    const out = join(folder, "results.json");
    const { stdout } = await promisify(execFile)(join(bench, "run"), [...alone, "--out", out, ...options]);
    return { stdout, results: JSON.parse(readFileSync(out, "utf8")) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a run asks for what the plan says, and prints the table", async () => {
  const { stdout, results } = await runWith(["--quick", "--only", "fanout"]);
  assert.deepEqual(results.measurements.map(({ id }) => id), ["fanout-1", "fanout-4", "fanout-16"]);
  const { command, output } = results.measurements[0];
  assert.equal(
    command,
    "martlet bench fanout --subscribers 1000 --in-flight 1 --seconds 1 --rounds 2 --beside bare --beside cork --beside places",
  );
  assert.equal(["martlet", ...output.asked].join(" "), `${command} --json`);
  assert.match(stdout, /one publication at a time +≤ 1.10 × the bare loop +1.08 × +yes/);
});

test("what could not be measured is said, and the run goes on", async () => {
  const { results } = await runWith(["--only", "connect,publish"]);
  const [publish, connect] = results.measurements;
  assert.match(connect.failed, /connect is not known here/);
  assert.equal(publish.output.command, "publish");
});

test("half of what the bare loop can do is asked for as a rate", async () => {
  const { results } = await runWith(["--only", "fanout-1,half"]);
  // The made-up bare loop delivers 205,000 a second to 1,000.
  assert.match(results.measurements[1].command, /--rate 103 /);
});

test("no address of the run is kept", async () => {
  const { results } = await runWith(["--only", "fanout-1"]);
  assert.doesNotMatch(JSON.stringify(results), /127\.0\.0\.1/);
});

test("an unknown measurement is refused", async () => {
  await assert.rejects(runWith(["--only", "nothing"]), /there is no measurement nothing/);
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  test(`what was started is ended when the run gets ${signal}`, async () => {
    const run = spawn("node", [join(bench, "lib/run.mjs"), ...alone, "--only", "echo"], { stdio: ["ignore", "ignore", "pipe"] });
    const pid = await startedBy(run);
    assert.ok(existsSync(`/proc/${pid}`));
    run.kill(signal);
    await once(run, "exit");
    await gone(pid);
  });
}

test("a started process has all the files that it may have, and is ended by its number", async () => {
  const child = start("sh", ["-c", "ulimit -n; ulimit -Hn; sleep 20 & wait"], { name: "test", cores: "0" });
  while (child.said.split("\n").length < 3) await sleep(10);
  const [soft, hard] = child.said.split("\n");
  assert.equal(soft, hard);
  const processes = tree(child.pid);
  assert.equal(processes.length, 2);
  await end(child);
  await gone(child.pid);
  process.kill(processes[1]);
});

/** The number of the process that stands in for martlet. */
async function startedBy(run) {
  let said = "";
  for await (const data of run.stderr) {
    said += data;
    const found = /waiting as (\d+)/.exec(said);
    if (found) return Number(found[1]);
  }
  throw new Error(`it was not started: ${said}`);
}

async function gone(pid) {
  for (let waited = 0; existsSync(`/proc/${pid}`); waited += 10) {
    assert.ok(waited < 5000, `process ${pid} is still there`);
    await sleep(10);
  }
}
