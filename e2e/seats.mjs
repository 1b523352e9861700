/**
 * Where a traveller sits: in this program or in a browser's page. The calls are the same, and what
 * goes to and fro is plain data.
 */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import WebSocket from "ws";

import { bundle } from "./bundle.mjs";

/** Travellers in this program. */
export async function nodeSeats() {
  const folder = await mkdtemp(join(tmpdir(), "martlet-travel-"));
  await writeFile(join(folder, "travel.mjs"), await bundle("travel.mjs"));
  const { Traveller } = await import(join(folder, "travel.mjs"));
  return {
    sit: async (options) => new Traveller({ WebSocket, ...options }),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Travellers in `page`, which is of the origin that they travel to. */
export async function pageSeats(page) {
  await page.evaluate(
    async (text) => {
      const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
      const { Traveller } = await import(address);
      globalThis.travel = { Traveller, all: [] };
    },
    await bundle("travel.mjs"),
  );
  return {
    sit: (options) => sitIn(page, options),
    /** The page is told that the network came back, as the browser would tell it. */
    online: () => page.evaluate(() => globalThis.dispatchEvent(new Event("online"))),
  };
}

async function sitIn(page, options) {
  const place = await page.evaluate(
    (options) => globalThis.travel.all.push(new globalThis.travel.Traveller(options)) - 1,
    options,
  );
  const call = (name, ...args) =>
    page.evaluate(([at, name, args]) => globalThis.travel.all[at][name](...args), [
      place,
      name,
      args,
    ]);
  const asked = ["subscribed", "disconnected", "hears", "carriedBy"];
  const names = [...asked, "publish", "account", "close"];
  return Object.fromEntries(names.map((name) => [name, (...args) => call(name, ...args)]));
}
