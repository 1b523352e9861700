/** The golden transcripts, with the arrows swapped: they are the protocol's specification. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { json } from "../src/codec/json.js";
import { proto } from "../src/codec/proto.js";
import { read } from "../src/codec/proto/message.js";
import { COMMAND } from "../src/codec/proto/schema.js";
import { Reader } from "../src/codec/proto/varint.js";
import type { Command, Draft } from "../src/wire.js";
import { Replay } from "./replay.js";
import { parseTranscript, transcripts, type Step } from "./transcript.js";

for (const [name, text] of transcripts("native-json")) {
  test(`native-json/${name} is played`, () => {
    const replay = new Replay();
    const steps = parseTranscript(text);
    replay.play(steps);
    const frames = steps.filter(({ kind }) => kind === "<").length;
    assert.ok(replay.sent > 0, "the session sent something");
    assert.ok(replay.given >= frames / 3, `${replay.given} of ${frames} events were given`);
  });
}

for (const [name, text] of transcripts("native-proto")) {
  test(`native-proto/${name} means what its remarks say`, () => {
    for (const { kind, text: frame, remarks } of remarked(text)) {
      const bytes = Uint8Array.from(Buffer.from(frame, "hex"));
      if (kind === "<") {
        const said = json.decode(remarks.join("\n"));
        assert.deepEqual(proto.decode(bytes).map(shown), said.map(shown));
      } else {
        const written = remarks.map((remark) => proto.encode(commandOf(remark)));
        assert.deepEqual(messages(proto.join(written) as Uint8Array), messages(bytes));
      }
    }
  });
}

interface Remarked extends Step {
  readonly remarks: string[];
}

/** The frames of a binary transcript, each with the JSON of the remarks above it. */
function remarked(text: string): Remarked[] {
  const lines = text.split("\n");
  const steps = parseTranscript(text).filter((step) => step.kind === ">" || step.kind === "<");
  return (steps as Step[]).flatMap((step) => {
    const remarks: string[] = [];
    for (let at = step.line - 2; lines[at]?.startsWith("# {"); at--) {
      remarks.unshift(lines[at]?.slice(2) ?? "");
    }
    return remarks.length > 0 && remarks.every(isCommandOrEvent) ? [{ ...step, remarks }] : [];
  });
}

function isCommandOrEvent(remark: string): boolean {
  try {
    const { id, ...rest } = JSON.parse(remark) as { id?: unknown };
    return Object.keys(rest).length === 1 && (id === undefined || typeof id === "number");
  } catch {
    return false;
  }
}

/** What a reader sees: Protobuf writes out what JSON leaves away, and the other way round. */
function shown(value: unknown): unknown {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map(shown);
  }
  const kept = Object.entries(value).filter(([, one]) => one !== false && one !== "" && one !== 0);
  return Object.fromEntries(kept.map(([key, one]) => [key, shown(one)]));
}

function commandOf(remark: string): Command {
  const { id = 0, ...rest } = JSON.parse(remark) as { id?: number };
  const [[name, body]] = Object.entries(rest) as [[Command["name"], unknown]];
  return { id, name, body: name === "publish" ? draftOf(remark) : body } as Command;
}

/** The data as the remark has it, to the letter. */
function draftOf(remark: string): Draft {
  const {
    data: _,
    bytes,
    ...rest
  } = (JSON.parse(remark) as { publish: Draft & { data: unknown; bytes?: unknown } }).publish;
  const [, text] = /"data":(.*?)(?:,"(?:name|ref|tags|key)":.*)?\}\}$/s.exec(remark) ?? [];
  const decoded = typeof bytes === "string" ? Uint8Array.from(Buffer.from(bytes, "base64")) : null;
  return decoded === null
    ? { ...rest, ...(text === undefined ? {} : { json: text }) }
    : { ...rest, bytes: decoded };
}

function messages(frame: Uint8Array): unknown[] {
  const all: unknown[] = [];
  for (const reader = new Reader(frame); !reader.done;) {
    all.push(read(COMMAND, reader.delimited()));
  }
  return all;
}
