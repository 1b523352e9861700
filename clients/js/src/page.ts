/**
 * News of the page the client runs in: the network came, went or changed, the page was shown again
 * or woke up, or is being put away. In Node there is no such news.
 */

/** What there is to know. */
export interface PageEvents {
  /** A reason to look whether the connection still lives. */
  onwake(): void;
  /** The page is put away, perhaps to be shown again: what is open would stand in the way. */
  onfreeze(): void;
}

/** Whether nobody sees the page, so that there is no hurry. */
export function isHidden(): boolean {
  const { document } = globalThis as { document?: { visibilityState?: string } };
  return document?.visibilityState === "hidden";
}

/** Tells such news. Returns the way to stop that. */
export function watchPage({ onwake, onfreeze }: PageEvents): () => void {
  const page = globalThis as Partial<Window & typeof globalThis>;
  const { addEventListener, document, navigator } = page;
  if (addEventListener === undefined || document === undefined) {
    return () => undefined;
  }
  const stop = new AbortController();
  const { signal } = stop;
  const shown = () => (isHidden() ? undefined : onwake());
  const { connection } = (navigator ?? {}) as { connection?: Partial<EventTarget> };
  connection?.addEventListener?.("change", onwake, { signal });
  addEventListener.call(page, "online", onwake, { signal });
  addEventListener.call(page, "offline", onwake, { signal });
  addEventListener.call(page, "pagehide", onfreeze, { signal });
  addEventListener.call(page, "pageshow", shown, { signal });
  document.addEventListener("freeze", onfreeze, { signal });
  document.addEventListener("resume", onwake, { signal });
  document.addEventListener("visibilitychange", shown, { signal });
  return () => stop.abort();
}
