/** Reads the golden transcripts of `vectors/`. Their README says what the lines mean. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** One thing that happens on a connection. */
export interface Step {
  readonly connection: number;
  readonly kind: "open" | "cut" | ">" | "<";
  /** The frame or event, for `>` and `<`. */
  readonly text: string;
  readonly line: number;
}

const LINE = /^(\d*)(open|cut|>>|>|<)(?: (.*))?$/;
const PASSED = /^\+(\d+)(ms|s|m|h)$/;
const UNIT: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Time passes. */
export interface Wait {
  readonly kind: "+";
  readonly time: number;
}

/** Everything that happens in one file, without what the client cannot see. */
export function parseTranscript(text: string): (Step | Wait)[] {
  const steps: (Step | Wait)[] = [];
  text.split("\n").forEach((line, index) => {
    const [, time, unit] = PASSED.exec(line) ?? [];
    const [, number, kind, rest = ""] = LINE.exec(line) ?? [];
    const last = steps.at(-1);
    if (time !== undefined && unit !== undefined) {
      steps.push({ kind: "+", time: Number(time) * (UNIT[unit] ?? 1) });
    } else if (kind === ">>" && last?.kind === ">") {
      steps[steps.length - 1] = { ...last, text: `${last.text}\n${rest}` };
    } else if (kind !== undefined) {
      const connection = Number(number === "" ? 1 : number);
      steps.push({ connection, kind: kind as Step["kind"], text: rest, line: index + 1 });
    }
  });
  return steps;
}

/** All transcripts of a folder, by file name. */
export function transcripts(folder: string): Map<string, string> {
  const root = join(import.meta.dirname, "../../../../vectors", folder);
  const names = readdirSync(root).filter((name) => name.endsWith(".txt"));
  return new Map(names.map((name) => [name, readFileSync(join(root, name), "utf8")]));
}
