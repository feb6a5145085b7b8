/** What happened beside the words: the agent held, interrupted or gone on, its tools, and where the time of a turn went. */

/** Of all conversations since the page was opened: each mark has an id of its own. */
let count = 0;

export class Marks {
  #transcript;
  /** The hold that is not decided yet, and the tools that run: marks of the transcript. */
  #hold = null;
  #tools = new Map();

  constructor(transcript) {
    this.#transcript = transcript;
  }

  take(event) {
    switch (event.type) {
      case "talk.held":
        this.#hold ??= this.#add({ kind: "hold", state: "held", ms: 0 }, this.#besideAgent());
        break;
      case "talk.resumed":
        this.#decide({ state: "resumed", ms: event.held_ms });
        break;
      case "talk.interrupted":
        this.#decide({ state: "interrupted", ms: event.heard_ms });
        break;
      case "conversation.item.truncated": // by a typed word, say, before it was decided
        if (this.#hold) this.#decide({ state: "interrupted", ms: event.audio_end_ms });
        break;
      case "talk.tool":
        this.#tools.set(event.id, this.#add({ kind: "tool", state: "running", name: event.name, words: event.arguments ?? "", ms: 0 }));
        break;
      case "talk.tool_done":
        this.#finish(event);
        break;
    }
  }

  /** The answer is heard: the stages of its turn (`Latency`), under what was asked. */
  heard(stages) {
    const asked = this.#transcript.lines.findLast(({ who }) => who === "you");
    this.#add({ kind: "times", stages, ms: stages.reduce((sum, [, ms]) => sum + ms, 0) }, asked);
  }

  /** There is another connection: what was under way is not told about any more. */
  back(ms) {
    this.#hold = null;
    this.#tools.clear();
    this.#add({ kind: "back", ms });
  }

  socket() {
    this.#add({ kind: "socket" });
  }

  #add(mark, after = null) {
    count += 1;
    return this.#transcript.mark({ id: `mark ${count}`, ...mark }, after);
  }

  #decide(change) {
    const hold = this.#hold;
    this.#hold = null;
    if (hold) this.#transcript.changeMark(hold, change);
    else this.#add({ kind: "hold", ...change }, this.#besideAgent());
  }

  /** What a mark of the agent's answer follows: it stands before the words that came over it, whichever was told first. */
  #besideAgent() {
    const { lines } = this.#transcript;
    const agent = lines.findLastIndex(({ who }) => who === "agent");
    const over = lines.findIndex(({ who }, at) => at > agent && who === "you");
    return over < 0 ? null : lines[over - 1];
  }

  #finish({ id, outcome, lasted_ms: ms }) {
    const tool = this.#tools.get(id);
    this.#tools.delete(id);
    if (tool) this.#transcript.changeMark(tool, { state: outcome, ms });
  }
}
