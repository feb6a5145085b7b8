/**
 * What was said, line by line, read from the server's events. A line is
 * {id, who: "you" | "agent", text, partial, done, cut, heard, unclear, kept}: `partial` are words of the visitor's that may still change; `cut`
 * where the agent was interrupted, and `heard` then is the part of `text` that left the loudspeaker, null while that is not known.
 * `unclear` where speech got no words. `kept`: it is of a connection before this one. Marks stand between the lines (`Marks`): {id, who: "mark", …}.
 */
export class Transcript {
  lines = [];
  /** Of the visitor's speech that is not over, by utterance. */
  #partials = new Map();
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
    const last = this.lines.findLast((line) => line.who === "agent" && line.text);
    return last?.cut ? undefined : last;
  }

  take(event) {
    // Handlers bear the names of their events, all of which have a dot in them; no other method has.
    if (event.type.includes(".")) this[event.type]?.(event);
  }

  // ------------------------------------------------------------------------------------------ the visitor

  "input_audio_buffer.speech_started"({ item_id }) {
    this.#forgetEmpty("you");
    if (!this.lines.some(({ id }) => id === item_id)) this.#partials.clear();
    this.#set(this.#line(item_id, "you"), {});
  }

  "talk.partial"({ utterance, text }) {
    const line = this.lines.findLast(({ who, done, kept }) => who === "you" && !done && !kept);
    if (!line || line.text) return;
    this.#partials.set(utterance, text);
    this.#set(line, { partial: [...this.#partials.values()].join(" ").trim() });
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
    if (line && !line.kept) this.#set(line, { done: true, cut: true });
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
    if (line.kept) return;
    this.#set(line, { text: textOf(item) || line.text });
  }

  "conversation.item.done"({ item }) {
    const line = this.lines.find(({ id }) => id === item.id);
    if (!line || line.kept) return;
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
    for (const line of this.lines) if (line.who !== "mark" && !line.done) this.#set(line, { done: true });
  }

  /**
   * The connection is gone. What was said stays, and comes back as what another one has to know: conversation items. Of an answer that was
   * not heard to its end, that is as much as was (`spoken(line)`: its characters). What the visitor was just saying is no part of it.
   */
  carryOver(spoken) {
    this.#forgetEmpty("agent");
    const current = this.current;
    const until = current ? spoken(current) : 0;
    for (const line of this.lines) {
      if (line.kept || line.who === "mark") continue;
      if (line === current && until < line.text.length) this.#set(line, { cut: true, heard: line.text.slice(0, until) });
      if (!line.done && line.who === "you" && !line.text) this.#set(line, { text: line.partial, unclear: !line.partial, unsaid: true });
      this.#set(line, { done: true, kept: true });
    }
    const said = this.lines.filter(({ who, unclear, unsaid }) => who !== "mark" && !unclear && !unsaid);
    return said.map(itemOf).filter(({ content: [{ text }] }) => text.trim()).slice(-MOST_CARRIED);
  }

  /** Something beside the words: it stands at the end, or after this line. */
  mark(mark, after = null) {
    const at = after === null ? this.lines.length : this.lines.indexOf(after) + 1;
    const made = { who: "mark", ...mark };
    this.lines.splice(at, 0, made);
    this.#set(made, {});
    return made;
  }

  changeMark(mark, change) {
    this.#set(mark, change);
  }

  #line(id, who, previousId) {
    const known = this.lines.find((line) => line.id === id);
    if (known) return known;
    const line = { id, who, text: "", partial: "", done: false, cut: false, heard: null, unclear: false, kept: false };
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
    for (const line of this.lines.filter((line) => line.who === who && !line.text && !line.partial && !line.unclear)) this.#remove(line.id);
  }
}

/** As many lines as another connection is told. */
const MOST_CARRIED = 200;

function itemOf({ id, who, text, cut, heard }) {
  const agent = who === "agent";
  const content = [{ type: agent ? "output_text" : "input_text", text: cut && heard !== null ? heard : text }];
  return { id, type: "message", role: agent ? "assistant" : "user", content };
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
