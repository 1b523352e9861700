/**
 * Typed events. Listeners are called in the order they came; one that throws does not keep the
 * others from hearing.
 */

/** What is told when something happens. */
export type Listener<T> = (event: T) => void;

/** Something that tells listeners about events. `Events` maps names to what is told. */
export class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, Set<Listener<never>>>();

  /** Calls `listener` at every `name`. Returns the way to stop that. */
  on<K extends keyof Events>(name: K, listener: Listener<Events[K]>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => this.off(name, listener);
  }

  /** Calls `listener` at the next `name` only. */
  once<K extends keyof Events>(name: K, listener: Listener<Events[K]>): () => void {
    const off = this.on(name, (event) => {
      off();
      listener(event);
    });
    return off;
  }

  /** Calls `listener` no more. */
  off<K extends keyof Events>(name: K, listener: Listener<Events[K]>): void {
    this.#listeners.get(name)?.delete(listener);
  }

  /** Tells everyone who listens to `name`. For the client's own use. */
  protected emit<K extends keyof Events>(name: K, event: Events[K]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        (listener as Listener<Events[K]>)(event);
      } catch (error) {
        // The application's mistake belongs where it watches for uncaught errors, not in here.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
