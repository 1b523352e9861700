/**
 * Notices that the computer slept: a timer comes much later than it was set for, or the time of
 * day went on while the clock of the program stood still. Told the times; has no clock.
 */

/** What is no longer a busy moment, in milliseconds. */
const LATE = 10_000;

/** The clocks of one client. */
export class Naps {
  #ahead: number | undefined;

  /**
   * A timer that was due at `due` has come. `now` is the clock that the timers go by, `wall` the
   * time of day. Returns whether the computer slept meanwhile.
   */
  handleTimer(due: number, now: number, wall: number): boolean {
    const ahead = wall - now;
    const before = this.#ahead ?? ahead;
    this.#ahead = ahead;
    return now - due > LATE || ahead - before > LATE;
  }
}
