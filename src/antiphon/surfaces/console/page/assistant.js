/** One assistant: a form for what is common, JSON for all, and what is wrong or without effect said at its field. */

import { Clash } from "./clash.js";
import { ask, askVersion, attempt, el, inWords, objectOf, once, problem, saving, sure } from "./kit.js";
import { Fields } from "./fields.js";
import { keepUnsaved } from "./unsaved.js";
import { say } from "./words.js";

const CHECK_AFTER_MS = 400;
const OURS = ["id", "orgId", "createdAt", "updatedAt", "latestVersion"];
const MAX_NAME = 40;
export const NEW = { name: "", firstMessage: "", model: { provider: "", model: "", messages: [{ role: "system", content: "" }] }, voice: { provider: "", voiceId: "" }, transcriber: { provider: "", language: "" } };

/** The document without what the server says of it. */
export const bodyOf = (shown) => Object.fromEntries(Object.entries(shown).filter(([name]) => !OURS.includes(name)));

export async function open(main, id, { may }) {
  const path = `rest/assistant${id ? `/${encodeURIComponent(id)}` : ""}`;
  const [[shown, version], choices, { files }] = await Promise.all([id ? askVersion(path) : [NEW, null], ask("assistants/choices"), ask("assistants?limit=1")]);
  const editable = may("builder") && !files.includes(id);
  const state = { doc: structuredClone(bodyOf(shown)), version, changed: false };
  const wrong = problem();
  const saved = el("p", { className: "faint", role: "status" });
  const rest = el("ul", { className: "notes" });
  let timer = 0;
  let asked = 0;

  const check = async () => {
    const mine = ++asked;
    const found = await ask("assistants/check", { method: "POST", body: state.doc }).catch(() => null);
    if (!found || mine !== asked) return true;
    const others = fields.tell(found);
    rest.replaceChildren(...others.map(({ field, text, bad }) => el("li", { className: bad ? "bad" : "" }, field && el("code", {}, field), ` ${inWords(text)}`)));
    return !found.problems.length;
  };
  const changed = () => {
    state.changed = true;
    saved.textContent = say("unsaved");
    clearTimeout(timer);
    timer = setTimeout(check, CHECK_AFTER_MS);
  };
  const fields = new Fields(state, choices, changed, editable);
  const json = jsonEditor(state, changed, editable);
  const views = switcher(fields, json);

  const clash = new Clash({ path, state, mine: () => state.doc, load: (theirs, seen) => {
    Object.assign(state, { doc: structuredClone(bodyOf(theirs)), version: seen, changed: false });
    fields.draw();
    json.draw();
    title.textContent = state.doc.name || id;
    saved.textContent = say("theirs_shown");
    check();
  } });
  const keep = once(() => attempt(wrong, () => clash.guard(async () => {
    if (json.broken()) throw new Error(json.broken());
    if (!(await check())) {
      main.querySelector("[aria-invalid]")?.focus();
      throw new Error(say("wrong_fields"));
    }
    const kept = JSON.stringify(state.doc);
    const [answer, now] = await saving(saved, () => askVersion(path, { method: id ? "PUT" : "POST", body: state.doc, seen: state.version }));
    state.changed = JSON.stringify(state.doc) !== kept; // they may have typed on
    if (!id) return void (location.hash = `#/assistants/${encodeURIComponent(answer.id)}`);
    state.version = now;
    saved.textContent = state.changed ? say("unsaved") : say("saved", { version: answer.latestVersion });
    title.textContent = state.doc.name || id;
    return void check(); // who presses again meanwhile is not passed over
  }, keep)));
  const title = el("h1", {}, id ? state.doc.name || id : say("new_assistant"));
  if (!editable) main.append(el("p", { className: "notice" }, say(files.includes(id) ? "file_only" : "read_only")));
  main.prepend(title);
  main.append(actions(id, state, { editable, may, keep, wrong, clash }), clash.element, wrong, saved, rest, views);
  main.addEventListener("keydown", (event) => {
    if (!editable || !(event.ctrlKey || event.metaKey) || event.key !== "s") return;
    event.preventDefault();
    keep();
  });
  if (id) await check();
  const forget = keepUnsaved(() => state.changed);
  return () => {
    clearTimeout(timer);
    forget();
  };
}

function actions(id, state, { editable, may, keep, wrong, clash }) {
  const copy = once(() => attempt(wrong, async () => {
    const name = `${(state.doc.name || id).slice(0, MAX_NAME - 7)} (copy)`;
    const made = await ask("rest/assistant", { method: "POST", body: { ...state.doc, name } });
    state.changed = false; // the copy has it
    location.hash = `#/assistants/${encodeURIComponent(made.id)}`;
  }));
  const gone = () => attempt(wrong, () => clash.guard(async () => {
    await ask(`rest/assistant/${encodeURIComponent(id)}`, { method: "DELETE", seen: state.version });
    state.changed = false;
    location.hash = "#/assistants";
  }, gone, "remove_anyway"));
  return el("p", { className: "row" },
    editable && el("button", { className: "main", type: "button", id: "save", onclick: keep }, say("save")),
    id && may("builder") && el("a", { className: "button", href: `talk?assistant=${encodeURIComponent(id)}` }, say("try_it")),
    id && may("builder") && el("button", { type: "button", id: "copy", onclick: copy }, say("copy")),
    id && state.version && el("a", { className: "button", href: `#/assistants/${encodeURIComponent(id)}/versions` }, say("versions")),
    id && (editable || state.doc.model?.workflow) && el("a", { className: "button", href: `#/assistants/${encodeURIComponent(id)}/workflow` }, say("workflow")),
    id && editable && sure(say("remove"), say("remove_sure"), gone));
}

/** The whole document as text. */
export function jsonEditor(state, changed, editable) {
  const wrong = problem();
  const text = el("textarea", { id: "json", className: "code", rows: 30, spellcheck: false, readOnly: !editable, "aria-label": "JSON", oninput: () => {
    try {
      state.doc = objectOf(text.value);
      wrong.hidden = true;
      changed();
    } catch (error) {
      wrong.textContent = error.message;
      wrong.hidden = false;
    }
  } });
  return { element: el("div", {}, wrong, text), draw: () => (text.value = JSON.stringify(state.doc, null, 2)), broken: () => (wrong.hidden ? "" : wrong.textContent) };
}

/** Two buttons, one of which is pressed. */
export function switcher(fields, json) {
  const place = el("div");
  const show = (view, button) => {
    if (json.broken() && view === fields) return;
    view.draw();
    place.replaceChildren(view.element);
    for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
  };
  const buttons = [fields, json].map((view, number) => el("button", { type: "button", id: number ? "as-json" : "as-form", onclick: (event) => show(view, event.currentTarget) }, say(number ? "as_json" : "as_form")));
  show(fields, buttons[0]);
  return el("section", {}, el("p", { className: "switch", role: "group", "aria-label": say("view") }, buttons), place);
}
