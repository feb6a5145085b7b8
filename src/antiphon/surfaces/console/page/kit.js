/** What every page needs: elements, the server, and how times are written. */

import { inLanguage } from "./problems.js";
import { Refused } from "./server.js";
import { wordsFor } from "./terms.js";
import { language, say } from "./words.js";

export { Refused, ask, askVersion, carry, urlOf } from "./server.js";

/** An element. `fields` are properties, `on…` listeners, and what has a dash is an attribute; children are nodes or text. */
export function el(name, fields = {}, ...children) {
  const made = document.createElement(name);
  give(made, fields);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function give(made, fields) {
  for (const [key, value] of Object.entries(fields)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key.includes("-") || key === "role" || key === "for") made.setAttribute(key, value);
    else made[key] = value;
  }
}

/** For screen readers. */
export function announce(text) {
  document.getElementById("told").textContent = text;
}

// ------------------------------------------------------------------------------------------ how it is written

export const ms = (value) => (value === null || value === undefined ? "–" : value < 10_000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`);

/** What the server says of a problem, or of a field without effect, in the page's language. */
export const inWords = (text) => inLanguage(text, language);

/** A word of the API in the page's language. */
export const meaning = (kind, word) => wordsFor(kind, word, language);

/** The same, and the API's own word small beside it, for those who look for it elsewhere. */
export function term(kind, word) {
  const words = meaning(kind, word);
  return words === word ? el("span", {}, word) : el("span", {}, words, " ", el("code", { className: "own" }, word));
}

/** A JSON object that somebody typed. Throws an Error that says what is wrong, as far as it can in the browser's own words. */
export function objectOf(text) {
  let made;
  try {
    made = JSON.parse(text);
  } catch (error) {
    throw new Error(say("json_wrong", { problem: error.message }));
  }
  if (made === null || typeof made !== "object" || Array.isArray(made)) throw new Error(say("json_object"));
  return made;
}

/** A place in a call. */
export function at(value) {
  const tenths = Math.round(value / 100);
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}

export function clock(value) {
  if (value === null || value === undefined) return "–";
  const seconds = Math.floor(value / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}:${String(seconds % 60).padStart(2, "0")}` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export const money = (usd) => `$${(usd ?? 0).toFixed(usd > 0 && usd < 1 ? 4 : 2)}`;

export const when = (wall) => new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(wall);

/** A day that began at this moment, UTC. */
export const day = (wall) => new Intl.DateTimeFormat(language, { month: "short", day: "numeric", timeZone: "UTC" }).format(wall);

/** With seconds. */
export const exactly = (wall) => new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" }).format(wall);

/** Rows of a list that are shown at once. */
export const PAGE = 50;

const counted = (number) => new Intl.NumberFormat(language).format(number);

/** Below one page of a list: which part of it is shown, of how many, and the ways to the others. `href(offset)`; `older` and `newer`: the
 * words for what follows and what came before. */
export function pages(offset, shown, total, href, older = "more_kept", newer = "newer_kept") {
  if (!total && !offset) return "";
  const last = Math.max(0, Math.ceil(total / PAGE) - 1) * PAGE;
  const part = shown ? `${counted(offset + 1)}–${counted(offset + shown)}` : "0";
  return el("nav", { className: "row pages", "aria-label": say("pages") },
    offset > 0 && el("a", { href: href(Math.min(Math.max(0, offset - PAGE), last)) }, say(newer)),
    el("span", { className: "faint" }, say("part_of_all", { part, total: counted(total) })),
    offset + PAGE < total && el("a", { href: href(offset + PAGE) }, say(older)));
}

/** A table of rows; a cell is text, a node, or [text or node, class]. */
export function table(heads, rows) {
  const cell = (kind, what) => (Array.isArray(what) ? el(kind, { className: what[1] }, what[0]) : el(kind, {}, what));
  const head = el("thead", {}, el("tr", {}, heads.map((each) => { const th = cell("th", each); th.scope = "col"; return th; })));
  const label = heads.map((each) => (Array.isArray(each) ? each[0] : each)).filter(Boolean).join(", ");
  return el("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": label }, el("table", {}, head, el("tbody", {}, rows.map((row) => el("tr", {}, row.map((each) => cell("td", each)))))));
}

/** What is saved is on its way; where it does not arrive, it is not saved. */
export async function saving(place, act) {
  place.textContent = say("saving");
  try {
    return await act();
  } catch (error) {
    place.textContent = say("unsaved");
    throw error;
  }
}

/** A button that asks once more before it does something that cannot be taken back. */
export function sure(label, again, act) {
  const button = el("button", { type: "button", className: "danger", onclick: ({ detail }) => {
    if (detail > 1) return undefined; // a double click has read nothing
    if (button.textContent === again) return act();
    button.textContent = again;
    setTimeout(() => (button.textContent = label), 4000);
    return undefined;
  } }, label);
  return button;
}

/** An action that is not begun anew while it is under way: who presses twice means it once. */
export function once(act) {
  let under = null;
  return (...given) => (under ??= act(...given).finally(() => (under = null)));
}

/** Run an action of a form or a button; what is refused is said beside it. */
export async function attempt(place, act) {
  place.hidden = true;
  try {
    return await act();
  } catch (error) {
    place.textContent = error.message || say("failed");
    place.hidden = false;
    if (!(error instanceof Refused || error.constructor === Error)) throw error;
    return undefined;
  }
}

export const problem = () => el("p", { className: "notice", role: "alert", hidden: true });
