/** Redis's time, as the events tell it: countdowns do not depend on the clock of the operator's computer. Pure. */

/** Events come every 5 s or more often: a step of Redis's clock is followed within a minute. */
const SAMPLES = 12;

export class ServerClock {
  /** @type {number[]} */
  #offsets = [];

  /**
   * @param {number} atMs what the event says
   * @param {number} localMs when it came, by a monotonic clock
   */
  heard(atMs, localMs) {
    this.#offsets.push(atMs - localMs);
    if (this.#offsets.length > SAMPLES) this.#offsets.shift();
  }

  /**
   * An event is late by its way, never early: the one that came fastest is right.
   *
   * @param {number} localMs
   * @returns {number | undefined} undefined before the first event
   */
  nowMs(localMs) {
    return this.#offsets.length === 0 ? undefined : localMs + Math.max(...this.#offsets);
  }
}
