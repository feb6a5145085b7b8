/**
 * Where in its words the agent is. The words arrive before their sound, a sentence at a time; nobody tells which is being spoken, so
 * it is estimated from how fast this voice has spoken before. What was heard of an interrupted reply is not estimated: the server tells.
 */

const FIRST_GUESS_PER_S = 15;

export class Pace {
  #perSecond = FIRST_GUESS_PER_S;
  #spokenMs = 0;
  /** When it last began to sound; null while it does not. */
  #since = null;
  #held = false;

  /** Another reply is coming; nothing of it has sounded. */
  reset() {
    this.#spokenMs = 0;
    this.#since = null;
    this.#held = false;
  }

  /** The reply begins to sound. */
  start(nowMs) {
    this.reset();
    this.#since = nowMs;
  }

  /** The agent is held, so that it is silent; or no longer. */
  hold(held, nowMs) {
    if (held === this.#held || (held && this.#since === null)) return;
    this.stop(nowMs);
    this.#since = held ? null : nowMs;
    this.#held = held;
  }

  /** It was spoken to its end: `characters` of it. Next time we know better. */
  finish(characters, nowMs) {
    this.stop(nowMs);
    const seconds = this.#spokenMs / 1000;
    if (seconds > 1 && characters > 10) {
      const measured = Math.min(30, Math.max(6, characters / seconds));
      this.#perSecond += (measured - this.#perSecond) / 2;
    }
  }

  /** It sounds no more; where it was stays known until the next reply. */
  stop(nowMs) {
    this.#spokenMs = this.#elapsedMs(nowMs);
    this.#since = null;
    this.#held = false;
  }

  /** Characters of `text` spoken by now, to the end of a word. */
  spoken(text, nowMs) {
    const at = Math.round((this.#elapsedMs(nowMs) / 1000) * this.#perSecond);
    if (at === 0) return 0;
    const end = text.indexOf(" ", at);
    return end < 0 ? text.length : end;
  }

  #elapsedMs(nowMs) {
    return this.#spokenMs + (this.#since === null ? 0 : nowMs - this.#since);
  }
}
