/** The page at `/` as a person uses it: in Chromium, against the real server. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, open, screenshot } from "../browser.mjs";
import { MartletServer } from "../server.mjs";

let server;
let browser;

before(async () => {
  server = await MartletServer.start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** One pane of the page, by its place. */
class Wing {
  constructor(page, index) {
    this.pane = page.locator(".pane").nth(index);
    this.lines = this.pane.locator(".log li:not(.note)");
  }

  async connected() {
    await this.pane.and(this.pane.page().locator("[data-state=connected]")).waitFor();
  }

  async say(text) {
    await this.pane.locator(".text").fill(text);
    await this.pane.locator(".text").press("Enter");
  }

  async hears(text) {
    await this.lines.filter({ hasText: text }).first().waitFor();
  }

  async note(text) {
    const note = this.pane.locator(".log .note").filter({ hasText: text }).first();
    await note.waitFor();
    return note.innerText();
  }

  async cut() {
    await this.pane.locator(".cut").click();
  }

  texts() {
    return this.lines.allInnerTexts();
  }
}

async function visit(room, options) {
  const visited = await open(browser, `${server.url}/#${room}`, options);
  const wings = [new Wing(visited.page, 0), new Wing(visited.page, 1)];
  await Promise.all(wings.map((wing) => wing.connected()));
  return { ...visited, wings };
}

test("what is written on one side is read on the other, over both transports", async () => {
  const { page, wings, complaints, close } = await visit("chat");
  const [left, right] = wings;
  assert.match(await left.pane.locator(".state").innerText(), /WebSocket/);
  assert.match(await right.pane.locator(".state").innerText(), /SSE/);
  await page.fill("#name", "Ann");
  await left.say("from the left");
  await right.hears("Ann from the left");
  await left.hears("you from the left");
  await right.say("<b>from</b> the right");
  await left.hears("<b>from</b> the right");
  await left.pane.locator(".members li").nth(1).waitFor();
  assert.deepEqual(await left.pane.locator(".members li").allInnerTexts(), ["you", "right wing"]);
  await left.pane.locator(".time").filter({ hasText: "ms" }).waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

for (const side of [0, 1]) {
  test(`a cut connection recovers everything, side ${side + 1}`, async () => {
    const room = `cut${side}`;
    const { wings, close } = await visit(room);
    const wing = wings[side];
    const other = wings[1 - side];
    await other.say("before");
    await wing.hears("before");
    await wing.cut();
    await wing.pane.and(wing.pane.page().locator("[data-state=disconnected]")).waitFor();
    for (let i = 1; i <= 20; i++) {
      await server.publish(room, `line ${i}`);
    }
    await wing.say("written while cut");
    await other.hears("line 20");
    await wing.cut();
    const said = await wing.note("Back on");
    assert.match(said, /recovered (20|21) messages, none lost/);
    await wing.hears("written while cut");
    await other.hears("written while cut");
    const strip = (texts) => texts.map((text) => text.replace(/^\S+ (before|written)/, "$1"));
    assert.deepEqual(strip(await wing.texts()), strip(await other.texts()));
    await close();
  });
}

test("what the history has forgotten is said to be gone", async () => {
  const { wings, close } = await visit("forget");
  const [left] = wings;
  await left.cut();
  await left.pane.and(left.pane.page().locator("[data-state=disconnected]")).waitFor();
  const lines = Array.from({ length: 1_200 }, (_, i) => ({ channel: "forget", data: `line ${i}` }));
  for (let at = 0; at < lines.length; at += 100) {
    const response = await fetch(`${server.url}/v1/batch`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ publish: lines.slice(at, at + 100) }),
    });
    assert.equal(response.status, 200);
  }
  await left.cut();
  assert.match(
    await left.note("Back on"),
    /recovered 1000 messages, 200 lost for good \(expired\)/,
  );
  await close();
});

test("another transport goes on where the first one was", async () => {
  const { wings, close } = await visit("change");
  const [left, right] = wings;
  await right.say("one");
  await left.hears("one");
  await left.pane.locator(".transport").selectOption("sse");
  await left.note("Back on SSE");
  await right.say("two");
  await left.hears("two");
  assert.equal((await left.texts()).filter((text) => text.includes("one")).length, 1);
  await close();
});

test("a room is entered by name, shows what was said, and takes any data", async () => {
  await server.publish("host", " r  b   swpd   free");
  await server.publish("host", { load: [0.1, 0.2], ok: true });
  await server.publish("host", null);
  const { page, wings, close } = await visit("lobby");
  const [left] = wings;
  await page.fill("#room", "host");
  await page.click("#who button");
  await left.hears("swpd");
  assert.deepEqual(
    (await left.texts()).map((text) => text.trim()),
    ["r  b   swpd   free", '{"load":[0.1,0.2],"ok":true}', "null"],
  );
  await server.publish("host", "live");
  await left.hears("live");
  assert.equal(new URL(page.url()).hash, "#host");
  await page.fill("#room", "not a room");
  await page.click("#who button");
  await left.note("This room cannot be entered");
  await close();
});

test("a server that is stopped and started again is come back to", async () => {
  const own = await MartletServer.start();
  const { page, close } = await open(browser, `${own.url}/`);
  const left = new Wing(page, 0);
  await left.connected();
  await own.stop();
  await left.pane.and(page.locator("[data-state=disconnected]")).waitFor();
  const again = await MartletServer.start(own.port);
  await left.connected();
  await left.say("still here");
  await left.hears("still here");
  await close();
  await again.stop();
});

for (const [name, options] of [
  ["wide", {}],
  ["narrow", { viewport: { width: 390, height: 844 } }],
  ["dark", { colorScheme: "dark" }],
  ["narrow-dark", { viewport: { width: 390, height: 844 }, colorScheme: "dark" }],
]) {
  test(`the page fits and is readable: ${name}`, async () => {
    const { page, wings, close } = await visit(`look-${name}`, options);
    const [left, right] = wings;
    await page.fill("#name", "Ann");
    await server.publish(
      `look-${name}`,
      " 1  0      0 3127720  91072 2458512    0    0     3    88",
    );
    await left.say("Hello from the left");
    await right.say("And from the right");
    await left.hears("And from the right");
    await page.click("#birdsong");
    await right.hears("It is said to sleep");
    await right.cut();
    await right.note("cut");
    await left.hears("5. ");
    await right.cut();
    await right.note("Back on");
    await page.click("#birdsong");
    await screenshot(page, name);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= page.viewportSize().width, `the page is ${width} wide`);
    assert.deepEqual(await unlabelled(page), []);
    assert.deepEqual(await faint(page), []);
    await close();
  });
}

/** Fields and buttons without a name. */
function unlabelled(page) {
  return page.evaluate(() =>
    [...document.querySelectorAll("input, select, button")]
      .filter((one) => {
        const label = one.labels?.[0]?.textContent ?? "";
        const name = one.getAttribute("aria-label") ?? (one.textContent || label);
        return (
          (one.tagName === "BUTTON" ? name : (one.getAttribute("aria-label") ?? label)).trim() ===
          ""
        );
      })
      .map((one) => one.outerHTML),
  );
}

/** Texts whose contrast to what is behind them is below 4.5. */
function faint(page) {
  return page.evaluate(() => {
    const channels = (color) => color.match(/[\d.]+/g).map(Number);
    const light = (color) => {
      const [r, g, b] = channels(color).map((c) => c / 255);
      const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
      return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    };
    const behind = (element) => {
      const color = getComputedStyle(element).backgroundColor;
      const clear = channels(color)[3] === 0;
      return clear && element.parentElement ? behind(element.parentElement) : color;
    };
    return [...document.querySelectorAll("body *")]
      .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
      .filter((one) => one.checkVisibility() && !["OPTION", "NOSCRIPT"].includes(one.tagName))
      .filter((one) => {
        const [a, b] = [light(getComputedStyle(one).color), light(behind(one))];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
      })
      .map((one) => `${one.tagName}.${one.className}: ${one.textContent.slice(0, 30)}`);
  });
}
