/**
 * Lines over time as SVG, each step upwards ten times the last. Colours and letters as in plot.mjs. Knows nothing of
 * what it shows.
 */
import { grouped } from "./figures.mjs";
import { escaped, ink, tenth, text, width } from "./plot.mjs";

const height = 360;
const left = 76;
const right = 16;
const top = 64;
const bottom = 40;
const ours = "#2f81f7";
const theirs = ["#d1632a", "#8a8f98", "#2f9e6f", "#a371f7"];

/** `series` are `{ name, ours, points: [[seconds, value]] }`; whatever is below `least` lies on the ground. */
export function lines({ title, unit, seconds, least, series }) {
  const most = Math.max(...series.flatMap(({ points }) => points.map(([, value]) => value)), least * 10);
  const decades = Math.ceil(Math.log10(most / least));
  const ground = height - bottom;
  const x = (at) => left + (at / seconds) * (width - left - right);
  const y = (value) => ground - (Math.log10(Math.max(value, least) / least) / decades) * (ground - top);
  let used = 0;
  const coloured = series.map((one) => ({ ...one, colour: one.ours ? ours : theirs[used++ % theirs.length] }));
  const parts = [
    text(left, 20, title, { size: 15, weight: 600 }),
    text(width - right, 20, unit, { anchor: "end" }),
    ...coloured.flatMap(({ name, colour }, at) => legend(name, colour, at)),
    ...Array.from({ length: decades + 1 }, (_, power) => level(least * 10 ** power, y(least * 10 ** power))).flat(),
    ...Array.from({ length: Math.floor(seconds / 5) + 1 }, (_, five) => text(tenth(x(five * 5)), height - 20, `${five * 5} s`, { anchor: "middle" })),
    // Ours is drawn last, over the others.
    ...[...coloured].sort((one, other) => Number(one.ours ?? false) - Number(other.ours ?? false)).map((one) => drawn(one, { x, y, seconds })),
  ];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
    `role="img" font-family="system-ui, sans-serif"><title>${escaped(title)}</title>\n${parts.join("\n")}\n</svg>\n`
  );
}

function drawn({ points, colour }, { x, y, seconds }) {
  const seen = points.filter(([at]) => at <= seconds);
  const path = seen.map(([at, value]) => `${tenth(x(at))},${tenth(y(value))}`).join(" ");
  return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.8" stroke-linejoin="round"/>`;
}

function level(value, y) {
  const line = `<line x1="${left}" y1="${tenth(y)}" x2="${width - right}" y2="${tenth(y)}" stroke="${ink}" stroke-opacity="0.3"/>`;
  return [line, text(left - 8, tenth(y + 4), grouped(value), { anchor: "end" })];
}

function legend(name, colour, at) {
  const x = left + at * 150;
  return [`<rect x="${x}" y="34" width="12" height="10" rx="1.5" fill="${colour}"/>`, text(x + 18, 43, name)];
}
