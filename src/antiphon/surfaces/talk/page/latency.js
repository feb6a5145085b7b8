/** Where the time of a turn goes, as the server sees it: from the visitor's last sound to the first of the answer. */

export class Latency {
  /** `talk.turn` of the turn that is under way or was the last, and when it came (performance.now); null: nothing to tell. */
  #times = null;
  #cameMs = 0;

  /** Whether the answer is heard now, and all is known of its turn. */
  take(event, nowMs) {
    if (event.type !== "talk.turn") return false;
    this.#times = event.stopped_ms === null ? null : event;
    this.#cameMs = nowMs;
    return event.heard_ms !== null;
  }

  /** [[name, ms, whether it still grows]], in order; empty where there is nothing to tell. */
  stages(nowMs) {
    if (!this.#times) return [];
    const { at_ms, stopped_ms, closed_ms, token_ms, heard_ms } = this.#times;
    const steps = [["deciding", closed_ms], ["model", token_ms], ["voice", heard_ms]];
    const stages = [];
    let from = stopped_ms;
    for (const [name, until] of steps) {
      // An answer that was begun early has its first words before the turn is over.
      const reached = until !== null && (name !== "model" || closed_ms !== null);
      const to = Math.max(from, reached ? until : at_ms + nowMs - this.#cameMs);
      stages.push([name, Math.round(to - from), !reached]);
      if (!reached) break;
      from = to;
    }
    return stages;
  }
}
