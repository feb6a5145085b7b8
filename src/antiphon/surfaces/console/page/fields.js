/** The form of an assistant: what nearly everybody sets. Each field is a place in the document; all else stays as it is. */

import { el, inWords } from "./kit.js";
import { say } from "./words.js";

/** The groups, and in each: where in the document, which words name it, and how it is written. `prompt` is the first system message. */
const GROUPS = [
  ["g_speaks", [["name", "name", "line"], ["firstMessage", "first_message", "text"], ["prompt", "prompt", "long"]]],
  ["model", [["model.provider", "provider", "choice"], ["model.model", "model_name", "line"], ["model.temperature", "temperature", "number"]]],
  ["voice_of", [["voice.provider", "provider", "choice"], ["voice.voiceId", "voice_id", "line"], ["voice.language", "language", "line"]]],
  ["transcriber", [["transcriber.provider", "provider", "choice"], ["transcriber.model", "model_name", "line"], ["transcriber.language", "language", "line"]]],
];
const ROWS = { text: 2, long: 12 };

export class Fields {
  #inputs = new Map();

  /** `groups`: those of another kind of document. */
  constructor(state, choices, changed, editable, groups = GROUPS) {
    this.state = state;
    this.element = el("form", { className: "fields", onsubmit: (event) => event.preventDefault() }, groups.map(([title, list]) => el("fieldset", {}, el("legend", {}, say(title)), list.map((field) => this.#field(field, choices, changed, editable)))));
  }

  #field([path, words, kind], choices, changed, editable) {
    const id = `field-${path.replaceAll(".", "-")}`;
    const note = el("span", { className: "note", id: `${id}-note` });
    const long = kind in ROWS;
    const input = el(long ? "textarea" : "input", { id, "aria-describedby": note.id, autocomplete: "off", dir: "auto", ...(long ? { rows: ROWS[kind], readOnly: !editable } : { disabled: !editable }) });
    if (path === "name") input.maxLength = 40;
    if (kind === "secret") Object.assign(input, { type: "password", autocomplete: "new-password" });
    if (kind === "number") Object.assign(input, { type: "number", min: 0, max: 2, step: "any" });
    const list = kind === "choice" && el("datalist", { id: `${id}-list` }, choices[path.split(".")[0]].map((value) => el("option", { value })));
    if (list) input.setAttribute("list", list.id);
    input.addEventListener("input", () => {
      put(this.state.doc, path, kind === "number" && input.value !== "" ? Number(input.value) : input.value);
      changed();
    });
    this.#inputs.set(path, { input, note });
    return el("label", { className: long ? "whole" : "" }, say(words), input, list, note);
  }

  draw() {
    for (const [path, { input }] of this.#inputs) input.value = get(this.state.doc, path) ?? "";
  }

  /** Say each finding at its field; those that belong to none of them are the answer. */
  tell({ problems, warnings }) {
    for (const { input, note } of this.#inputs.values()) {
      note.textContent = "";
      note.className = "note";
      input.removeAttribute("aria-invalid");
    }
    const found = [...problems.map((text) => ({ ...parted(text), bad: true })), ...warnings.map(({ field, reason }) => ({ field, text: reason, bad: false }))];
    return found.filter((each) => !this.#at(each));
  }

  #at({ field, text, bad }) {
    const path = pathOf(field, this.state.doc);
    const own = this.#inputs.get(path);
    const place = own ?? this.#inputs.get(`${path}.provider`);
    if (!place) return false;
    place.note.textContent = `${place.note.textContent} ${own ? "" : `${field} `}${inWords(text)}`.trim();
    place.note.classList.toggle("bad", bad || place.note.classList.contains("bad"));
    if (bad) place.input.setAttribute("aria-invalid", "true");
    return true;
  }
}

/** `voice.provider must be …` is of the field `voice.provider`. */
function parted(text) {
  const [, field, rest] = /^([\w-]+(?:\.[\w-]+)*):? (.*)$/s.exec(text) ?? [null, "", text];
  return { field, text: rest };
}

function pathOf(field, doc) {
  const at = systemAt(doc);
  return field === "model.systemPrompt" || (at >= 0 && field === `model.messages.${at}.content`) ? "prompt" : field;
}

const systemAt = (doc) => (Array.isArray(doc.model?.messages) ? doc.model.messages.findIndex((message) => message?.role === "system") : -1);

function get(doc, path) {
  if (path !== "prompt") return path.split(".").reduce((value, name) => value?.[name], doc);
  const at = systemAt(doc);
  return at >= 0 ? doc.model.messages[at].content : doc.model?.systemPrompt;
}

/** What is emptied is left out. */
function put(doc, path, value) {
  if (path === "prompt") return putPrompt(doc, value);
  const names = path.split(".");
  const last = names.pop();
  let place = doc;
  for (const name of names) place = place[name] !== null && typeof place[name] === "object" ? place[name] : (place[name] = {});
  if (value === "") delete place[last];
  else place[last] = value;
  return undefined;
}

function putPrompt(doc, value) {
  const model = doc.model !== null && typeof doc.model === "object" ? doc.model : (doc.model = {});
  if (typeof model.systemPrompt === "string" && systemAt(doc) < 0) return void (model.systemPrompt = value);
  if (!Array.isArray(model.messages)) model.messages = [];
  const at = systemAt(doc);
  if (at >= 0) model.messages[at].content = value;
  else model.messages.unshift({ role: "system", content: value });
  return undefined;
}
