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

  async disconnected() {
    await this.pane.and(this.pane.page().locator("[data-state=disconnected]")).waitFor();
  }

  /** Changes the transport; `""` leaves it to the client. */
  async change(transport) {
    await this.pane.locator(".transport").selectOption(transport);
  }

  /** A line with this text that is in a state: `pending`, `settled`, `failed`. */
  async line(text, state) {
    const line = this.pane.locator(`.log .${state}`).filter({ hasText: text }).first();
    await line.waitFor();
    return line;
  }

  /** What the table says of a transport: the row's cells, once it is the one in use. */
  async figures(transport) {
    const row = this.pane.locator(`[data-transport=${transport}]`);
    await row.filter({ hasText: "in use" }).waitFor();
    await row.filter({ hasText: /\d ms$/ }).waitFor();
    return row.locator("th, td").allInnerTexts();
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

const TRANSPORTS = [
  ["poll", "Long poll"],
  ["stream", "HTTP stream"],
  ["sse", "SSE"],
  ["websocket", "WebSocket"],
  ["", "WebSocket"],
];

test("every transport can be chosen, carries both ways, and is counted by itself", async () => {
  const { page, wings, complaints, close } = await visit("tour");
  const [left, right] = wings;
  const offered = await left.pane.locator(".transport option").allInnerTexts();
  assert.deepEqual(offered, ["automatic", "WebSocket", "SSE", "HTTP stream", "Long poll"]);
  for (const [value, name] of TRANSPORTS) {
    await left.change(value);
    await left.pane.locator(".state").filter({ hasText: `Connected by ${name}` }).waitFor();
    await left.say(`up by ${value}.`);
    await right.hears(`up by ${value}.`);
    await right.say(`down by ${value}.`);
    await left.hears(`down by ${value}.`);
    const row = await left.figures(TRANSPORTS.find((one) => one[1] === name)[0]);
    assert.match(row.join(" | "), /^.+ in use \| [\d.]+ k?B .*\| [\d.]+ k?B .*\| .* ms \| .* ms$/);
  }
  const said = TRANSPORTS.flatMap(([value]) => [`you up by ${value}.`, `somebody down by ${value}.`]);
  const name = await page.inputValue("#name");
  const heard = (await left.texts()).map((text) => text.replace(new RegExp(`^${name} `), "somebody "));
  assert.deepEqual(heard, said);
  await left.pane.locator(".members li").nth(2).waitFor({ state: "detached" });
  const rows = await left.pane.locator("[data-transport]").count();
  assert.equal(rows, 4, "each transport has one row, and keeps it");
  await left.pane.locator("[data-transport]").filter({ hasText: "in use" }).nth(1).waitFor({ state: "detached" });
  assert.deepEqual(complaints, []);
  await close();
});

test("the figures move while something is said", async () => {
  const { page, wings, close } = await visit("figures");
  const [left] = wings;
  await left.figures("websocket");
  const rate = left.pane.locator("[data-transport=websocket] .rate").last();
  await rate.filter({ hasText: "B/s" }).waitFor();
  const sum = left.pane.locator("[data-transport=websocket] .sum").last();
  const before = await sum.innerText();
  await left.say("x".repeat(2_000));
  await page.waitForFunction(
    ({ before }) => {
      const cell = document.querySelector("[data-transport=websocket] td:nth-of-type(2) .sum");
      const bytes = (text) => Number.parseFloat(text) * (text.includes("kB") ? 1_000 : 1);
      return bytes(cell.textContent) >= bytes(before) + 1_900;
    },
    { before },
  );
  const figures = await left.figures("websocket");
  await left.change("poll");
  await left.figures("poll");
  await left.change("websocket");
  const again = await left.figures("websocket");
  for (const way of [1, 2]) {
    assert.match(figures[way], /^2\.\d kB|^3\.\d kB/);
    assert.match(again[way], /^[2-5]\.\d kB/, "a transport that is used again counts on");
  }
  await close();
});

test("a session moves to a better transport by itself, and the pane says so", async () => {
  const { page, close } = await open(browser, "about:blank");
  await page.addInitScript(() => {
    globalThis.blocked = true;
    globalThis.WebSocket = class extends WebSocket {
      constructor(...address) {
        if (globalThis.blocked) {
          throw new Error("no WebSocket gets through here");
        }
        super(...address);
      }
    };
  });
  await page.goto(`${server.url}/#better`);
  const [left, right] = [new Wing(page, 0), new Wing(page, 1)];
  await left.change("");
  // SSE, unless it was slow to begin and another overtook it.
  await left.pane.locator(".state").filter({ hasText: /Connected by (?!WebSocket)/ }).waitFor();
  await right.connected();
  await right.say("before the move");
  await left.hears("before the move");
  await page.evaluate(() => {
    globalThis.blocked = false;
    dispatchEvent(new Event("online"));
  });
  assert.match(await left.note("to WebSocket"), /Moved from .+ to WebSocket/);
  await left.pane.locator(".state").filter({ hasText: "Connected by WebSocket" }).waitFor();
  await left.figures("websocket");
  await right.say("after the move");
  await left.hears("after the move");
  await close();
});

test("what is written is there at once, waits during a cut, and settles in the channel's order", async () => {
  const { wings, close } = await visit("pending");
  const [left, right] = wings;
  await left.say("settled");
  await left.line("you settled", "settled");
  await left.cut();
  await left.disconnected();
  await left.say("mine");
  await (await left.line("you mine", "pending")).getByText("sending").waitFor();
  await right.say("theirs");
  await right.line("you theirs", "settled");
  assert.equal(await right.lines.filter({ hasText: "mine" }).count(), 0);
  await left.cut();
  await left.line("you mine", "settled");
  await right.hears("mine");
  await left.hears("theirs");
  const words = (texts) => texts.map((text) => text.trim().split(" ").at(-1));
  assert.deepEqual(words(await left.texts()), ["settled", "theirs", "mine"]);
  assert.deepEqual(words(await right.texts()), ["settled", "theirs", "mine"]);
  await close();
});

test("what waits is sent by the transport that is chosen meanwhile, once", async () => {
  const { wings, close } = await visit("meanwhile");
  const [left, right] = wings;
  await left.cut();
  await left.disconnected();
  await left.say("written before the change");
  await left.line("written before the change", "pending");
  await left.change("poll");
  await left.say("written after the change");
  await left.line("written before the change", "pending");
  await left.cut();
  await right.hears("written after the change");
  await left.line("written after the change", "settled");
  for (const wing of wings) {
    const texts = (await wing.texts()).map((text) => text.replace(/^\S+ /, ""));
    assert.deepEqual(texts, ["written before the change", "written after the change"]);
  }
  // While it is on its way by one client already, the next one must not say it again.
  for (const transport of ["stream", "websocket", "sse"]) {
    await left.pane.evaluate((pane, transport) => {
      pane.querySelector(".text").value = `on the way to ${transport}`;
      pane.querySelector(".write").requestSubmit();
      pane.querySelector(".transport").value = transport;
      pane.querySelector(".transport").dispatchEvent(new Event("change"));
    }, transport);
    await left.note(`Back on ${{ stream: "HTTP", websocket: "Web", sse: "SSE" }[transport]}`);
    await left.line(`on the way to ${transport}`, "settled");
  }
  await right.say("the end");
  await left.hears("the end");
  for (const wing of wings) {
    const texts = (await wing.texts()).map((text) => text.trim().split(" ").at(-1));
    assert.deepEqual(texts, ["change", "change", "stream", "websocket", "sse", "end"]);
  }
  await close();
});

test("what cannot be sent says so, and is tried again or taken away", async () => {
  const { page, wings, close } = await visit("failed");
  const [left, right] = wings;
  await left.cut();
  await left.disconnected();
  // One more than a client lets wait, and another one.
  await left.pane.locator(".write").evaluate((form) => {
    for (let i = 1; i <= 258; i++) {
      form.querySelector(".text").value = `message ${i}.`;
      form.requestSubmit();
    }
  });
  const failed = await left.line("message 257.", "failed");
  assert.match(await failed.innerText(), /Not sent: Too much is waiting/);
  await screenshot(page, "failed");
  assert.deepEqual(await unlabelled(page), []);
  assert.deepEqual(await faint(page), []);
  await left.cut();
  await right.hears("message 256.");
  await left.line("message 258.", "failed").then((line) => line.getByText("Remove").click());
  await failed.getByText("Try again").click();
  await left.line("message 257.", "settled");
  await right.hears("message 257.");
  assert.equal(await left.lines.filter({ hasText: "message 258." }).count(), 0);
  assert.equal(await left.pane.locator(".log .failed").count(), 0);
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
    for (const transport of ["poll", "stream", "sse"]) {
      await left.change(transport);
      await left.figures(transport);
    }
    await left.cut();
    await left.disconnected();
    await left.say("Written while there is no connection");
    await left.line("Written while", "pending");
    await screenshot(page, name);
    assert.deepEqual(await tooWide(page), []);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= page.viewportSize().width, `the page is ${width} wide`);
    assert.deepEqual(await unlabelled(page), []);
    assert.deepEqual(await faint(page), []);
    await close();
  });
}

/** What does not fit into its pane. */
function tooWide(page) {
  return page.evaluate(() =>
    [...document.querySelectorAll(".pane > *, .pane table *")]
      .filter((one) => {
        const inner = one.closest(".pane").getBoundingClientRect();
        const { left, right } = one.getBoundingClientRect();
        return left < inner.left || right > inner.right;
      })
      .map((one) => one.outerHTML.slice(0, 80)),
  );
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
