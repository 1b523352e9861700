/**
 * Builds the page: one HTML file, one stylesheet, one script with the TypeScript client in it. The
 * result is kept in `dist/`, because the server is built from it without Node.
 */

import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import * as esbuild from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The built files, by name. The same sources give the same bytes. */
export async function build() {
  const { outputFiles } = await esbuild.build({
    absWorkingDir: here("."),
    entryPoints: ["src/app.ts", "src/style.css"],
    outdir: here("dist"),
    bundle: true,
    format: "esm",
    target: "es2022",
    minify: true,
    charset: "utf8",
    legalComments: "none",
    write: false,
  });
  const files = new Map(outputFiles.map(({ path, text }) => [path.split("/").at(-1), text]));
  return files.set("index.html", await readFile(here("src/index.html"), "utf8"));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, text] of await build()) {
    await writeFile(here(`dist/${name}`), text);
  }
}
