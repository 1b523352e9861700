/**
 * The page at `/`: a name, a room, and two panes that are two clients. What a pane does is in
 * `pane.ts`; here they are put together and told where to go.
 */

import { Birdsong } from "./birdsong.js";
import { showCommands } from "./elsewhere.js";
import { Pane } from "./pane.js";

const NAMES = ["Swift", "Swallow", "Martin", "Wren", "Tern", "Plover", "Kestrel", "Lark"];
const STORED_NAME = "martlet.name";

function find<E extends HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (found === null) {
    throw new Error(`the page has no #${id}`);
  }
  return found as E;
}

const nameField = find<HTMLInputElement>("name");
const roomField = find<HTMLInputElement>("room");

/** The room that the address names. */
function roomOfAddress(): string {
  try {
    return decodeURIComponent(location.hash.slice(1)).trim() || "lobby";
  } catch {
    return location.hash.slice(1);
  }
}

/** A browser may refuse to remember anything; then there is a new name each time. */
function rememberedName(): string {
  const fresh = NAMES[Math.floor(Math.random() * NAMES.length)] ?? "Swift";
  try {
    return localStorage.getItem(STORED_NAME) ?? fresh;
  } catch {
    return fresh;
  }
}

function rememberName(name: string): void {
  try {
    localStorage.setItem(STORED_NAME, name);
  } catch {
    // It is forgotten, then.
  }
}

nameField.value = rememberedName();
const template = find<HTMLTemplateElement>("pane");
/** What the user is called. */
const name = () => nameField.value.trim() || "somebody";
const panes = [
  new Pane(template, { title: "Left wing", transport: "websocket", name }),
  new Pane(template, { title: "Right wing", transport: "sse", name }),
];
find("panes").append(...panes.map(({ element }) => element));

new Birdsong(find("birdsong"), (text) => {
  const whole = panes.find((pane) => !pane.cut) ?? panes[0];
  void whole?.sing(text);
});

function enterRoom(): void {
  const room = roomOfAddress();
  roomField.value = room;
  document.title = `${room} · martlet`;
  panes.forEach((pane) => pane.enter(room));
  showCommands(find("commands"), room);
}

find("who").addEventListener("submit", (event) => {
  event.preventDefault();
  rememberName(name());
  location.hash = encodeURIComponent(roomField.value.trim());
});
nameField.addEventListener("change", () => rememberName(name()));
addEventListener("hashchange", enterRoom);
enterRoom();
