/**
 * News of the page the client runs in: the network came or went, the page was shown again or woke
 * up. Each is a reason to look whether the connection still lives. In Node there is no such news.
 */

/** Calls `wake` at such news. Returns the way to stop that. */
export function watchPage(wake: () => void): () => void {
  const page = globalThis as Partial<Window & typeof globalThis>;
  const { addEventListener, document } = page;
  if (addEventListener === undefined || document === undefined) {
    return () => undefined;
  }
  const stop = new AbortController();
  const { signal } = stop;
  const shown = () => {
    if (document.visibilityState === "visible") {
      wake();
    }
  };
  addEventListener.call(page, "online", wake, { signal });
  addEventListener.call(page, "offline", wake, { signal });
  addEventListener.call(page, "pageshow", shown, { signal });
  document.addEventListener("resume", wake, { signal });
  document.addEventListener("visibilitychange", shown, { signal });
  return () => stop.abort();
}
