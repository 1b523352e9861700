/**
 * Makes the one script for old browsers of its parts, and checks that they can read it: it must be
 * ECMAScript 3, the language of Internet Explorer 8. `node legacy/build.mjs [FILE]`.
 */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

import { parse } from "acorn";

const PARTS = ["requests", "transports", "uplink", "client"];
const HEAD = "/* martlet for old browsers; see legacy/ of the client. MIT OR Apache-2.0 */\n";

/** The whole script. */
export async function build() {
  const read = (part) => readFile(new URL(`./${part}.js`, import.meta.url), "utf8");
  const parts = await Promise.all(PARTS.map(read));
  const body = parts.join("\n");
  const script = `${HEAD}(function (window, document) {\n${body}\n})(window, document);\n`;
  parse(script, { ecmaVersion: 3 });
  return script;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const usual = new URL("../dist/martlet-legacy.js", import.meta.url);
  const file = process.argv[2] ?? fileURLToPath(usual);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, await build());
}
