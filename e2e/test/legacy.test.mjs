/**
 * What only a browser has, spoken by hand as a page of twenty years ago would: the forever frame,
 * scripts that call back, pictures that change, and the browser's own EventSource. In Chromium.
 */

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import { launch } from "../browser.mjs";
import { FaultyProxy } from "../proxies/faulty.mjs";
import { MartletServer } from "../server.mjs";

const LIMIT = { timeout: 60_000 };
/** What would end a script, a comment or a line, or run, if it were not written with care. */
const NASTY = [
  "</script><script>globalThis.ran = parent.ran = 1</script>",
  "<!--<script>",
  "]]>' \" \\ </SCRIPT >",
  "\u2028\u2029\u0000\u007f\ufeff",
  { "</script><img src=x onerror=parent.ran=1>": ["é€😀", null, -1.5e300] },
];

let server;
let browser;
let page;

before(async () => {
  server = await MartletServer.start();
  browser = await launch();
});

beforeEach(async () => {
  page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  await visit(server.url);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Any page of an origin will do; `heard` collects what is called back. */
async function visit(url) {
  await page.goto(`${url}/health`);
  await page.evaluate(() => {
    globalThis.events = [];
    globalThis.heard = (event) => globalThis.events.push(event);
  });
}

/** The address of a transport that calls `heard`, with the first frame in it. */
function address(transport, connect, more = {}) {
  const frame = JSON.stringify({ id: 1, connect });
  const query = { callback: "heard", protocol: "martlet.v1.json", connect: frame, ...more };
  return `/v1/${transport}?${new URLSearchParams(query)}`;
}

/** Opens a hidden frame in the page. */
const frame = (src) =>
  page.evaluate((src) => {
    const frame = document.createElement("iframe");
    frame.hidden = true;
    frame.src = src;
    document.body.append(frame);
  }, src);

/** Runs a script in the page by its address; gives whether it came. */
const script = (src) =>
  page.evaluate(
    (src) =>
      new Promise((resolve) => {
        const script = document.createElement("script");
        script.onload = () => resolve(true);
        script.onerror = () => resolve(false);
        script.src = src;
        document.body.append(script);
      }),
    src,
  );

/** Waits for so many events with this name, and gives them all. */
async function events(name, count = 1) {
  await page.waitForFunction(
    ([name, count]) => globalThis.events.filter((event) => name in event).length >= count,
    [name, count],
  );
  return page.evaluate(
    (name) => globalThis.events.filter((event) => name in event).map((event) => event[name]),
    name,
  );
}

const heard = () => page.evaluate(() => globalThis.events);
const ran = () => page.evaluate(() => globalThis.ran);
const dataOf = (publications) => publications.map(({ data }) => data);

/** Publishes from the page itself, by a request beside the frame. */
const send = (session, command) =>
  page.evaluate(
    ([session, body]) =>
      fetch(`/v1/send?session=${session}`, { method: "POST", body }).then(({ status }) => status),
    [session, JSON.stringify(command)],
  );

test("a forever frame hears everything as it is, and runs nothing", LIMIT, async () => {
  await frame(address("htmlfile", { subscribe: [{ channel: "frame" }] }));
  const [{ session }] = await events("connected");
  await events("subscribed");
  for (const data of NASTY) {
    await server.publish("frame", data);
  }
  assert.equal(await send(session, { id: 2, publish: { channel: "frame", data: "own" } }), 204);
  assert.deepEqual(dataOf(await events("publication", NASTY.length + 1)), [...NASTY, "own"]);
  assert.equal((await events("published")).length, 1);
  assert.equal(await ran(), undefined);
});

test("a forever frame that is full ends, and the next one goes on", LIMIT, async () => {
  const channel = "full";
  await frame(address("htmlfile", { subscribe: [{ channel }] }, { limit: 4096 }));
  const [{ session, grant }] = await events("connected");
  await events("subscribed");
  const all = Array.from({ length: 40 }, (_, i) => `${i} ${"x".repeat(200)}`);
  for (const data of all) {
    await server.publish(channel, data);
  }
  const [{ code, reconnect, after }] = await events("close");
  assert.deepEqual([code, reconnect, after], [3009, true, 0]);
  const before = await events("publication");
  const { epoch, offset } = before.at(-1);
  const subscribe = [{ channel, epoch, offset }];
  await frame(address("htmlfile", { session, grant, subscribe }));
  assert.deepEqual(dataOf(await events("publication", all.length)), all);
  assert.deepEqual((await events("connected", 2))[1].resumed, true);
});

/** Polls by scripts until so many publications have come; gives the newest batch. */
async function poll(session, count, batch) {
  for (let last = batch; ; ) {
    const seen = (await heard()).flat();
    last = seen.findLast((event) => "batch" in event).batch;
    if (seen.filter((event) => "publication" in event).length >= count) {
      return last;
    }
    const query = new URLSearchParams({ callback: "heard", session, batch: last, wait: 5 });
    assert.ok(await script(`/v1/jsonp?${query}`));
  }
}

test("scripts that call back hear everything as it is, and send", LIMIT, async () => {
  assert.ok(await script(address("jsonp", { subscribe: [{ channel: "jsonp" }] })));
  const { session } = (await heard()).flat().find((event) => "connected" in event).connected;
  let batch = await poll(session, 0);
  for (const data of NASTY) {
    await server.publish("jsonp", data);
  }
  batch = await poll(session, NASTY.length, batch);
  const command = { id: 2, publish: { channel: "jsonp", data: "</script> own" } };
  const query = new URLSearchParams({ callback: "heard", session, send: JSON.stringify(command) });
  assert.ok(await script(`/v1/jsonp?${query}`));
  await poll(session, NASTY.length + 1, batch);
  const publications = (await heard()).flat().flatMap(({ publication }) => publication ?? []);
  assert.deepEqual(dataOf(publications), [...NASTY, "</script> own"]);
  assert.equal(await ran(), undefined);
});

test("a script that calls back is told why it is refused", LIMIT, async () => {
  const query = new URLSearchParams({ callback: "heard", session: "unknown", batch: 1 });
  assert.ok(await script(`/v1/jsonp?${query}`));
  assert.equal((await heard()).flat()[0].error.code, 1009);
  await frame(address("htmlfile", { grant: "g1.forged" }));
  assert.equal((await events("error"))[0].code, 1105);
});

for (const callback of ["ran=1;heard", "heard)//", "</script>", "a[0]", "", "x".repeat(65), "é"]) {
  test(`the callback ${JSON.stringify(callback)} is refused, and runs nothing`, LIMIT, async () => {
    assert.equal(await script(address("jsonp", {}, { callback })), false);
    const refused = page.waitForResponse((response) => response.url().includes("htmlfile"));
    await frame(address("htmlfile", {}, { callback }));
    const response = await refused;
    assert.equal(response.status(), 400);
    assert.match(response.headers()["content-type"], /^application\/json/);
    assert.deepEqual([await heard(), await ran()], [[], undefined]);
  });
}

/** A picture of one colour, so wide. */
const picture = async (width, type) =>
  Buffer.from(
    await page.evaluate(
      ([width, type]) => {
        const canvas = Object.assign(document.createElement("canvas"), { width, height: 8 });
        const paint = canvas.getContext("2d");
        paint.fillStyle = "#c04000";
        paint.fillRect(0, 0, width, 8);
        return canvas.toDataURL(type).split(",")[1];
      },
      [width, type],
    ),
    "base64",
  );

/** Chromium shows a part when the head of the next one has come, so each picture is sent twice. */
async function show(width, type) {
  const bytes = await picture(width, type);
  await server.publish("camera", bytes);
  await server.publish("camera", bytes);
}

test("a picture changes with each publication", LIMIT, async () => {
  await show(16, "image/png");
  await page.evaluate(() => {
    globalThis.img = document.createElement("img");
    globalThis.img.src = "/v1/multipart?channel=camera&replace=true&since=1h";
    document.body.append(globalThis.img);
  });
  const shows = (width) => page.waitForFunction((w) => globalThis.img.naturalWidth === w, width);
  await shows(16);
  for (const [width, type] of [
    [24, "image/jpeg"],
    [40, "image/png"],
  ]) {
    await show(width, type);
    await shows(width);
  }
  const colour = await page.evaluate(() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 40, height: 8 });
    const paint = canvas.getContext("2d");
    paint.drawImage(globalThis.img, 0, 0);
    return [...paint.getImageData(20, 4, 1, 1).data];
  });
  assert.deepEqual(colour, [192, 64, 0, 255]);
});

test("the browser's EventSource comes back by itself and misses nothing", LIMIT, async () => {
  const proxy = await FaultyProxy.start(server.url, { answer: undefined });
  await visit(proxy.url);
  await page.evaluate(() => {
    const source = new EventSource("/v1/sse?channel=source");
    source.onmessage = ({ data, lastEventId }) => globalThis.heard({ data, lastEventId });
    source.addEventListener("gap", (event) => globalThis.heard({ gap: event.data }));
    return new Promise((resolve) => (source.onopen = resolve));
  });
  for (let cut = 0; cut < 3; cut++) {
    await server.publish("source", `before ${cut}`);
    await events("data", 2 * cut + 1);
    proxy.cut();
    await server.publish("source", `missed ${cut}`);
  }
  const data = await events("data", 6);
  const wanted = [0, 1, 2].flatMap((cut) => [`before ${cut}`, `missed ${cut}`]);
  assert.deepEqual(data.map((text) => JSON.parse(text)), wanted);
  assert.equal((await heard()).filter((event) => "gap" in event).length, 0);
  assert.equal(proxy.requests.filter((request) => request === "GET /v1/sse").length, 4);
  await proxy.close();
});
