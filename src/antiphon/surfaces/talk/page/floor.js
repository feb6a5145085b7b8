/** Whose floor it is, read from the server's events and from nothing else. */

export class Floor {
  speaking = false;
  /** Whether the agent is silent for a moment, to hear whether the visitor cuts in. */
  held = false;
  /** Whether the agent can be heard now. */
  audible = false;
  /** Whether a response is being made. */
  responding = false;
  /** Whether one is due: the visitor has finished, and no answer has begun. */
  due = false;
  /** Whether what was said wants none: "mhm", while the agent speaks. Told before the visitor's silence is. */
  #idle = false;

  /** "you", "held", "agent", "thinking" or "nobody". Whoever speaks over the agent has the floor. */
  get holder() {
    if (this.speaking) return "you";
    if (this.held) return "held";
    if (this.audible) return "agent";
    return this.responding || this.due ? "thinking" : "nobody";
  }

  /** The visitor typed something that wants an answer. */
  asked() {
    this.due = true;
  }

  take(event) {
    switch (event.type) {
      case "input_audio_buffer.speech_started":
        this.speaking = true;
        break;
      case "input_audio_buffer.speech_stopped":
      case "input_audio_buffer.committed":
        this.due = !this.#idle;
        this.speaking = false;
        break;
      case "talk.turn":
        this.#idle = event.stopped_ms === null && event.closed_ms === null;
        if (this.#idle) this.due = false;
        break;
      case "input_audio_buffer.cleared":
        this.due = this.speaking = false;
        break;
      case "conversation.item.input_audio_transcription.completed":
        // A cough is committed, too, and nobody answers it.
        if (!event.transcript.trim()) this.due = false;
        break;
      case "response.created":
        this.responding = true;
        this.due = false;
        break;
      case "response.done":
        this.responding = false;
        break;
      case "output_audio_buffer.started":
        this.audible = true;
        break;
      case "talk.held":
        this.held = true;
        break;
      case "talk.resumed":
      case "talk.interrupted":
        this.held = false;
        break;
      case "output_audio_buffer.stopped":
      case "output_audio_buffer.cleared":
        this.audible = this.held = false;
        break;
      case "error":
        this.due = false;
        break;
    }
  }
}
