/** A small plot of round trips: the last minute, with a shade where there was no connection. */

const SAMPLES = 60;
const WIDTH = 240;
const HEIGHT = 36;
const SVG = "http://www.w3.org/2000/svg";

/** One plot, drawn into an `svg` element of 240 by 36. */
export class Plot {
  readonly #svg: SVGElement;
  #samples: (number | undefined)[] = [];

  constructor(svg: SVGElement) {
    this.#svg = svg;
  }

  /** Adds a round trip in milliseconds; `undefined` for a moment without connection. */
  add(time: number | undefined): void {
    this.#samples = [...this.#samples, time].slice(-SAMPLES);
    this.#draw();
  }

  #draw(): void {
    const times = this.#samples.filter((time) => time !== undefined);
    const top = Math.max(1, ...times) * 1.15;
    const x = (index: number) => (index + SAMPLES - this.#samples.length) * (WIDTH / (SAMPLES - 1));
    const y = (time: number) => HEIGHT - 1 - (time / top) * (HEIGHT - 2);
    const base = element("line", { x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 });
    const shades = this.#samples.flatMap((time, index) => (time === undefined ? [x(index)] : []));
    const width = WIDTH / (SAMPLES - 1);
    const runs = this.#runs().map((run) =>
      element("polyline", { points: run.map(([i, time]) => `${x(i)},${y(time)}`).join(" ") }),
    );
    this.#svg.replaceChildren(
      base,
      ...shades.map((at) => element("rect", { x: at - width / 2, y: 0, width, height: HEIGHT })),
      ...runs,
    );
    this.#svg.setAttribute("aria-label", summary(times));
  }

  /** Neighbouring samples with a connection. */
  #runs(): [number, number][][] {
    const runs: [number, number][][] = [[]];
    this.#samples.forEach((time, index) => {
      if (time === undefined) {
        runs.push([]);
      } else {
        runs.at(-1)?.push([index, time]);
      }
    });
    return runs.filter((run) => run.length > 1);
  }
}

function element(name: string, attributes: Record<string, number | string>): SVGElement {
  const made = document.createElementNS(SVG, name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, String(value)));
  return made;
}

function summary(times: number[]): string {
  const last = times.at(-1);
  if (last === undefined) {
    return "No round trip measured yet";
  }
  const most = formatTime(Math.max(...times));
  return `Round trips of the last minute, ${formatTime(last)} now, ${most} at most`;
}

/** A time as people read it. */
export function formatTime(milliseconds: number): string {
  if (milliseconds >= 1_000) {
    return `${(milliseconds / 1_000).toFixed(1)} s`;
  }
  return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
}
