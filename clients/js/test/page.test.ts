/** News of the page and of sleep, in as much of a page as the client looks at. */

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { Naps } from "../src/naps.js";
import { networkTo, storageFor } from "../src/network.js";
import { isHidden, watchPage } from "../src/page.js";

interface Page {
  window: EventTarget;
  document: EventTarget & { visibilityState: string };
  connection: EventTarget & { type: string };
}

/** Makes the program believe that it runs in a page. */
function inPage(context: TestContext, more: object = {}): Page {
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const connection = Object.assign(new EventTarget(), { type: "wifi" });
  // The global object of Node is no event target, so its listeners go to `window`.
  const addEventListener = window.addEventListener.bind(window);
  const own = { document, addEventListener, navigator: { connection }, ...more };
  const before = Object.keys(own).map(
    (name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const,
  );
  for (const [name, value] of Object.entries(own)) {
    Object.defineProperty(globalThis, name, { value, configurable: true });
  }
  context.after(() => {
    for (const [name, descriptor] of before) {
      if (descriptor === undefined) {
        delete (globalThis as Record<string, unknown>)[name];
      } else {
        Object.defineProperty(globalThis, name, descriptor);
      }
    }
  });
  return { window, document, connection };
}

test("news of the page is told, until nobody wants it any more", (context) => {
  const { window, document, connection } = inPage(context);
  const told: string[] = [];
  const onwake = () => told.push("wake");
  const stop = watchPage({ onwake, onfreeze: () => told.push("freeze") });
  const fire = (target: EventTarget, name: string) => target.dispatchEvent(new Event(name));
  fire(window, "online");
  fire(window, "offline");
  fire(window, "pagehide");
  fire(window, "pageshow");
  fire(document, "freeze");
  fire(document, "resume");
  fire(connection, "change");
  assert.deepEqual(told, ["wake", "wake", "freeze", "wake", "freeze", "wake", "wake"]);
  document.visibilityState = "hidden";
  assert.ok(isHidden());
  fire(document, "visibilitychange");
  assert.equal(told.length, 7, "a page that is hidden has no hurry");
  document.visibilityState = "visible";
  fire(document, "visibilitychange");
  assert.equal(told.length, 8);
  stop();
  fire(window, "online");
  fire(connection, "change");
  assert.equal(told.length, 8);
});

test("outside of a page there is no news", () => {
  assert.equal(isHidden(), false);
  watchPage({ onwake: assert.fail as () => never, onfreeze: assert.fail as () => never })();
});

test("networks are told apart by the server and the kind of network", (context) => {
  assert.equal(networkTo("https://a.example/live"), "https://a.example");
  const { connection } = inPage(context);
  assert.equal(networkTo("https://a.example/live"), "https://a.example wifi");
  connection.type = "cellular";
  assert.equal(networkTo("https://b.example:8443"), "https://b.example:8443 cellular");
});

test("the storage is the application's, the page's, or none that lasts", (context) => {
  const own = { getItem: () => null, setItem: () => undefined };
  assert.equal(storageFor(own), own);
  const alone = storageFor(undefined);
  alone.setItem("a", "b");
  assert.equal(storageFor(undefined).getItem("a"), null);
  const localStorage = { ...own };
  inPage(context, { localStorage });
  assert.equal(storageFor(undefined), localStorage);
  assert.notEqual(storageFor(false), localStorage);
  Object.defineProperty(globalThis, "localStorage", {
    configurable: true,
    get: () => {
      throw new Error("forbidden");
    },
  });
  assert.equal(storageFor(undefined).getItem("a"), null);
});

test("sleep is noticed by late timers and by clocks that stood still", () => {
  const naps = new Naps();
  assert.equal(naps.handleTimer(0, 5, 1_000_005), false);
  assert.equal(naps.handleTimer(100, 9_000, 1_009_000), false, "merely busy");
  assert.equal(naps.handleTimer(10_000, 70_000, 1_070_000), true, "late");
  assert.equal(naps.handleTimer(70_010, 70_010, 1_670_010), true, "the clock stood still");
  assert.equal(naps.handleTimer(70_020, 70_020, 1_670_020), false);
  assert.equal(naps.handleTimer(70_030, 70_030, 70_030), false, "the clock was set back");
});
