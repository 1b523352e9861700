/** The table of targets, as text for a terminal and as Markdown. */
import { written } from "./figures.mjs";
import { judged } from "./targets.mjs";

/** For a terminal: a line for each target, and what the others came to below it. */
export function table(results) {
  const rows = judged(results).map((row) => ({ ...row, ...told(row) }));
  const width = (key) => Math.max(...rows.map((row) => [...row[key]].length));
  const [figure, target, value] = ["figure", "target", "value"].map(width);
  const lines = rows.map((row) => {
    const line = plain(`${row.figure.padEnd(figure)}  ${row.target.padEnd(target)}  ${row.value.padStart(value)}  ${row.verdict}`);
    return !row.beside ? line : `${line}\n    in the same run: ${row.beside}`;
  });
  return `${lines.join("\n")}\n${summary(results)}\n`;
}

/** For the document. */
export function markdownTable(results) {
  const rows = judged(results).map((row) => ({ ...row, ...told(row) }));
  const lines = rows.map((row) => `| ${row.figure} | ${row.target} | ${row.value} | ${row.verdict} | ${row.beside} |`);
  return ["| figure | target | measured | met? | the others in the same run |", "| --- | --- | --- | --- | --- |", ...lines].join("\n");
}

/** How many targets there are, and how many are met. */
export function summary(results) {
  const rows = judged(results);
  const count = (what) => rows.filter(({ met }) => met === what).length;
  const rest = count(undefined) === 0 ? "" : `; ${count(undefined)} not measured`;
  return `${count(true)} of ${rows.length} targets are met, ${count(false)} missed${rest}.`;
}

function told({ measured, unit, met }) {
  if (met === undefined) return { value: "–", verdict: "not measured" };
  return { value: `${written(measured)} ${unit}`, verdict: met ? "yes" : "**no**" };
}

function plain(markdown) {
  return markdown.replaceAll(/[`*]/g, "");
}
