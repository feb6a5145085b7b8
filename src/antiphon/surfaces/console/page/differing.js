/** Two states of a document, side by side as lines. */

import { differences } from "./diff.js";
import { el } from "./kit.js";
import { say } from "./words.js";

const OURS = ["id", "orgId", "createdAt", "updatedAt", "latestVersion", "assistantId", "version", "parentVersion", "configHash", "status"];
const MARKS = { added: "+", removed: "−", same: " ", gap: "⋯" };
const WORDS = { added: "line_added", removed: "line_removed" };

/** The document as lines, without what the server says of it. */
export const linesOf = (shown) => JSON.stringify(Object.fromEntries(Object.entries(shown).filter(([name]) => !OURS.includes(name))), null, 2).split("\n");

/** `none`: what is said where nothing differs. */
export function drawnDifferences(before, after, none) {
  const lines = differences(before, after);
  if (!lines.length) return el("p", { className: "faint" }, none);
  return el("div", { className: "diff scroll", tabIndex: 0, role: "region", "aria-label": say("what_changed") }, lines.map(({ kind, text }) => el("div", { className: kind },
    el("span", { "aria-hidden": "true" }, MARKS[kind]), WORDS[kind] && el("span", { className: "unseen" }, say(WORDS[kind])), el("code", {}, text))));
}
