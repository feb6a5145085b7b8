/** What the page shows. Decides nothing. */

import { markOf } from "./mark-view.js";
import { explain } from "./problems.js";
import { heardLength } from "./transcript.js";
import { say } from "./words.js";

const find = (id) => document.getElementById(id);

/** A name as people write it: `front-desk` is `Front desk`. */
export function nameOf(assistant) {
  const words = assistant.replace(/[-_]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export class View {
  agent = say("agent");
  #rows = new Map();
  /** What is shown now, to be shown again in another language. */
  #status = ["", {}];
  #shown = null;
  #found = [];
  #muted = false;
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
    find("talk").textContent = say({ connecting: "cancel", live: "hang_up" }[phase] ?? "talk");
    find("talk").disabled = phase === "loading" || phase === "locked";
    find("mute").hidden = !live;
    find("assistant").disabled = live || phase === "connecting";
    find("text").disabled = find("send").disabled = !live && phase !== "idle";
    find("door").hidden = phase !== "locked";
    find("hint").hidden = phase === "locked" || this.#rows.size > 0;
  }

  /** `values`: of a line that is being mended, `{attempt, of}`. */
  floor(holder, muted, values = {}) {
    document.body.dataset.floor = holder;
    if (holder === "nobody" && muted) this.status("f_muted");
    else if (holder === "away" && values.attempt) this.status("f_again", values);
    else this.status(`f_${holder}`, { agent: this.agent });
  }

  /** The large line: what is going on. */
  status(key, values = {}) {
    this.#status = [key, values];
    const text = say(key, values);
    if (find("floor").textContent !== text) find("floor").textContent = text;
  }

  /** Where the time of the last turn went: [[name, ms, whether it still grows]]. */
  latency(stages) {
    find("latency").hidden = stages.length === 0;
    find("latency").replaceChildren(...stages.map(([name, ms, growing]) => {
      const stage = part("span", growing ? `${name} growing` : name, say("stage", { stage: say(`s_${name}`), ms }));
      stage.style.flexGrow = String(Math.max(ms, 1));
      return stage;
    }));
  }

  /** What the connection's check found: [{what, good, why, values}]. */
  checked(found) {
    this.#found = found;
    find("checked").hidden = false;
    find("checked").replaceChildren(...found.map(({ what, good, why, values }) => {
      const row = part("li", good === false ? "wrong" : "", "");
      const sign = part("span", "sign", good === null ? "?" : good ? "✓" : "✗");
      sign.setAttribute("aria-hidden", "true");
      const told = part("span", "unseen", ` ${say(good === null ? "c_unknown" : good ? "c_good" : "c_bad")}. `);
      row.append(sign, " ", say(what), told, why ? part("span", "why", ` ${say(why, values)}`) : "");
      return row;
    }));
  }

  /** The page is in another language now: what it shows is said in that. What was said stays as it was said. */
  retell() {
    this.agent = this.nameOf(find("assistant").value);
    find("said-aloud").textContent = "";
    find("agent-name").textContent = this.agent;
    this.phase(document.body.dataset.phase);
    this.status(...this.#status);
    this.muted(this.#muted);
    if (!this.#problem.hidden) this.#tell(this.#shown);
    if (!find("checked").hidden) this.checked(this.#found);
    for (const { line, before, spoken } of this.#rows.values()) {
      if (line.who === "mark") this.mark(line, before);
      else this.line(line, before, spoken);
    }
    for (const rule of document.querySelectorAll(".rule")) rule.textContent = say("new_call");
  }

  clock(text) {
    find("clock").textContent = text;
  }

  /** Whether screen readers read the lines out as they come. In a spoken call they would talk over the agent, and into the microphone. */
  readAloud(yes) {
    find("log").setAttribute("aria-live", yes ? "polite" : "off");
  }

  /** For screen readers only: what those who see notice by themselves. */
  announce(key, values = {}) {
    find("said-aloud").textContent = say(key, values);
  }

  /** `named`: others than files, {id: name}. */
  choices(names, chosen, named = {}) {
    this.named = named;
    const all = [...Object.keys(named), ...names];
    find("assistant").replaceChildren(...all.map((name) => new Option(this.nameOf(name), name, false, name === chosen)));
    find("choice").hidden = all.length < 2;
  }

  nameOf(assistant) {
    return this.named?.[assistant] ?? (nameOf(assistant) || say("agent"));
  }

  called(assistant) {
    this.agent = this.nameOf(assistant);
    find("agent-name").textContent = this.agent;
  }

  muted(muted) {
    this.#muted = muted;
    find("mute").setAttribute("aria-pressed", String(muted));
    find("mute").textContent = say(muted ? "unmute" : "mute");
  }

  /** Tell of a failure (`Problem`, or any error). */
  problem(error) {
    this.#shown = error;
    this.#tell(error);
    find("checked").hidden = true;
    const follows = this.#atEnd();
    this.#problem.hidden = false;
    if (follows) this.#toEnd();
  }

  #tell(error) {
    const { code, title, text, retry, type, check } = explain(error);
    this.#problem.dataset.code = code;
    find("problem-title").textContent = title;
    find("problem-text").textContent = text;
    find("retry").hidden = !retry;
    find("retry").textContent = retry;
    find("type-only").hidden = !type;
    find("check").hidden = !check;
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
    rule.append(say("new_call"));
    find("lines").append(rule);
  }

  /** Show a line; `spoken` is how many of its characters have sounded. */
  line(line, before, spoken = Infinity) {
    const follows = this.#atEnd();
    const row = this.#row(line, before, spoken);
    if (!row.hasChildNodes()) row.append(part("span", "who", ""), part("p", "words", ""));
    row.querySelector(".who").textContent = line.who === "you" ? say("you") : this.#rows.get(line.id).agent;
    row.setAttribute("aria-busy", String(!line.done));
    row.classList.toggle("cut", line.cut);
    row.querySelector(".words").replaceChildren(...wordsOf(line, spoken));
    if (follows) this.#toEnd();
  }

  /** Show what happened beside the words. */
  mark(mark, before) {
    const follows = this.#atEnd();
    this.#row(mark, before).replaceChildren(...markOf(mark));
    if (follows) this.#toEnd();
  }

  remove(line) {
    this.#rows.get(line.id)?.row.remove();
    this.#rows.delete(line.id);
  }

  /** The row of a line or a mark; made where it stands where there is none. */
  #row(line, before, spoken = Infinity) {
    const known = this.#rows.get(line.id);
    const row = known?.row ?? part("li", line.who === "mark" ? `mark ${line.kind}` : `line ${line.who}`, "");
    this.#rows.set(line.id, { row, line, before, spoken, agent: known?.agent ?? this.agent });
    if (!known) {
      find("lines").insertBefore(row, before ? (this.#rows.get(before.id)?.row ?? null) : null);
      find("hint").hidden = true;
    }
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
  if (line.unclear) return [part("i", "faint", say("not_understood"))];
  if (!line.text) return [part("span", "pending", line.partial ? `${line.partial} …` : "…")];
  if (line.who === "you") return [part("span", "said", line.text)];
  const until = line.cut && line.heard !== null ? heardLength(line.text, line.heard) : Math.min(spoken, line.text.length);
  if (until === null) return [part("span", "said", `${line.heard} `), part("span", "faint", say("interrupted"))];
  const [said, rest] = [line.text.slice(0, until), line.text.slice(until)];
  if (!line.cut) return [part("span", "said", said), part("span", "ahead", rest)];
  if (!rest.trim()) return [part("span", "said", said)];
  const cut = [part("span", "faint", say("interrupted")), " ", part("del", "unsaid", rest.trimStart())];
  return [part("span", "said", `${said.trimEnd()} `), ...cut];
}

export function part(element, name, text) {
  const made = document.createElement(element);
  made.className = name;
  made.textContent = text;
  return made;
}
