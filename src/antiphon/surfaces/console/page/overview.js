/** How the calls of this process went since it started, and, out of the database, day by day. */

import { ask, day, el, money, ms, table, term, when } from "./kit.js";
import { language, say } from "./words.js";

const EVERY_MS = 5000;

export async function open(main) {
  const now = el("div");
  const draw = (told) => now.replaceChildren(...shown(told));
  const days = el("div");
  draw(await ask("overview"));
  main.append(el("h1", {}, say("overview")), now, days);
  let whole = false;
  const look = () => ask("days", { poll: true }).then((told) => {
    whole = true;
    days.replaceChildren(...byDay(told));
  }, ({ message }) => days.replaceChildren(el("h2", {}, say("by_day")), el("p", { className: "notice", role: "alert" }, message)));
  look(); // what the process knows is there at once
  const timer = setInterval(() => {
    ask("overview", { poll: true }).then(draw, () => {});
    if (!whole) look();
  }, EVERY_MS);
  return () => clearInterval(timer);
}

function shown(told) {
  const { response_ms: response, barge_in_ms: decided } = told;
  const state = [told.overloaded && say("overloaded"), told.draining && say("draining")].filter(Boolean).join(", ");
  return [
    el("p", { className: "faint" }, say("since_start", { when: when(told.since_wall_ms) })),
    el("dl", { className: "figures" },
      figure(say("response"), ms(response.p50), `${say("p95")} ${ms(response.p95)} · ${say("response_small")}`),
      figure(say("barge_in"), ms(decided.p50), `${say("p95")} ${ms(decided.p95)} · ${say("barge_in_small")}`),
      figure(say("calls_now"), String(told.live), `${told.free} ${say("free")}${state ? ` · ${state}` : ""}`),
      figure(say("calls_taken"), String(told.calls), `${say("since")} ${when(told.since_wall_ms)}`),
      figure(say("turns"), String(told.turns), `${told.dropped_turns} ${say("dropped")}`),
      figure(say("interruptions"), String(told.interruptions), ""),
      figure(say("false_barge_ins"), String(told.false_barge_ins), say("went_on")),
    ),
    el("h2", {}, say("calls_by_hour")), hours(told.hours),
    el("h2", {}, say("errors")),
    told.errors.length ? table([say("vendor"), say("code"), [say("count"), "number"]], told.errors.map((each) => [each.provider, term("code", each.code), [String(each.count), "number"]])) : el("p", { className: "faint" }, say("no_errors")),
    el("h2", {}, say("why_ended")),
    Object.keys(told.ended).length ? table([say("reason"), [say("count"), "number"]], Object.entries(told.ended).map(([reason, count]) => [term("reason", reason), [String(count), "number"]])) : el("p", { className: "faint" }, say("no_calls_yet")),
  ];
}

/** What a restart does not forget. */
function byDay({ days, whole }) {
  return [
    el("h2", {}, say("by_day")), el("p", { className: "faint" }, say(whole ? "by_day_text" : "by_day_part")),
    days.length ? table([say("day"), [say("calls"), "number"], [say("response"), "number"], [say("p95"), "number"], [say("interruptions"), "number wide"], [say("cost"), "number"]],
      days.map((each) => [[day(each.wall_ms), "when"], [String(each.calls), "number"], [ms(each.response_ms.p50), "number"], [ms(each.response_ms.p95), "number"], [String(each.interruptions), "number wide"], [money(each.cost_usd), "number"]])) : el("p", { className: "faint" }, say("no_calls_yet")),
  ];
}

function figure(name, value, small) {
  return el("div", {}, el("dt", {}, name), el("dd", {}, value, el("small", {}, small)));
}

function hours(list) {
  const most = Math.max(1, ...list.map((hour) => hour.calls));
  const label = list.filter((hour) => hour.calls).map((hour) => `${hourOf(hour.wall_ms)}: ${hour.calls}`).join(", ") || say("none");
  const bars = list.map((hour) => {
    const bar = el("span", { title: `${hourOf(hour.wall_ms)}: ${hour.calls}` }, hour.calls === most ? String(hour.calls) : "");
    bar.style.height = `${(hour.calls / most) * 100}%`;
    return bar;
  });
  const marks = list.filter((hour, number) => number % 6 === 0).map((hour) => el("span", {}, hourOf(hour.wall_ms)));
  return el("div", { role: "img", "aria-label": `${say("calls_by_hour")}: ${label}` }, el("div", { className: "hours" }, bars), el("div", { className: "marks" }, marks));
}

const hourOf = (wall) => new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" }).format(wall);
