/** A conversation in text with an assistant as it stands on the page, saved or not. */

import { announce, ask, attempt, el, once, problem } from "./kit.js";
import { say } from "./words.js";

/** `whom()`: {assistant} or {assistantId}; throws an Error that says why it cannot be tried now. `stands(node)` is told where it stands. */
export function trial(whom, stands) {
  const lines = el("ol", { className: "said" });
  const wrong = problem();
  const input = el("input", { id: "chat", required: true, maxLength: 1000, autocomplete: "off" });
  let so_far = { messages: [] };
  const add = (who, text) => lines.append(el("li", { className: who }, el("span", { className: "at" }), el("p", {}, el("span", { className: `who ${who === "agent" ? "agent-side" : "you-side"}` }, say(who)), text)));
  const note = (text) => lines.append(el("li", { className: "mark" }, el("span", { className: "at" }), el("p", { className: "note" }, text)));
  const again = () => {
    so_far = { messages: [] };
    lines.replaceChildren();
    stands("");
    input.focus();
  };
  const turn = async () => {
    const said = input.value;
    const mine = so_far;
    const messages = [...so_far.messages, { role: "user", content: said }];
    const told = await ask("workflows/trial", { method: "POST", body: { ...whom(), messages, trial: so_far.trial, outcomes: so_far.outcomes } });
    if (so_far !== mine) return; // it was begun again meanwhile
    so_far = { messages: [...messages, ...told.messages], trial: told.trial, outcomes: told.outcomes };
    add("caller", said);
    if (input.value === said) input.value = ""; // else they have typed on
    for (const { role, content, tool_calls: calls } of told.messages) {
      for (const { function: made } of calls ?? []) note(`${say("tool")}: ${made.name}(${made.arguments})`);
      if (role === "assistant" && content) add("agent", content);
    }
    if (told.transferred_to) note(`${say("transfer")}: ${told.transferred_to}`);
    if (told.ended) note(say("s_ended"));
    stands(told.node);
    if (told.node) announce(say("stands_at", { node: told.node }));
  };
  const send = once(() => attempt(wrong, turn));
  const form = el("form", { className: "row", onsubmit: (event) => {
    event.preventDefault();
    send();
  } }, el("label", { className: "grow" }, say("in_text_label"), input), el("button", {}, say("send")), el("button", { type: "button", id: "chat-again", onclick: again }, say("begin_again")));
  return el("div", {}, el("div", { role: "log", "aria-label": say("in_text") }, lines), wrong, form);
}
