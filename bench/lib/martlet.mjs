/** The program that is measured and measures: where it is, and one call of its `bench`. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { root } from "./places.mjs";
import { run } from "./processes.mjs";

/** Builds it, and says where it is. */
export function build() {
  const { status } = spawnSync("cargo", ["build", "--release", "--locked", "-p", "martlet"], { cwd: root, stdio: "inherit" });
  if (status !== 0) throw new Error("martlet could not be built");
  return join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "release/martlet");
}

/** One measurement: what it printed as JSON, or why there is nothing. */
export async function measure(martlet, args, { onError }) {
  const { error, stdout, stderr } = await run(martlet, ["bench", ...args.map(String), "--json"], { seconds: 600, onError });
  try {
    return { output: JSON.parse(stdout) };
  } catch {
    const lines = stderr.trim().split("\n");
    const why = lines.find((line) => line.startsWith("error: ")) ?? lines.at(-1);
    return { failed: why || error?.message.split("\n")[0] || "it printed no JSON" };
  }
}
