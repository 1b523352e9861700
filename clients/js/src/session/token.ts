/** When tokens end and when to renew them. Reads a token's end; verifying is the server's part. */

/** The longest time before the end at which a token is renewed. */
const LEAD_MAX = 60_000;

/** When to renew what ends at `expires`: in its last fifth, and at most a minute early. */
export function refreshTime(now: number, expires: number): number {
  const left = Math.max(0, expires - now);
  return expires - Math.min(left / 5, LEAD_MAX);
}

/** The `exp` of a JWT in Unix milliseconds, or `undefined` when there is none to be read. */
export function expiryOf(token: string): number | undefined {
  const [, payload] = token.split(".");
  if (payload === undefined) {
    return undefined;
  }
  try {
    const text = atob(payload.replaceAll("-", "+").replaceAll("_", "/"));
    const exp = (JSON.parse(text) as { exp?: unknown } | null)?.exp;
    return typeof exp === "number" && Number.isFinite(exp) ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
