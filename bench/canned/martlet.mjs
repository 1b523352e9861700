#!/usr/bin/env node
/** Stands in for martlet: prints made-up results of what it was asked for, or waits, so that somebody has to end it. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const args = process.argv.slice(2);
const { measurements } = JSON.parse(readFileSync(new URL("results.json", import.meta.url), "utf8"));
const found = measurements.find(({ output }) => output?.command === args[1]);

if (args[1] === "echo") {
  process.stderr.write(`waiting as ${process.pid}\n`);
  await sleep(20_000);
}
if (found === undefined) {
  process.stderr.write(`error: ${args[1]} is not known here\n`);
  process.exit(2);
}
process.stdout.write(JSON.stringify({ ...found.output, servers: [{ url: "http://127.0.0.1:1" }], asked: args }));
