/** Assistants: the list; one of them, and its versions, have modules of their own. */

import { PAGE, ask, el, inWords, pages, table, when } from "./kit.js";
import { say } from "./words.js";

export async function open(main, [id, what, from], visitor) {
  if (id === "from") return list(main, visitor, Number(what) || 0);
  if (id && what === "versions") return (await import("./versions.js")).open(main, id, Number(from) || 0, visitor);
  if (id && what === "workflow") return (await import("./workflow.js")).open(main, id, visitor);
  if (id) return (await import("./assistant.js")).open(main, id === "new" ? "" : id, visitor);
  return list(main, visitor, 0);
}

async function list(main, { may }, offset) {
  const { assistants, total, files, unusable } = await ask(`assistants?limit=${PAGE}&offset=${offset}`);
  main.append(el("h1", {}, say("assistants")));
  if (may("builder")) main.append(el("p", {}, el("a", { className: "button main", href: "#/assistants/new" }, say("new_assistant"))));
  main.append(assistants.length ? table(
    [say("name"), say("model"), [say("voice_of"), "wide"], [say("transcriber"), "wide"], [say("version"), "number"], [say("changed_at"), "wide"]],
    assistants.map((each) => [
      el("a", { href: `#/assistants/${encodeURIComponent(each.id)}` }, each.name || each.id), each.model, [each.voice, "wide"], [each.transcriber, "wide"],
      [`v${each.version}`, "number"], [when(each.updated_wall_ms), "when wide"],
    ]),
  ) : el("p", { className: "faint" }, say("no_assistants")));
  main.append(pages(offset, assistants.length, total, (next) => `#/assistants/from/${next}`));
  if (files.length) main.append(el("h2", {}, `${say("files")} (${files.length})`), el("p", { className: "faint" }, say("files_text")),
    el("ul", { className: "plain" }, files.map((name) => el("li", {}, el("a", { href: `#/assistants/${encodeURIComponent(name)}` }, name)))));
  const broken = Object.entries(unusable);
  if (broken.length) main.append(el("h2", {}, `${say("unusable")} (${broken.length})`),
    el("ul", { className: "notes" }, broken.map(([name, why]) => el("li", { className: "bad" }, el("code", {}, name), ` ${inWords(why)}`))));
  return undefined;
}
