/** A call drawn to scale: the waveform, and a lane each for caller, wait, model and agent. */

import { el, svg } from "./kit.js";
import { say } from "./words.js";

const PX_PER_S = 42;
const LEAST_PX = 240;
const LEFT = 76;
const RIGHT = 24;
const LEAST_STEP_PX = 100;
const WAVE = 84;
const LANE = 26;
const LANES = ["lane_caller", "lane_wait", "lane_model", "lane_agent"];

/** The drawing. `seek(ms)` is called where it is pressed; `element`, `show(ms)` moves the head, `mark(outcomes)` draws what would have been. */
export class Lanes {
  #story;
  #drawing;
  #head;
  #would = svg("g");
  #scale;

  /** `room`: pixels there are for it in width. What is short fills them, and what is long is scrolled. */
  constructor(story, peaks, seek, room) {
    this.#story = story;
    const total = Math.max(1000, story.duration_ms);
    const width = Math.max(room - LEFT - RIGHT, LEAST_PX, (total / 1000) * PX_PER_S);
    this.#scale = width / total;
    const top = peaks ? WAVE + 8 : 0;
    const height = top + LANES.length * LANE + 26;
    this.#drawing = svg("svg", { viewBox: `0 0 ${LEFT + width + RIGHT} ${height}`, role: "img", "aria-label": say("timeline_label") });
    this.#drawing.style.width = `${LEFT + width + RIGHT}px`;
    if (peaks) this.#drawing.append(this.#wave(peaks));
    LANES.forEach((name, number) => this.#drawing.append(svg("text", { x: 8, y: top + number * LANE + 17 }, say(name))));
    const lane = (number) => top + number * LANE + 6;
    this.#spans(lane);
    this.#events(lane);
    this.#axis(total, height);
    this.#head = svg("line", { class: "head", x1: LEFT, x2: LEFT, y1: 0, y2: height - 20 });
    this.#drawing.append(this.#would, this.#head);
    this.#drawing.addEventListener("click", (event) => {
      const box = this.#drawing.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * (LEFT + width + RIGHT) - LEFT;
      if (x >= 0) seek(x / this.#scale);
    });
    this.element = el("div", { className: "lanes", tabIndex: 0, role: "region", "aria-label": say("timeline") }, this.#drawing);
  }

  show(ms) {
    const x = this.#x(ms);
    this.#head.setAttribute("x1", x);
    this.#head.setAttribute("x2", x);
    const { scrollLeft, clientWidth } = this.element;
    if (x < scrollLeft + LEFT || x > scrollLeft + clientWidth - 40) this.element.scrollLeft = x - clientWidth / 3;
  }

  /** Turns that would have gone otherwise, with when they would have closed. */
  mark(outcomes) {
    this.#would.replaceChildren(...outcomes.map((outcome) => {
      const x = this.#x(outcome.closed_ms);
      return svg("line", { class: "would", x1: x, x2: x, y1: 0, y2: this.#drawing.viewBox.baseVal.height - 22 });
    }));
  }

  #x(ms) {
    return LEFT + ms * this.#scale;
  }

  #bar(name, from, to, y, height = 14, label = "") {
    const bar = svg("rect", { class: name, x: this.#x(from), y, width: Math.max(1.5, (to - from) * this.#scale), height, rx: 2 });
    if (label) bar.append(svg("title", {}, label));
    this.#drawing.append(bar);
  }

  #spans(lane) {
    const { caller, agent, thinking, turns } = this.#story;
    for (const span of caller) this.#bar(span.kind, span.from_ms, span.to_ms, lane(0), 14, say(`l_${span.kind}`));
    for (const turn of turns) {
      if (turn.speech_ended_ms !== null && turn.closed_ms !== null) this.#bar("waited", turn.speech_ended_ms, turn.closed_ms, lane(1), 14, say("l_wait"));
    }
    for (const span of thinking) this.#bar(span.speculative ? "guess" : "thought", span.from_ms, span.to_ms, lane(2), 14, say(span.speculative ? "l_guess" : "l_thinking"));
    for (const span of agent) this.#bar(span.kind, span.from_ms, span.to_ms, lane(3) + (span.kind === "held" ? 2 : 0), span.kind === "held" ? 10 : 14, say(`l_${span.kind}`));
  }

  #events(lane) {
    const tick = (name, ms, from, to) => this.#drawing.append(svg("line", { class: name, x1: this.#x(ms), x2: this.#x(ms), y1: lane(from) - 3, y2: lane(to) + 17 }));
    for (const turn of this.#story.turns) if (turn.closed_ms !== null) tick("closed", turn.closed_ms, 0, 1);
    for (const sound of this.#story.barge_ins) if (sound.decided_ms !== null) tick(sound.confirmed ? "cut" : "kept", sound.decided_ms, 3, 3);
  }

  #wave(peaks) {
    const group = svg("g", { role: "img", "aria-label": say("wave_label") });
    const from = this.#story.audio_ms;
    for (const [side, name, sign] of [["caller", "wave-you", -1], ["agent", "wave-agent", 1]]) {
      const step = peaks.duration_ms / Math.max(1, peaks[side].length);
      const shape = peaks[side].map((loud, number) => {
        const x = this.#x(from + number * step).toFixed(1);
        const tall = (Math.sqrt(loud / 100) * (WAVE / 2 - 2)).toFixed(1);
        return `M${x} ${WAVE / 2}h${Math.max(0.8, step * this.#scale - 0.3).toFixed(1)}v${sign * tall}H${x}z`;
      });
      group.append(svg("path", { class: name, d: shape.join("") }));
    }
    group.append(svg("line", { class: "axis", x1: LEFT, x2: this.#x(this.#story.duration_ms), y1: WAVE / 2, y2: WAVE / 2 }));
    return group;
  }

  #axis(total, height) {
    const step = [1000, 5000, 10_000].find((each) => each * this.#scale >= LEAST_STEP_PX);
    for (let ms = 0; ms <= total; ms += step) {
      this.#drawing.append(svg("text", { x: this.#x(ms), y: height - 4, "text-anchor": "middle" }, `${Math.floor(ms / 60_000)}:${String((ms / 1000) % 60).padStart(2, "0")}`));
      this.#drawing.append(svg("line", { class: "axis", x1: this.#x(ms), x2: this.#x(ms), y1: height - 22, y2: height - 17 }));
    }
  }
}

/** What the colours mean. */
export function legend() {
  const shapes = [["speech", "l_speech"], ["sound", "l_sound"], ["waited", "l_wait"], ["thought", "l_thinking"], ["guess", "l_guess"], ["heard", "l_heard"], ["held", "l_held"]];
  const ticks = [["closed", "l_closed"], ["cut", "l_cut"], ["kept", "l_kept"], ["would", "l_would"]];
  const small = (shape) => svg("svg", { viewBox: "0 0 20 12", "aria-hidden": "true" }, shape);
  return el("ul", { className: "legend" },
    shapes.map(([name, key]) => el("li", {}, small(svg("rect", { class: name, x: 1, y: 1, width: 18, height: 10, rx: 2 })), say(key))),
    ticks.map(([name, key]) => el("li", {}, small(svg("line", { class: name, x1: 10, x2: 10, y1: 0, y2: 12 })), say(key))));
}
