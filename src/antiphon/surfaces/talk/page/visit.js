/** One conversation and all that belongs to it: what was said, whose floor it is, how loud the two are, and what the visitor may do. */

import { Floor } from "./floor.js";
import { Latency } from "./latency.js";
import { Meter } from "./levels.js";
import { Line } from "./line.js";
import { Marks } from "./marks.js";
import { close, openMicrophone, openSilence } from "./microphone.js";
import { Pace } from "./pace.js";
import { Problem } from "./problems.js";
import { Transcript } from "./transcript.js";

const voice = document.getElementById("voice");

/** Made by a press of the button, over when somebody hangs up or the line breaks for good. */
export class Visit {
  #view;
  #levels;
  #ended;
  floor = new Floor();
  latency = new Latency();
  pace = new Pace();
  transcript = new Transcript((line, before) => this.#show(line, before), (line) => this.#view.remove(line));
  marks = new Marks(this.transcript);
  muted = false;
  #context = new AudioContext(); // made in the click, else browsers keep it silent
  #line = null;
  #meters = {};
  #timer = 0;
  #startedMs = 0;
  #cuts = new Map();
  #answerWhenDone = false;
  #expired = false;
  #over = false;
  #away = false;
  #saidSocket = false;
  #screen = null;

  /** `ended(problem | null, lasted)`: called once, when it is over; `lasted` is its length as text, empty where it never began. */
  constructor(view, levels, ended) {
    this.#view = view;
    this.#levels = levels;
    this.#ended = ended;
  }

  /** Until the other side is there. Throws Problem; the visit is to be ended with it then. */
  async begin(assistant, typing) {
    const microphone = typing ? openSilence(this.#context) : await openMicrophone();
    if (this.#over) return close(microphone); // cancelled while the browser asked about the microphone
    this.#line = new Line(microphone, {
      event: (event) => this.#take(event),
      voice: (stream) => this.#hear(stream),
      away: (yes) => this.#goneAway(yes),
      again: (attempt, of) => this.#goneAway(true, { attempt, of }),
      back: (lostMs) => this.#goOn(lostMs),
      socket: () => this.#tellSocket(),
      gone: () => this.#view.problem(new Problem("microphone_gone")),
      ended: (problem) => this.end(problem ?? (this.#expired ? new Problem("expired") : null)),
    });
    if (!typing) this.#meters.you = new Meter(this.#context, microphone);
    await this.#line.connect(assistant);
    this.#startedMs = performance.now();
    this.#timer = setInterval(() => this.#tick(), this.#levels.intervalMs);
    this.#keepScreenOn();
  }

  /** Hang up, or be hung up on. Safe to call twice. */
  end(problem = null) {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#timer);
    this.#line?.close();
    this.#context.close();
    this.#screen?.release();
    voice.srcObject = null;
    this.transcript.close();
    this.#ended(problem, this.#startedMs ? clockOf(performance.now() - this.#startedMs) : "");
  }

  /** Say it in writing. The agent stops, as it would had it been spoken. */
  say(text) {
    const id = `item_${crypto.getRandomValues(new Uint32Array(3)).join("")}`;
    this.transcript.typed(id, text);
    if (this.#away) return; // told with all the rest when the line is back
    if (this.floor.responding) this.#line.send({ type: "response.cancel" });
    if (this.floor.audible) this.#line.send({ type: "output_audio_buffer.clear" });
    const content = [{ type: "input_text", text }];
    this.#line.send({ type: "conversation.item.create", item: { id, type: "message", role: "user", content } });
    this.#answerWhenDone = this.floor.responding;
    if (!this.#answerWhenDone) this.#line.send({ type: "response.create" });
    this.floor.asked();
    this.#showFloor();
  }

  mute(muted) {
    this.muted = muted;
    this.#line.muted = muted;
    this.#view.muted(muted);
    this.#view.announce(muted ? "microphone_off" : "microphone_on");
    this.#showFloor();
  }

  /** In the page's language, which is another now. */
  retell() {
    this.#view.muted(this.muted);
    this.#showFloor();
  }

  #take(event) {
    const before = this.floor.holder;
    const nowMs = performance.now();
    this.floor.take(event);
    this.transcript.take(event);
    this.marks.take(event);
    if (this.latency.take(event, nowMs)) this.marks.heard(this.latency.stages(nowMs));
    this.#keepPace(event.type);
    if (event.type === "conversation.item.truncated") {
      this.#line.send({ type: "conversation.item.retrieve", item_id: event.item_id });
    } else if (event.type === "response.done") {
      this.#responded(event.response);
    } else if (event.type === "error") {
      this.#failed(event.error);
    }
    if (this.floor.holder !== before) this.#showFloor();
  }

  #responded({ status }) {
    if (status === "failed") this.#view.problem(new Problem("answer_failed"));
    if (status === "completed") this.#view.noProblem("answer_failed", "event_refused");
    if (!this.#answerWhenDone) return;
    this.#answerWhenDone = false;
    this.floor.asked();
    this.#line.send({ type: "response.create" });
  }

  #failed({ code, message }) {
    // Two answers were asked for at once, by voice and by typing: the second one when the first is over.
    if (code === "conversation_already_has_active_response") this.#answerWhenDone = true;
    else if (code === "session_expired") this.#expired = true;
    else if (code !== "response_cancel_not_active") this.#view.problem(new Problem("event_refused", message));
  }

  #keepPace(type) {
    const nowMs = performance.now();
    if (type === "response.created") this.pace.reset();
    if (type === "output_audio_buffer.started") this.pace.start(nowMs);
    if (type === "output_audio_buffer.stopped") this.#finishLine(nowMs);
    if (type === "output_audio_buffer.cleared") this.pace.stop(nowMs);
    this.pace.hold(this.floor.held, nowMs);
  }

  #finishLine(nowMs) {
    const line = this.transcript.current;
    if (!line) return;
    this.pace.finish(line.text.length, nowMs);
    this.#view.line(line, null);
  }

  #show(line, before) {
    if (line.who === "mark") return this.#view.mark(line, before);
    // Until the server tells what was heard of an interrupted line, it is where we believe it was.
    if (line.cut) this.#cuts.set(line, this.#cuts.get(line) ?? this.pace.spoken(line.text, performance.now()));
    return this.#view.line(line, before, this.#cuts.get(line) ?? this.#spoken(line));
  }

  /** How many characters of an agent's line have sounded. */
  #spoken(line) {
    const sounding = line === this.transcript.current && (this.floor.audible || this.floor.responding);
    return sounding ? this.pace.spoken(line.text, performance.now()) : Infinity;
  }

  #showFloor(values = {}) {
    this.#view.floor(this.#away ? "away" : this.floor.holder, this.muted, values);
  }

  // ------------------------------------------------------------------------------------------ the line breaks

  #goneAway(yes, values = {}) {
    this.#away = yes;
    this.#showFloor(values);
  }

  /** There is another line. Its far side is told what was said; what was being answered is not said again, and what was asked is answered. */
  #goOn(lostMs) {
    const items = this.transcript.carryOver((line) => this.#spoken(line));
    this.pace.stop(performance.now());
    this.floor = new Floor();
    this.latency = new Latency();
    this.#answerWhenDone = false;
    for (const item of items) this.#line.send({ type: "conversation.item.create", item });
    if (items.at(-1)?.role === "user") {
      this.#line.send({ type: "response.create" });
      this.floor.asked();
    }
    this.marks.back(lostMs);
    this.#view.announce("back_again");
    this.#goneAway(false);
  }

  #tellSocket() {
    if (!this.#saidSocket) this.marks.socket();
    this.#saidSocket = true;
  }

  // ------------------------------------------------------------------------------------------ sound and time

  /** A telephone that falls asleep would fall silent. */
  async #keepScreenOn() {
    this.#screen = await navigator.wakeLock?.request("screen").catch(() => null);
    if (this.#over) this.#screen?.release();
  }

  async #hear(stream) {
    this.#meters.agent?.close();
    this.#meters.agent = new Meter(this.#context, stream);
    voice.srcObject = stream;
    try {
      await voice.play();
    } catch (error) {
      if (error.name === "NotAllowedError") this.#view.problem(new Problem("silent"));
    }
  }

  #tick() {
    this.#levels.push(this.muted ? 0 : (this.#meters.you?.level ?? 0), this.#away ? 0 : (this.#meters.agent?.level ?? 0));
    this.#view.clock(clockOf(performance.now() - this.#startedMs));
    this.#view.latency(this.#away ? [] : this.latency.stages(performance.now()));
    const line = this.transcript.current;
    if (this.floor.audible && line) this.#show(line, null);
  }
}

function clockOf(ms) {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
