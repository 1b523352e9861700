/** Limits in time for requests, and pauses between them. Everything ends with a signal. */

/** What has a limit. It calls `inTime` when the limit is kept, and may then go on for longer. */
export type Limited<T> = (signal: AbortSignal, inTime: () => void) => Promise<T>;

/** Runs `run` with a signal that is aborted after `ms` milliseconds, or with `outer`. */
export async function within<T>(outer: AbortSignal, ms: number, run: Limited<T>): Promise<T> {
  const inner = new AbortController();
  const stop = () => inner.abort(outer.reason);
  const timer = setTimeout(() => inner.abort(new Error("There was no answer in time.")), ms);
  outer.addEventListener("abort", stop);
  if (outer.aborted) {
    stop();
  }
  try {
    return await run(inner.signal, () => clearTimeout(timer));
  } finally {
    clearTimeout(timer);
    outer.removeEventListener("abort", stop);
  }
}

/** Waits for `ms` milliseconds, or until `signal` is aborted. */
export type Pause = (ms: number, signal: AbortSignal) => Promise<void>;

/** A pause of real time. */
export const pause: Pause = (ms, signal) =>
  new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    if (signal.aborted) {
      end();
    }
  });
