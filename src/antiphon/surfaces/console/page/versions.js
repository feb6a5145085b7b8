/** The versions of an assistant: what each changed, and any of them restored. */

import { bodyOf } from "./assistant.js";
import { differences } from "./diff.js";
import { PAGE, ask, attempt, el, pages, problem, sure, table, when } from "./kit.js";
import { say } from "./words.js";

const OF_A_VERSION = ["assistantId", "version", "parentVersion", "configHash"];

const written = (version) => JSON.stringify(Object.fromEntries(Object.entries(bodyOf(version)).filter(([name]) => !OF_A_VERSION.includes(name))), null, 2).split("\n");

export async function open(main, id, offset, { may }) {
  const path = `rest/assistant/${encodeURIComponent(id)}`;
  const wrong = problem();
  const shown = el("section", { "aria-live": "polite" });
  const draw = async () => {
    const versions = await ask(`${path}/versions`);
    const restore = (version) => attempt(wrong, async () => {
      await ask(`${path}/restore/${version}`, { method: "POST" });
      await draw();
    });
    const compare = (version, other) => {
      const lines = differences(written(other), written(version));
      shown.replaceChildren(el("h2", {}, say("changes_between", { old: other.version, new: version.version })), lines.length ? drawn(lines) : el("p", { className: "faint" }, say("no_changes")));
    };
    main.replaceChildren(
      el("h1", {}, `${versions[0].name || id} · ${say("versions")}`),
      el("p", {}, el("a", { href: `#/assistants/${encodeURIComponent(id)}` }, say("back_to_it"))), wrong,
      table([say("version"), say("when")], versions.map((version, at) => [version, at]).slice(offset, offset + PAGE).map(([version, at]) => [
        version.version,
        el("div", { className: "row" }, el("span", { className: "grow" }, when(Date.parse(version.createdAt))),
          versions[at + 1] && el("button", { type: "button", "aria-label": `${say("what_changed")}: ${version.version}`, onclick: () => compare(version, versions[at + 1]) }, say("what_changed")),
          at > 0 && el("button", { type: "button", "aria-label": `${say("against_now")}: ${version.version}`, onclick: () => compare(versions[0], version) }, say("against_now")),
          at > 0 && may("builder") && sure(say("restore"), say("restore_sure"), () => restore(version.version))),
      ])), pages(offset, versions.slice(offset, offset + PAGE).length, versions.length, (next) => `#/assistants/${encodeURIComponent(id)}/versions/${next}`), shown);
    shown.replaceChildren();
    if (versions[offset + 1]) compare(versions[offset], versions[offset + 1]);
  };
  await draw();
}

function drawn(lines) {
  const marks = { added: "+", removed: "−", same: " ", gap: "⋯" };
  const words = { added: "line_added", removed: "line_removed" };
  return el("div", { className: "diff scroll", tabIndex: 0, role: "region", "aria-label": say("what_changed") }, lines.map(({ kind, text }) => el("div", { className: kind },
    el("span", { "aria-hidden": "true" }, marks[kind]), words[kind] && el("span", { className: "unseen" }, say(words[kind])), el("code", {}, text))));
}
