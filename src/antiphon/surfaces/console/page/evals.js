/** An eval's runs, and calls made into evals. */

import { PAGE, announce, ask, attempt, el, inWords, pages, problem, when } from "./kit.js";
import { say } from "./words.js";

const EVERY_MS = 1000;
const AT_ONCE = 200;
/** Assistants that one chooses from; the newest. */
const MOST_CHOICES = 2000;

/** Below an eval: run it with an assistant, and how it went. What ends the waiting is the answer. */
export async function runs(main, id, editable, offset) {
  const wrong = problem();
  const place = el("div");
  let timer = 0;
  const draw = async () => {
    const { results: ours, metadata } = await ask(`rest/eval/run?evalId=${encodeURIComponent(id)}&limit=${PAGE}&page=${offset / PAGE + 1}`, { poll: true });
    place.replaceChildren(...(ours.length ? ours.map(told) : [el("p", { className: "faint" }, say("none"))]),
      pages(offset, ours.length, metadata.totalItems, (next) => `#/kept/eval/${encodeURIComponent(id)}/${next}`));
    clearTimeout(timer);
    if (ours.some((run) => run.status !== "ended")) timer = setTimeout(again, EVERY_MS);
    else if (ours[0]) announce(say(passed(ours[0]) ? "pass" : "fail"));
  };
  /** Where it is not answered, it is asked again: a run goes on all the same. */
  const again = () => draw().catch(() => (timer = setTimeout(again, EVERY_MS)));
  main.append(el("h2", {}, say("runs")), wrong);
  if (editable) {
    const all = await everyAssistant();
    const select = el("select", { id: "target" }, all.map(([value, name]) => el("option", { value }, name)));
    main.append(el("form", { className: "row", onsubmit: (event) => {
      event.preventDefault();
      attempt(wrong, async () => {
        await ask("rest/eval/run", { method: "POST", body: { type: "eval", evalId: id, target: { type: "assistant", assistantId: select.value } } });
        await draw();
      });
    } }, el("label", {}, say("assistant"), select), el("button", { id: "run" }, say("run_eval"))));
  }
  main.append(place);
  await draw();
  return () => clearTimeout(timer);
}

/** [id, name] of those that are stored, then of files. */
async function everyAssistant() {
  const found = [];
  for (;;) {
    const { assistants, files, total } = await ask(`assistants?limit=${AT_ONCE}&offset=${found.length}`);
    found.push(...assistants.map((each) => [each.id, each.name || each.id]));
    if (!assistants.length || found.length >= Math.min(total, MOST_CHOICES)) return [...found, ...files.map((name) => [name, name])];
  }
}

const WHO = { user: "caller", assistant: "agent", tool: "tool" };

const passed = (run) => run.results?.[0]?.status === "pass";

function told(run) {
  const verdict = run.status === "ended" ? say(passed(run) ? "pass" : "fail") : say("running");
  const lines = (run.results?.[0]?.messages ?? []).map(({ role, content, judge }) => el("p", {}, el("span", { className: role === "user" ? "you-side" : "agent-side" }, `${WHO[role] ? say(WHO[role]) : role}: `), content || "–",
    judge && el("span", { className: judge.status === "pass" ? "faint" : "bad" }, ` · ${say(judge.status)}${judge.failureReason ? `: ${inWords(judge.failureReason)}` : ""}`)));
  return el("article", { className: "turn run" }, el("h3", { className: run.status === "ended" && !passed(run) ? "bad" : "" }, `${verdict} · ${run.target?.assistantId ?? ""} · ${when(Date.parse(run.createdAt))}`), run.endedMessage && el("p", { className: "bad" }, inWords(run.endedMessage)), ...lines);
}

/** A call's lines as an eval: the caller's are said again; the agent's answers are expected word for word, until somebody edits them. */
export function evalOf(name, lines) {
  const messages = [];
  for (const { who, text } of lines) {
    if (!text) continue;
    const last = messages.at(-1);
    const asked = messages.some(({ role }) => role === "user");
    if (who === "caller") messages.push({ role: "user", content: text });
    else if (last?.judgePlan) last.judgePlan.content += ` ${text}`;
    else messages.push(asked ? { role: "assistant", judgePlan: { type: "exact", content: text } } : { role: "assistant", content: text });
  }
  return { type: "chat.mockConversation", name: name.slice(0, 80), messages };
}
