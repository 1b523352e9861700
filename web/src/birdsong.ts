/** A voice that talks by itself, so that there is something to miss when a connection is cut. */

const SONG = [
  "A martlet is drawn without feet.",
  "It is said to sleep on the wing.",
  "Swifts come down only to nest.",
  "Ten months in the air without a rest.",
  "It drinks by skimming the water.",
  "The fourth son bears a martlet in his arms.",
  "No feet, so it never lands.",
  "High up, half of its brain sleeps at a time.",
  "Rain is flown around, not through.",
  "It knows the way back.",
];
const EVERY = 600;

/** Sings through `say` until it is stopped. */
export class Birdsong {
  readonly #button: HTMLElement;
  readonly #say: (text: string) => void;
  #timer: number | undefined;
  #verse = 0;

  constructor(button: HTMLElement, say: (text: string) => void) {
    this.#button = button;
    this.#say = say;
    button.addEventListener("click", () => this.#toggle());
  }

  #toggle(): void {
    if (this.#timer === undefined) {
      this.#timer = window.setInterval(() => this.#sing(), EVERY);
      this.#sing();
    } else {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    const singing = this.#timer !== undefined;
    this.#button.setAttribute("aria-pressed", String(singing));
    this.#button.textContent = singing ? "Stop birdsong" : "Start birdsong";
  }

  #sing(): void {
    this.#verse += 1;
    this.#say(`${this.#verse}. ${SONG[(this.#verse - 1) % SONG.length]}`);
  }
}
