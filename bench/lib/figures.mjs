/** Reads figures out of what `martlet bench --json` printed, and writes them for people. */

/** A server's entry in the results, of batches of one size where there are several. */
export function entry(output, server, batch) {
  return output?.results?.find((one) => one.server === server && (batch === undefined || one.batch === batch));
}

/**
 * A server's figure as a multiple of another's: `cpu`, `speed`, `p50` or `p99`, as medians over rounds. The output has
 * them beside its reference, and the quotient of two is that of the servers.
 */
export function ratio(output, server, other, figure, batch) {
  const of = (name) => {
    if (name === output?.reference) return 1;
    return output?.ratios?.find((one) => one.server === name && (batch === undefined || one.batch === batch))?.[figure];
  };
  const [one, two] = [of(server), of(other)];
  return Number.isFinite(one) && Number.isFinite(two) && two > 0 ? one / two : undefined;
}

/** A number with as many digits as say something. */
export function written(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 100) return grouped(Math.round(value));
  if (size >= 10) return value.toFixed(1);
  if (size >= 0.1 || size === 0) return value.toFixed(2);
  return value.toFixed(3);
}

/** A whole number with its thousands apart. */
export function grouped(value) {
  return Number.isFinite(value) ? String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",") : "–";
}

/** A time that came in microseconds, in milliseconds. */
export function milliseconds(microseconds) {
  return Number.isFinite(microseconds) ? microseconds / 1000 : undefined;
}

/** Bytes in KiB. */
export function kib(bytes) {
  return Number.isFinite(bytes) ? bytes / 1024 : undefined;
}
