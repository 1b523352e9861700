/**
 * Which transports to open, and in what order: what works here first, then what is unknown, then
 * what fails; within each, what the application prefers. Decides, and remembers nothing.
 */

import type { TransportName } from "../transport.js";
import type { Standing } from "./memory.js";

/** What to begin with, and what to begin later beside it. */
export interface Plan {
  readonly now: readonly TransportName[];
  readonly later: readonly TransportName[];
}

/** What a plan is made from. */
export interface Situation {
  /** The transports there are, the preferred first. */
  readonly names: readonly TransportName[];
  standing(name: TransportName): Standing;
  /** What carried the session when the server asked to come back: go on with it. */
  readonly steady: TransportName | undefined;
  /** What carried the session when it was lost: not to be relied on alone. */
  readonly doubted: TransportName | undefined;
}

/**
 * A WebSocket that nothing is known of may be dropped without a word, so something else is begun
 * beside it at once. What is known to work is begun alone.
 */
export function planOf(situation: Situation): Plan {
  const { steady, doubted, standing } = situation;
  const names = inOrder(situation);
  const [first, ...rest] = names;
  if (first === undefined) {
    return { now: [], later: [] };
  }
  const alone = first === steady || (standing(first) === "works" && first !== doubted);
  const risky = first === "websocket" || first === doubted;
  const beside = !alone && risky ? 1 : 0;
  return { now: [first, ...rest.slice(0, beside)], later: rest.slice(beside) };
}

function inOrder({ names, standing, steady }: Situation): TransportName[] {
  const good = names.filter((name) => standing(name) !== "fails");
  const bad = names.filter((name) => standing(name) === "fails");
  const [first, ...others] = good;
  // Beside or behind the preferred one, what is known to work comes before what is not.
  const known = others.filter((name) => standing(name) === "works");
  const unknown = others.filter((name) => standing(name) !== "works");
  const sorted = [...(first === undefined ? [] : [first]), ...known, ...unknown, ...bad];
  const isSteady = (name: TransportName) => name === steady;
  return [...sorted.filter(isSteady), ...sorted.filter((name) => !isSteady(name))];
}

/**
 * The transports that would serve better than `name`: those that the application prefers. One
 * stream is as good as another, and not worth moving for.
 */
export function betterThan(names: readonly TransportName[], name: TransportName): TransportName[] {
  const preferred = names.slice(0, Math.max(0, names.indexOf(name)));
  return preferred.filter((other) => kindOf(other) !== kindOf(name));
}

function kindOf(name: TransportName): string {
  return name === "sse" || name === "stream" ? "streaming" : name;
}
