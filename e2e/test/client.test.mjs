/** The TypeScript client in Node and in Chromium, against the real server, on every transport. */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import WebSocket from "ws";

import { launch } from "../browser.mjs";
import { bundle } from "../bundle.mjs";
import { MartletServer } from "../server.mjs";

let server;
let browser;
let page;
let inNode;
let folder;

before(async () => {
  server = await MartletServer.start();
  const script = await bundle();
  folder = await mkdtemp(join(tmpdir(), "martlet-e2e-"));
  await writeFile(join(folder, "scenarios.mjs"), script);
  inNode = await import(join(folder, "scenarios.mjs"));
  browser = await launch();
  page = await browser.newPage();
  // Any page of the server's own origin will do; the script is the test's.
  await page.goto(`${server.url}/health`);
  await page.evaluate(async (text) => {
    const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    globalThis.scenarios = await import(address);
  }, script);
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

const PLACES = {
  node: (name, options) => inNode[name]({ ...options, WebSocketClass: WebSocket }),
  chromium: (name, options) =>
    page.evaluate(
      ([name, options]) => globalThis.scenarios[name]({ ...options, WebSocketClass: WebSocket }),
      [name, options],
    ),
};

const WAYS = [
  { transport: "websocket", binary: false },
  { transport: "websocket", binary: true },
  { transport: "sse", binary: false },
  { transport: "stream", binary: false },
  { transport: "poll", binary: false },
];

for (const [place, run] of Object.entries(PLACES)) {
  for (const way of WAYS) {
    const words = `${place}, ${way.transport}${way.binary ? ", binary" : ""}`;
    const options = (purpose) => ({
      ...way,
      url: server.url,
      channel: `${purpose}-${words.replaceAll(/\W+/g, "-")}`,
    });

    test(`${words}: publish, history, presence`, async () => {
      const saw = await run("publishing", options("publish"));
      assert.deepEqual(saw, {
        transport: way.transport,
        same: true,
        ids: true,
        first: ["kind", "r", "b", true],
        bytes: [0, 1, 254, 255],
        count: 7,
        duplicate: [false, true, true],
        page: [[7, 6, 5], true, true],
        members: [true],
        refused: { code: 1200, name: "channel_invalid" },
        trip: true,
      });
    });

    test(`${words}: sees another client come and go`, async () => {
      const saw = await run("meeting", options("meet"));
      assert.deepEqual(saw, { count: 2, known: [true, true], after: [true] });
    });

    test(`${words}: recovers everything, once`, async () => {
      const saw = await run("recovering", options("recover"));
      assert.deepEqual(saw, {
        count: 61,
        distinct: 61,
        gaps: [],
        recovered: [true, true, true, true, true],
        kept: true,
        left: [],
      });
    });
  }

  for (const [transport, other] of [
    ["websocket", "sse"],
    ["sse", "websocket"],
  ]) {
    const options = (purpose) => ({
      transport,
      url: server.url,
      channel: `${purpose}-${place}-${transport}`,
    });

    test(`${place}: resumes on ${other} what began on ${transport}`, async () => {
      const saw = await run("moving", options("move"));
      assert.deepEqual(saw, {
        moved: [transport, other],
        recovered: true,
        seen: ["missed", "end"],
        kept: true,
      });
    });

    test(`${place}: the next goes on by ${other} from the cursor of ${transport}`, async () => {
      const saw = await run("handingOver", options("hand"));
      assert.deepEqual(saw, { data: "two" });
    });
  }
}
