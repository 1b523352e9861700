/** The button that cuts a pane's cable, and mends it by itself after a while. */

import type { Cable } from "./cable.js";

/** How long a cut lasts unless it is mended before, in seconds. */
const CUT_SECONDS = 6;

/** The cutter of one cable. */
export class Cutter {
  readonly #button: HTMLElement;
  readonly #cable: Cable;
  readonly #oncut: () => void;
  #left = 0;

  /** `oncut` is called right before the cable is cut. */
  constructor(button: HTMLElement, cable: Cable, oncut: () => void) {
    this.#button = button;
    this.#cable = cable;
    this.#oncut = oncut;
    button.addEventListener("click", () => (this.isOpen ? this.#mend() : this.#cut()));
    this.#countDown();
  }

  /** Whether the cable is cut. */
  get isOpen(): boolean {
    return this.#left > 0;
  }

  #cut(): void {
    this.#left = CUT_SECONDS;
    this.#oncut();
    this.#cable.cut();
    this.#countDown();
  }

  #countDown(): void {
    this.#button.textContent = this.isOpen ? `Mend it (${this.#left} s)` : "Cut the connection";
    if (this.isOpen) {
      setTimeout(() => this.#tick(), 1_000);
    }
  }

  #tick(): void {
    if (!this.isOpen) {
      return;
    }
    this.#left -= 1;
    if (this.isOpen) {
      this.#countDown();
    } else {
      this.#mend();
    }
  }

  /** The client finds out by itself; the news that a network is back shortens its wait. */
  #mend(): void {
    this.#left = 0;
    this.#countDown();
    this.#cable.mend();
    window.dispatchEvent(new Event("online"));
  }
}
