/** What the page shows. Decides nothing. */

import { heardLength } from "./transcript.js";

const find = (id) => document.getElementById(id);

/** A name as people write it: `front-desk` is `Front desk`. */
export function nameOf(assistant) {
  const words = assistant.replace(/[-_]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Problems that a look at the connection may explain. */
const CHECKED = new Set(["no_microphone", "microphone_denied", "microphone_busy", "insecure", "unsupported", "unreachable", "not_connected", "lost"]);

export class View {
  agent = "Agent";
  #rows = new Map();
  #problem = find("problem");
  #paper = find("paper");
  /** Whether the reader wants to see the newest words, and how large the paper was when that was last asked. */
  #follows = true;
  #size = "";

  constructor() {
    // A telephone is turned, or its keyboard comes up: the newest words stay in sight. The browser scrolls by itself then, too.
    this.#paper.addEventListener("scroll", () => {
      if (this.#size === sizeOf(this.#paper)) this.#follows = this.#atEnd();
    });
    new ResizeObserver(() => {
      this.#size = sizeOf(this.#paper);
      if (this.#follows) this.#toEnd();
    }).observe(this.#paper);
  }

  /** `phase`: "loading", "locked", "idle", "connecting" or "live". */
  phase(phase) {
    const live = phase === "live";
    document.body.dataset.phase = phase;
    find("talk").textContent = { connecting: "Cancel", live: "Hang up" }[phase] ?? "Talk";
    find("talk").disabled = phase === "loading" || phase === "locked";
    find("mute").hidden = !live;
    find("assistant").disabled = live || phase === "connecting";
    find("text").disabled = find("send").disabled = !live && phase !== "idle";
    find("door").hidden = phase !== "locked";
    find("hint").hidden = phase === "locked" || this.#rows.size > 0;
  }

  floor(holder, muted) {
    const words = {
      nobody: muted ? "Listening, but you are muted" : "Listening",
      you: "You are speaking",
      thinking: "Thinking",
      away: "Trying to reconnect",
      agent: `${this.agent} is speaking`,
    };
    document.body.dataset.floor = holder;
    this.status(words[holder]);
  }

  /** The large line: what is going on. */
  status(text) {
    if (find("floor").textContent !== text) find("floor").textContent = text;
  }

  /** Where the time of the last turn went: [[name, ms, whether it still grows]]. */
  latency(stages) {
    find("latency").hidden = stages.length === 0;
    find("latency").replaceChildren(...stages.map(([name, ms, growing]) => {
      const stage = part("span", growing ? `${name} growing` : name, `${name} ${ms} ms`);
      stage.style.flexGrow = String(Math.max(ms, 1));
      return stage;
    }));
  }

  /** What the connection's check found. */
  checked(found) {
    find("checked").hidden = false;
    find("checked").replaceChildren(...found.map(([what, there, way]) => part("li", "", `${there === null ? "?" : there ? "✓" : "✗"} ${what}${there ? "" : `. ${way}`}`)));
  }

  clock(text) {
    find("clock").textContent = text;
  }

  /** Whether screen readers read the lines out as they come. In a spoken call they would talk over the agent, and into the microphone. */
  readAloud(yes) {
    find("log").setAttribute("aria-live", yes ? "polite" : "off");
  }

  /** For screen readers only: what those who see notice by themselves. */
  announce(text) {
    find("said-aloud").textContent = text;
  }

  /** `named`: others than files, {id: name}. */
  choices(names, chosen, named = {}) {
    this.named = named;
    const all = [...Object.keys(named), ...names];
    find("assistant").replaceChildren(...all.map((name) => new Option(this.nameOf(name), name, false, name === chosen)));
    find("choice").hidden = all.length < 2;
  }

  nameOf(assistant) {
    return this.named?.[assistant] ?? nameOf(assistant);
  }

  called(assistant) {
    this.agent = this.nameOf(assistant);
    find("agent-name").textContent = this.agent;
  }

  muted(muted) {
    find("mute").setAttribute("aria-pressed", String(muted));
    find("mute").textContent = muted ? "Unmute" : "Mute";
  }

  problem({ code, title, text, retry, type }) {
    this.#problem.dataset.code = code;
    find("problem-title").textContent = title;
    find("problem-text").textContent = text;
    find("retry").hidden = !retry;
    find("retry").textContent = typeof retry === "string" ? retry : "Try again";
    find("type-only").hidden = !type;
    find("check").hidden = !CHECKED.has(code);
    find("checked").hidden = true;
    const follows = this.#atEnd();
    this.#problem.hidden = false;
    if (follows) this.#toEnd();
  }

  /** Take the notice away; only one of these codes, where some are given. */
  noProblem(...codes) {
    if (codes.length === 0 || codes.includes(this.#problem.dataset.code)) this.#problem.hidden = true;
  }

  // ------------------------------------------------------------------------------------------ the transcript

  /** Another call begins under what was said in the last. */
  divide() {
    if (this.#rows.size === 0) return;
    const rule = document.createElement("li");
    rule.className = "rule";
    rule.append("A new call");
    find("lines").append(rule);
  }

  /** Show a line; `spoken` is how many of its characters have sounded. */
  line(line, before, spoken = Infinity) {
    const follows = this.#atEnd();
    let row = this.#rows.get(line.id);
    if (!row) {
      row = this.#row(line);
      find("lines").insertBefore(row, before ? this.#rows.get(before.id) : null);
      find("hint").hidden = true;
    }
    row.setAttribute("aria-busy", String(!line.done));
    row.classList.toggle("cut", line.cut);
    row.querySelector(".words").replaceChildren(...wordsOf(line, spoken));
    if (follows) this.#toEnd();
  }

  remove(line) {
    this.#rows.get(line.id)?.remove();
    this.#rows.delete(line.id);
  }

  #row(line) {
    const row = document.createElement("li");
    const who = document.createElement("span");
    const words = document.createElement("p");
    row.className = `line ${line.who}`;
    who.className = "who";
    who.textContent = line.who === "you" ? "You" : this.agent;
    words.className = "words";
    row.append(who, words);
    this.#rows.set(line.id, row);
    return row;
  }

  #toEnd() {
    this.#paper.scrollTop = this.#paper.scrollHeight;
  }

  /** A reader who scrolled back is left there. */
  #atEnd() {
    return this.#paper.scrollHeight - this.#paper.scrollTop - this.#paper.clientHeight < 80;
  }
}

function sizeOf(element) {
  return `${element.clientWidth} × ${element.clientHeight}`;
}

function wordsOf(line, spoken) {
  if (line.unclear) return [part("i", "faint", "not understood")];
  if (!line.text) return [part("span", "pending", "…")];
  if (line.who === "you") return [part("span", "said", line.text)];
  const until = line.cut && line.heard !== null ? heardLength(line.text, line.heard) : Math.min(spoken, line.text.length);
  if (until === null) return [part("span", "said", `${line.heard} `), part("span", "faint", "— interrupted")];
  const [said, rest] = [line.text.slice(0, until), line.text.slice(until)];
  if (!line.cut) return [part("span", "said", said), part("span", "ahead", rest)];
  if (!rest.trim()) return [part("span", "said", said)];
  const cut = [part("span", "faint", "— interrupted"), " ", part("del", "unsaid", rest.trimStart())];
  return [part("span", "said", `${said.trimEnd()} `), ...cut];
}

function part(element, name, text) {
  const made = document.createElement(element);
  made.className = name;
  made.textContent = text;
  return made;
}
