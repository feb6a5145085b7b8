/** Calls: those the database has a record of, filtered; all that left a log; and one of them. */

import { PAGE, ask, clock, el, meaning, money, pages, table, when } from "./kit.js";
import { wordsOf } from "./terms.js";
import { say } from "./words.js";

const STATUSES = ["", "queued", "ringing", "in-progress", "ended"];
const DAY_MS = 86_400_000;

export async function open(main, [name, from], visitor) {
  if (name === "logs") return logs(main, Number(from) || 0);
  if (name && name !== "find") return (await import("./call.js")).open(main, name, visitor);
  return records(main, new URLSearchParams(from ?? ""));
}

async function records(main, wanted) {
  const offset = Number(wanted.get("offset")) || 0;
  const { calls, total } = await ask(`records?limit=${PAGE}&${query(wanted)}`);
  main.append(el("h1", {}, say("calls")), filters(wanted));
  if (!calls.length) main.append(el("p", { className: "faint" }, say([...wanted.keys()].length ? "none_found" : "no_calls")));
  else {
    main.append(table(
      [say("began"), say("assistant"), [say("status"), "wide"], [say("lasted"), "number"], [say("cost"), "number"], [say("ended"), "wide"], [say("caller"), "wide"]],
      calls.map((call) => [
        el("a", { href: `#/${call.status === "in-progress" ? "live" : "calls"}/${encodeURIComponent(call.id)}` }, when(call.wall_ms)), [call.assistant, "name"], [say(`s_${call.status}`), "wide"],
        [clock(call.duration_ms), "number"], [money(call.cost_usd), "number"], [reason(call.ended_reason), "wide"], [call.caller || say(`t_${call.type}`), "wide"],
      ]),
    ), pages(offset, calls.length, total, (next) => {
      const there = new URLSearchParams(wanted);
      there.set("offset", next);
      return `#/calls/find/${encodeURIComponent(there)}`;
    }, "more", "newer"));
  }
  main.append(el("p", {}, el("a", { href: "#/calls/logs" }, say("all_logs"))));
}

/** Why a call ended. A table has room for our words; who needs the API's finds it under the pointer, and in the call. */
const reason = (word) => (word ? el("span", { title: word }, meaning("reason", word)) : "–");

/** As the server wants it: days as numbers of days. */
function query(wanted) {
  const asked = new URLSearchParams(wanted);
  for (const [name, there] of [["since", "since_day"], ["until", "until_day"]]) {
    const day = Date.parse(asked.get(name) ?? "") / DAY_MS;
    asked.delete(name);
    if (Number.isInteger(day)) asked.set(there, String(day));
  }
  return asked;
}

/** The API's words, which are what is looked for, each with ours. */
const reasons = () => el("datalist", { id: "reasons" }, wordsOf("reason").map((word) => el("option", { value: word }, meaning("reason", word))));

function filters(wanted) {
  const value = (name) => wanted.get(name) ?? "";
  const field = (name, words, type = "text", list = "") => {
    const input = el("input", { name, type, value: value(name), maxLength: 128, autocomplete: "off" });
    if (list) input.setAttribute("list", list);
    return el("label", {}, say(words), input);
  };
  const status = el("select", { name: "status" }, STATUSES.map((each) => el("option", { value: each, selected: each === value("status") }, say(each ? `s_${each}` : "any"))));
  const form = el("form", { className: "row filters", onsubmit: (event) => {
    event.preventDefault();
    const given = [...new FormData(form)].filter(([, text]) => text.trim());
    location.hash = given.length ? `#/calls/find/${encodeURIComponent(new URLSearchParams(given))}` : "#/calls";
  } }, el("label", {}, say("status"), status), field("assistant", "assistant_id"), field("reason", "ended", "text", "reasons"), reasons(), field("since", "since_day", "date"), field("until", "until_day", "date"), el("button", {}, say("filter")));
  return form;
}

async function logs(main, offset) {
  const { calls, total } = await ask(`calls?limit=${PAGE}&offset=${offset}`);
  main.append(el("h1", {}, say("all_logs")), el("p", {}, el("a", { href: "#/calls" }, say("calls"))));
  if (!calls.length) {
    main.append(el("p", { className: "faint" }, say("no_calls")));
    return undefined;
  }
  main.append(table(
    [say("began"), say("assistant"), [say("lasted"), "number"], say("ended"), [say("from"), "wide"], [say("recorded"), "wide"]],
    calls.map((call) => [
      el("a", { href: `#/calls/${encodeURIComponent(call.name)}` }, when(call.wall_ms)), [call.assistant, "name"], [clock(call.duration_ms), "number"],
      call.ended ? reason(call.ended) : el("a", { href: `#/live/${encodeURIComponent(call.call_id)}` }, say("live")), [call.provider, "wide"], [call.recorded ? say("yes") : "–", "wide"],
    ]),
  ), pages(offset, calls.length, total, (next) => `#/calls/logs/${next}`, "more", "newer"));
  return undefined;
}
