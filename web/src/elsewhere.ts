/** The commands that write into the room and follow it from a terminal, ready to be copied. */

/** One command and what it does. */
interface Line {
  readonly does: string;
  readonly command: string;
}

/** Shows the commands for a room. */
export function showCommands(list: HTMLElement, room: string): void {
  const base = new URL(".", location.href).href.replace(/\/$/, "");
  list.replaceChildren(...lines(room, base).map(item));
}

function lines(room: string, base: string): Line[] {
  const word = quoted(room);
  const body = quoted(JSON.stringify({ channel: room, data: "hello" }));
  const query = encodeURIComponent(room);
  const own = base === "http://127.0.0.1:8000" || base === "http://localhost:8000";
  const at = own ? "" : ` --url ${base}`;
  return [
    {
      does: "Publish each line of a program",
      command: `vmstat 1 | martlet pub ${word} --lines${at}`,
    },
    { does: "Follow the room", command: `martlet sub ${word}${at}` },
    {
      does: "Publish with curl",
      command: `curl -d ${body} -H 'content-type: application/json' ${base}/v1/publish`,
    },
    { does: "Follow with curl", command: `curl -N '${base}/v1/sse?channel=${query}'` },
  ];
}

/** A text as one word of a shell. */
function quoted(text: string): string {
  return /^[\w:.@/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function item({ does, command }: Line): HTMLElement {
  const made = document.createElement("li");
  const label = document.createElement("span");
  label.textContent = does;
  const code = document.createElement("code");
  code.textContent = command;
  code.tabIndex = 0;
  made.append(label, code, copyButton(does, command));
  return made;
}

/** Where the page may not reach the clipboard, there is nothing to press. */
function copyButton(does: string, command: string): HTMLElement | string {
  if (navigator.clipboard === undefined) {
    return "";
  }
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy: ${does}`);
  button.addEventListener("click", () => {
    const done = (word: string) => () => (button.textContent = word);
    navigator.clipboard.writeText(command).then(done("Copied"), done("Not copied"));
    setTimeout(done("Copy"), 2_000);
  });
  return button;
}
