/**
 * What was said, line by line, read from the server's events. A line is
 * {id, who: "you" | "agent", text, done, cut, heard, unclear}: `cut` where the agent was interrupted, and `heard` then is the part
 * of `text` that left the loudspeaker, null while that is not known. `unclear` where speech got no words.
 */
export class Transcript {
  lines = [];
  #changed;
  #removed;

  /** `changed(line, before)` for a line that is new or different (`before`: the line it stands before, or null); `removed(line)`. */
  constructor(changed, removed) {
    this.#changed = changed;
    this.#removed = removed;
  }

  /** The visitor typed this. */
  typed(id, text) {
    this.#set(this.#line(id, "you"), { text, done: true });
  }

  /** The line the agent is on, if any. */
  get current() {
    return this.lines.findLast((line) => line.who === "agent" && !line.cut && line.text);
  }

  take(event) {
    // Handlers bear the names of their events, all of which have a dot in them; no other method has.
    if (event.type.includes(".")) this[event.type]?.(event);
  }

  // ------------------------------------------------------------------------------------------ the visitor

  "input_audio_buffer.speech_started"({ item_id }) {
    this.#forgetEmpty("you");
    this.#set(this.#line(item_id, "you"), {});
  }

  "conversation.item.input_audio_transcription.delta"({ item_id, delta }) {
    const line = this.#line(item_id, "you");
    this.#set(line, { text: line.text + (delta ?? "") });
  }

  "conversation.item.input_audio_transcription.completed"({ item_id, transcript }) {
    const text = transcript.trim();
    if (text) this.#set(this.#line(item_id, "you"), { text, done: true });
    else this.#remove(item_id);
  }

  "conversation.item.input_audio_transcription.failed"({ item_id }) {
    this.#set(this.#line(item_id, "you"), { unclear: true, done: true });
  }

  // ------------------------------------------------------------------------------------------ the agent

  "response.output_audio_transcript.delta"({ item_id, delta }) {
    const line = this.#line(item_id, "agent");
    this.#set(line, { text: line.text + delta });
  }

  "response.output_audio_transcript.done"({ item_id, transcript }) {
    this.#set(this.#line(item_id, "agent"), { text: transcript });
  }

  "response.output_text.delta"(event) {
    this["response.output_audio_transcript.delta"](event);
  }

  "response.output_text.done"({ item_id, text }) {
    this.#set(this.#line(item_id, "agent"), { text });
  }

  "response.done"({ response }) {
    for (const item of response.output) {
      const line = this.lines.find(({ id }) => id === item.id);
      if (line) this.#set(line, { done: true, cut: line.cut || response.status === "cancelled" });
    }
  }

  "conversation.item.truncated"({ item_id }) {
    const line = this.lines.find(({ id }) => id === item_id);
    if (line) this.#set(line, { done: true, cut: true });
  }

  /** Asked for after a truncation: the item as the conversation keeps it. */
  "conversation.item.retrieved"({ item }) {
    const line = this.lines.find(({ id }) => id === item.id);
    if (line?.cut) this.#set(line, { heard: textOf(item) });
  }

  // ------------------------------------------------------------------------------------------ both

  "conversation.item.added"({ item, previous_item_id }) {
    const who = { user: "you", assistant: "agent" }[item.role];
    if (item.type !== "message" || !who) return;
    const line = this.#line(item.id, who, previous_item_id);
    this.#set(line, { text: textOf(item) || line.text });
  }

  "conversation.item.done"({ item }) {
    const line = this.lines.find(({ id }) => id === item.id);
    if (!line) return;
    // Speech is done when its words are there, not when its sound is.
    const text = textOf(item) || line.text;
    this.#set(line, { text, done: Boolean(text), cut: line.cut || item.status === "incomplete" });
  }

  "conversation.item.deleted"({ item_id }) {
    this.#remove(item_id);
  }

  /** The call is over: what is still open stays as it is, what is empty goes. */
  close() {
    this.#forgetEmpty("you");
    this.#forgetEmpty("agent");
    for (const line of this.lines) if (!line.done) this.#set(line, { done: true });
  }

  #line(id, who, previousId) {
    const known = this.lines.find((line) => line.id === id);
    if (known) return known;
    const line = { id, who, text: "", done: false, cut: false, heard: null, unclear: false };
    const previous = this.lines.findIndex((other) => other.id === previousId);
    this.lines.splice(previous < 0 ? this.lines.length : previous + 1, 0, line);
    return line;
  }

  #set(line, change) {
    Object.assign(line, change);
    this.#changed(line, this.lines[this.lines.indexOf(line) + 1] ?? null);
  }

  #remove(id) {
    const at = this.lines.findIndex((line) => line.id === id);
    if (at >= 0) this.#removed(...this.lines.splice(at, 1));
  }

  #forgetEmpty(who) {
    for (const line of this.lines.filter((line) => line.who === who && !line.text && !line.unclear)) this.#remove(line.id);
  }
}

function textOf(item) {
  return (item.content ?? []).map((part) => part.transcript ?? part.text ?? "").join(" ").trim();
}

/** How many characters of `text` the caller heard, given the heard words: spacing may differ between the two. */
export function heardLength(text, heard) {
  let at = 0;
  for (const character of heard.replace(/\s+/g, "")) {
    while (/\s/.test(text[at] ?? "")) at += 1;
    if (text[at] !== character) return null;
    at += 1;
  }
  return at;
}
