/** Bundles what uses the client's sources with them, for Node and for a browser alike. */

import { fileURLToPath } from "node:url";

import * as esbuild from "esbuild";

/** The scenarios, or another file of this folder, as one script that is a module. */
export async function bundle(entry = "scenarios.mjs") {
  const { outputFiles } = await esbuild.build({
    entryPoints: [fileURLToPath(new URL(entry, import.meta.url))],
    bundle: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  return outputFiles[0].text;
}
