/** What became of a call: cost, analysis, what of its assistant had no effect, what applications were told. */

import { clock, el, exactly, inWords, meaning, money, ms, table, term, when } from "./kit.js";
import { say } from "./words.js";

/** The sections of a record; none where there is no record. */
export function becameOf(record) {
  if (!record) return [];
  const { document: told, webhooks } = record;
  return [costs(told.costs), analysis(told), warnings(told.warnings), deliveries(webhooks)].filter(Boolean);
}

/** A call without a log: what its record says. */
export function recordOnly(main, record) {
  main.append(
    el("h1", {}, `${say("call")} · ${record.assistant || say(`t_${record.type}`)}`),
    el("p", { className: "faint" }, [when(record.wall_ms), clock(record.duration_ms), say(`s_${record.status}`), record.ended_reason && term("reason", record.ended_reason), record.caller, money(record.cost_usd)].filter(Boolean).flatMap((part, number) => (number ? [" · ", part] : [part])), el("br"), el("code", {}, record.id)),
    el("p", { className: "faint" }, say("no_log")),
    ...(record.document.messages ? [el("h2", {}, say("transcript")), el("ol", { className: "said" }, record.document.messages.map(line).filter(Boolean))] : []),
    ...becameOf(record),
  );
}

function line({ role, message }) {
  if (!message || role === "system") return null;
  const agent = role !== "user";
  return el("li", {}, el("span", { className: "at" }), el("p", {}, el("span", { className: `who ${agent ? "agent-side" : "you-side"}` }, say(agent ? "agent" : "caller")), message));
}

const KINDS = { transport: "k_transport", voice: "voice_of", transcriber: "transcriber", model: "model", analysis: "analysis", vapi: "k_server" };

/** What a row of the cost is for; what has no word is said as it is. */
const kindOf = ({ type }) => (Object.hasOwn(KINDS, type) ? say(KINDS[type]) : type);

function costs(list) {
  if (!list?.length) return null;
  const amount = ({ minutes, promptTokens, completionTokens, characters }) => {
    if (minutes !== undefined) return `${minutes} ${say("minutes")}`;
    if (characters !== undefined) return `${characters} ${say("characters")}`;
    return promptTokens === undefined ? "–" : `${promptTokens} + ${completionTokens ?? 0} ${say("tokens")}`;
  };
  const who = (row) => [row.provider ?? row.model?.provider ?? row.voice?.provider ?? row.transcriber?.provider, row.model?.model ?? row.transcriber?.model].filter(Boolean).join(" ");
  return el("section", {}, el("h2", {}, say("cost")), table([say("what"), say("vendor"), [say("amount"), "number"], [say("cost"), "number"]],
    list.map((row) => [kindOf(row), who(row), [amount(row), "number"], [money(row.cost), "number"]])));
}

function analysis({ analysis: found, analysisSkipped: skipped }) {
  if (!found && !skipped) return null;
  const { summary, successEvaluation, structuredData } = found ?? {};
  return el("section", {}, el("h2", {}, say("analysis")),
    summary && el("p", {}, summary),
    successEvaluation !== undefined && successEvaluation !== null && el("p", {}, `${say("success")}: ${successEvaluation}`),
    structuredData && el("pre", {}, JSON.stringify(structuredData, null, 2)),
    skipped && el("ul", { className: "notes" }, Object.entries(skipped).map(([name, why]) => el("li", {}, asked(name), `: ${inWords(why)}`))));
}

/** What was to be asked: of several of a kind, each by its id. */
function asked(name) {
  const [kind, id] = name.split(":");
  return el("span", {}, meaning("analysis", kind), id ? [" ", el("code", { className: "own" }, id)] : []);
}

function warnings(list) {
  if (!list?.length) return null;
  return el("section", {}, el("h2", {}, say("without_effect")), el("ul", { className: "notes" }, list.map(({ field, reason }) => el("li", {}, el("code", {}, field), ` ${inWords(reason)}`))));
}

/** null: this server keeps none. Each with its attempts, and when the next is due. */
function deliveries(list) {
  if (!list?.length) return null;
  const attempt = ({ wall_ms: made, duration_ms: took, status, problem }) => el("li", {}, `${exactly(made)} · ${status ?? say("no_answer")} · ${ms(took)}${problem ? ` · ${meaning("attempt", problem)}` : ""}`);
  const next = (due) => due !== null && el("p", { className: "faint" }, `${say("next_try")}: ${exactly(due)}`);
  return el("section", { id: "webhooks" }, el("h2", {}, say("webhooks")), table([say("what"), say("status"), say("attempts")],
    list.map(({ event, url, status, next_wall_ms: due, attempts }) => [el("div", {}, term("event", event), el("br"), el("code", {}, url)), [say(`d_${status}`), status === "failed" ? "bad" : ""],
      el("div", {}, attempts.length ? el("ul", { className: "plain" }, attempts.map(attempt)) : say("none_yet"), next(due))])));
}
