/** Sliders for the policy's numbers, and the call's log run again under them. */

import { announce, ask, attempt, el, ms, problem } from "./kit.js";
import { say } from "./words.js";

/** Name, and the end of the slider; they begin at 0 but for those that must not. */
const SLIDERS = {
  endpointing: [["wait_ms", 3000, 50], ["on_punctuation_ms", 3000, 50], ["on_number_ms", 3000, 50], ["on_no_punctuation_ms", 4000, 50], ["max_wait_ms", 8000, 100]],
  fixed: [["silence_ms", 3000, 50]],
  barge_in: [["num_words", 10, 1], ["voice_ms", 1000, 20], ["voice_alone_ms", 3000, 50], ["resume_after_ms", 2000, 50], ["transcript_wait_ms", 2000, 50]],
};

/** `changed(was, would)` is told the outcomes; both null where everything is as it was again. */
export function whatIf(name, policy, changed) {
  const wrong = problem();
  const result = el("p", { role: "status" });
  const fixed = policy.endpointing.mode === "fixed";
  const inputs = [];
  const group = (kind, list) => list.map(([field, most, step]) => {
    const was = policy[kind][field];
    const shown = el("output", {}, written(field, was));
    const input = el("input", { type: "range", min: 0, max: Math.max(most, was), step, value: was, id: `what-if-${field}` });
    const label = el("label", {}, el("span", {}, say(`p_${field}`), shown), input);
    const tell = () => {
      shown.textContent = written(field, Number(input.value));
      label.classList.toggle("changed", Number(input.value) !== was);
    };
    input.addEventListener("input", tell);
    inputs.push({ path: `${kind}.${field}`, input, was, reset: () => { input.value = was; tell(); } });
    return label;
  });
  const run = el("button", { className: "main" }, say("run"));
  const form = el("form", { onsubmit: async (event) => {
    event.preventDefault();
    run.disabled = true;
    run.textContent = say("running");
    const body = Object.fromEntries(inputs.filter(({ input, was }) => Number(input.value) !== was).map(({ path, input }) => [path, Number(input.value)]));
    const answer = await attempt(wrong, () => ask(`calls/${encodeURIComponent(name)}/what-if`, { method: "POST", body }));
    run.disabled = false;
    run.textContent = say("run");
    if (!answer) return;
    const n = answer.would.filter((would, at) => JSON.stringify(would) !== JSON.stringify(answer.was[at])).length;
    result.textContent = say("differs", { n, all: answer.was.length });
    announce(result.textContent);
    changed(answer.was, answer.would);
  } },
  el("div", { className: "sliders" }, group("endpointing", fixed ? SLIDERS.fixed : SLIDERS.endpointing), group("barge_in", SLIDERS.barge_in)),
  el("p", { className: "row" }, run, el("button", { type: "button", onclick: () => {
    inputs.forEach(({ reset }) => reset());
    result.textContent = "";
    changed(null, null);
  } }, say("reset"))), wrong, result);
  return el("section", {}, el("h2", {}, say("what_if")), el("p", { className: "faint" }, say("what_if_text")), form);
}

const written = (field, value) => (field === "num_words" ? String(value) : ms(value));
