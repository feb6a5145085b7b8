/** The versions of an assistant: what each changed, and any of them restored. */

import { drawnDifferences, linesOf } from "./differing.js";
import { PAGE, Refused, ask, attempt, el, pages, problem, sure, table, when } from "./kit.js";
import { say } from "./words.js";

export async function open(main, id, offset, { may }) {
  const path = `rest/assistant/${encodeURIComponent(id)}`;
  const wrong = problem();
  const shown = el("section", { "aria-live": "polite" });
  const draw = async () => {
    const versions = await ask(`${path}/versions`);
    const restore = (version) => attempt(wrong, async () => {
      try {
        await ask(`${path}/restore/${version}`, { method: "POST", seen: `"${versions[0].version}"` });
      } catch (error) {
        if (error instanceof Refused && error.status === 412) await draw(); // with what has come since
        throw error.told?.changed ? new Error(say("restore_refused", { who: error.told.changed.by || say("an_api_key") })) : error;
      }
      await draw();
    });
    const compare = (version, other) => {
      shown.replaceChildren(el("h2", {}, say("changes_between", { old: other.version, new: version.version })), drawnDifferences(linesOf(other), linesOf(version), say("no_changes")));
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
