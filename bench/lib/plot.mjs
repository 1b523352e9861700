/**
 * Bars as SVG. Colours and letters are such that they can be read on a white page and on a dark one, and nothing is
 * painted behind them. Knows nothing of what it shows.
 */
import { written } from "./figures.mjs";

export const width = 760;
const left = 190;
const right = 76;
const bar = 13;
const gap = 10;
const top = 62;
const ours = ["#2f81f7", "#7db3fb"];
const theirs = ["#8a8f98", "#b9bdc4"];
export const ink = "#7a828c";

/**
 * Horizontal bars: a group for each name, with a bar for each series in it. `ours` says which names are martlet's. With
 * `log` each step to the right is a multiple.
 */
export function bars({ title, unit, series, groups, log = false }) {
  const scale = scaled(groups.flatMap(({ values }) => values).filter(Number.isFinite), log);
  const high = series.length * bar + gap;
  const height = top + groups.length * high + 30;
  const parts = [
    text(left, 20, title, { size: 15, weight: 600 }),
    ...series.flatMap((name, at) => legend(name, at)),
    ...scale.ticks.flatMap((tick) => grid(tick, scale.at(tick), height)),
    text(width - 4, 40, unit, { anchor: "end" }),
    ...groups.flatMap((group, index) => drawn(group, top + index * high, scale)),
  ];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
    `role="img" font-family="system-ui, sans-serif"><title>${escaped(title)}</title>\n${parts.join("\n")}\n</svg>\n`
  );
}

/** Where a value is, and which values get a line. */
function scaled(values, log) {
  const most = Math.max(...values, 0.001);
  const room = width - left - right;
  if (!log) {
    const step = roundStep(most / 5);
    const ticks = Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step);
    return { ticks, at: (value) => left + (value / most) * room };
  }
  const first = Math.floor(Math.log10(Math.min(...values)));
  const last = Math.log10(most);
  const ticks = Array.from({ length: Math.floor(last) - first + 1 }, (_, index) => 10 ** (first + index));
  return { ticks, at: (value) => left + ((Math.log10(value) - first) / (last - first)) * room };
}

/** 1, 2 or 5 times a power of ten. */
function roundStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find((times) => times * power >= rough) * power;
}

function drawn({ name, values, ours: own }, y, scale) {
  const middle = y + (values.length * bar) / 2 + 4;
  const colours = own ? ours : theirs;
  const label = text(left - 8, middle, name, { anchor: "end", weight: own ? 600 : 400, size: 12 });
  return [label, ...values.map((value, at) => oneBar(value, y + at * bar, colours[at % 2], scale))];
}

function oneBar(value, y, colour, scale) {
  if (!Number.isFinite(value)) return text(left + 4, y + bar - 3, "not measured");
  const end = Math.max(scale.at(value), left + 1);
  const shape = `<rect x="${left}" y="${y}" width="${tenth(end - left)}" height="${bar - 2}" rx="1.5" fill="${colour}"/>`;
  return shape + text(tenth(end + 5), y + bar - 3, written(value));
}

function grid(tick, x, height) {
  const line = `<line x1="${tenth(x)}" y1="${top - 8}" x2="${tenth(x)}" y2="${height - 22}" stroke="${ink}" stroke-opacity="0.3"/>`;
  return [line, text(tenth(x), height - 8, Number(tick.toPrecision(3)), { anchor: "middle" })];
}

function legend(name, at) {
  const x = left + at * 190;
  const box = (colour, shift) => `<rect x="${x + shift}" y="31" width="10" height="10" fill="${colour}"/>`;
  return [box(ours[at % 2], 0), box(theirs[at % 2], 12), text(x + 28, 40, name)];
}

export function text(x, y, words, { anchor = "start", size = 11, weight = 400 } = {}) {
  return (
    `<text x="${x}" y="${y}" text-anchor="${anchor}" font-size="${size}" font-weight="${weight}" fill="${ink}">` +
    `${escaped(String(words))}</text>`
  );
}

export function tenth(value) {
  return Math.round(value * 10) / 10;
}

export function escaped(words) {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
