/** How long the route waits for what, in milliseconds. Numbers, and the reasons for them. */

/** How long a way may be alone in the race, unless measured: about two round trips far away. */
const HEDGE = { first: 300, min: 100, max: 3_000 };
/**
 * After how long the first request of a stream or of polls is made anew beside the one that is not
 * answered, when there is nothing else to begin: it may have gone into a connection that was kept
 * from before the network was lost, and is dead without anybody's knowing.
 */
const AGAIN = 3_000;
/**
 * How long an open WebSocket lets a stream go first that may be about to speak, and a stream that
 * works a WebSocket that may be about to open: as long as it took itself, within these.
 */
const COURTESY = { min: 50, max: 1_000 };
/** How long the old way may take to deliver its last, when a new one has taken over. */
export const DRAIN = 500;
/** How long a new way may take to speak, when the server has closed the old one for it. */
export const PATIENCE = 3_000;
/** The same while the old one goes on. Others that are better, too, wait for so long. */
export const MUTE = 10_000;
/** Between tries of a better transport. */
export const TRY = { min: 30_000, max: 300_000 };
/** A way that has not opened for so long is begun anew at the next try. */
export const STALE = 10_000;
/** A way that was lost sooner than this is not to be relied on here. */
export const RELIABLE = 30_000;

/** How long a way may be alone in the race where connecting took so long the last times. */
export function hedgeOf(took: number | undefined, isLast: boolean): number {
  if (isLast) {
    return AGAIN;
  }
  const twice = took === undefined ? HEDGE.first : 2 * took;
  return Math.min(Math.max(twice, HEDGE.min), HEDGE.max);
}

/** How long one that took so long itself lets another go first. */
export function courtesyOf(took: number): number {
  return Math.min(Math.max(took, COURTESY.min), COURTESY.max);
}
