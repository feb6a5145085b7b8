/** Who did what: the newest first, filtered by person, action, object and day. What is asked for is in the address. */

import { PAGE, ask, el, exactly, pages, table } from "./kit.js";
import { say } from "./words.js";

const FIELDS = ["who", "action", "subject"];

/** `from`: an offset, or what is wanted as in a query: `who=ada&day=2026-11-29`. */
export async function open(main, from = "") {
  const wanted = new URLSearchParams(/^\d+$/.test(from) ? { offset: from } : from);
  const offset = Number(wanted.get("offset")) || 0;
  const [{ entries, total }, choices] = await Promise.all([ask(`audit?limit=${PAGE}&offset=${offset}&${query(wanted)}`), ask("audit/choices")]);
  main.append(el("h1", {}, say("audit")), el("p", {}, el("a", { href: "#/people" }, say("people"))), filters(wanted, choices));
  if (!entries.length) main.append(el("p", { className: "faint" }, say("none_like_that")));
  else main.append(table([say("when"), say("who"), say("what"), [say("subject"), "words"]], entries.map((each) => [
    [exactly(each.wall_ms), "when"], link(wanted, "who", each.who), link(wanted, "action", each.action, deed(each.action)), [link(wanted, "subject", each.subject), "words"],
  ])));
  main.append(pages(offset, entries.length, total, (next) => address(wanted, { offset: String(next) })));
}

/** As the server wants it: a day is this browser's, from its midnight to the next. */
function query(wanted) {
  const asked = new URLSearchParams(FIELDS.filter((name) => wanted.get(name)).map((name) => [name, wanted.get(name)]));
  const day = new Date(`${wanted.get("day")}T00:00`);
  if (Number.isNaN(day.getTime()) || day < 0) return asked;
  asked.set("from_ms", String(day.getTime()));
  day.setDate(day.getDate() + 1);
  asked.set("until_ms", String(day.getTime()));
  return asked;
}

/** The same page with some of what is wanted changed; from its beginning, unless an offset is given. */
function address(wanted, changes) {
  const there = new URLSearchParams([...[...wanted].filter(([name]) => name !== "offset" && !(name in changes)), ...Object.entries(changes)]);
  return there.size ? `#/people/audit/${encodeURIComponent(there)}` : "#/people/audit";
}

/** What stands in a cell leads to all that are like it. */
const link = (wanted, name, value, words = value) => (value ? el("span", {}, el("a", { href: address(wanted, { [name]: value }) }, words)) : "–");

/** `tool.removed` in words; what has none is said as it is. */
function deed(action) {
  const key = `a_${action.replaceAll(".", "_")}`;
  const words = say(key);
  return words === key ? action : words;
}

function filters(wanted, { who, actions }) {
  const value = (name) => wanted.get(name) ?? "";
  const choice = (name, words, all, written = (each) => each) => el("label", {}, say(words), el("select", { name },
    [["", say("any")], ...[...new Set([...all, value(name)])].filter(Boolean).map((each) => [each, written(each)])].map(([each, text]) => el("option", { value: each, selected: each === value(name) }, text))));
  return el("form", { className: "row filters", onsubmit: (event) => {
    event.preventDefault();
    const given = Object.fromEntries([...new FormData(event.target)].filter(([, text]) => text.trim()));
    location.hash = address(new URLSearchParams(), given);
  } },
    choice("who", "who", who), choice("action", "what", actions, deed),
    el("label", {}, say("subject"), el("input", { name: "subject", value: value("subject"), maxLength: 128, autocomplete: "off" })),
    el("label", {}, say("day"), el("input", { name: "day", type: "date", value: value("day") })), el("button", {}, say("filter")));
}
