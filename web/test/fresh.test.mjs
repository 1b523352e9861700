/** The built page in the repository is the one that its sources give. */

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";

import { build } from "../build.mjs";

test("dist is fresh; if not: npm run build", async () => {
  const built = await build();
  const dist = new URL("../dist/", import.meta.url);
  assert.deepEqual((await readdir(dist)).sort(), [...built.keys()].sort());
  for (const [name, text] of built) {
    assert.equal(await readFile(new URL(name, dist), "utf8"), text, name);
  }
});

test("the page asks nobody but its own server", async () => {
  for (const [name, text] of await build()) {
    const addresses = text.match(/(?:https?:)?\/\/[a-z0-9.-]+\.[a-z]{2,}/gi) ?? [];
    const foreign = addresses.filter((address) => !address.endsWith("//www.w3.org"));
    assert.deepEqual(foreign, [], name);
  }
});
