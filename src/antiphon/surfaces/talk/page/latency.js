/** Where the time of a turn goes, as this page sees it: from when the server notices the visitor's silence to the first sound of the answer. */

export class Latency {
  /** When each step of the turn was reached (performance.now); null where it was not. */
  #stopped = null;
  #created = null;
  #words = null;
  #heard = null;

  take({ type }, nowMs) {
    switch (type) {
      case "input_audio_buffer.speech_started":
        // Who goes on had not finished.
        if (this.#heard !== null || this.#created === null) this.#begin(null);
        break;
      case "input_audio_buffer.speech_stopped":
        this.#begin(nowMs);
        break;
      case "response.created":
        if (this.#stopped !== null && this.#heard === null) this.#created = nowMs;
        break;
      case "response.output_audio_transcript.delta":
        if (this.#created !== null) this.#words ??= nowMs;
        break;
      case "output_audio_buffer.started":
        if (this.#created !== null) this.#heard ??= nowMs;
        break;
    }
  }

  /** The visitor typed: it is over at once. */
  asked(nowMs) {
    this.#begin(nowMs);
  }

  #begin(nowMs) {
    this.#stopped = nowMs;
    this.#created = this.#words = this.#heard = null;
  }

  /** [[name, ms, whether it still grows]], in order; empty where there is nothing to tell. */
  stages(nowMs) {
    if (this.#stopped === null) return [];
    const steps = [["deciding", this.#created], ["model", this.#words], ["voice", this.#heard]];
    const stages = [];
    let from = this.#stopped;
    for (const [name, until] of steps) {
      stages.push([name, Math.round((until ?? nowMs) - from), until === null]);
      if (until === null) break;
      from = until;
    }
    return stages;
  }
}
