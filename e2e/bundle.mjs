/** Bundles the scenarios with the client's sources, for Node and for a browser alike. */

import { fileURLToPath } from "node:url";

import * as esbuild from "esbuild";

/** The scenarios as one script that is a module. */
export async function bundle() {
  const { outputFiles } = await esbuild.build({
    entryPoints: [fileURLToPath(new URL("scenarios.mjs", import.meta.url))],
    bundle: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  return outputFiles[0].text;
}
