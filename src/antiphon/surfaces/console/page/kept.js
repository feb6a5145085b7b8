/** Tools, numbers, credentials and evals: tables, and a form with the whole document as JSON beside it. */

import { bodyOf, jsonEditor, switcher } from "./assistant.js";
import { Clash } from "./clash.js";
import { Fields } from "./fields.js";
import { PAGE, Refused, ask, askVersion, attempt, el, once, pages, problem, saving, sure, table, when } from "./kit.js";
import { keepUnsaved } from "./unsaved.js";
import { say } from "./words.js";

/** Each kind: a new one, its form, and what it is called. `secret`: some of it is never shown, so only what was changed is sent. */
const KINDS = {
  tool: {
    blank: { type: "function", function: { name: "", description: "", parameters: { type: "object", properties: {} } }, server: { url: "" } },
    form: [["tool", [["type", "type", "line"], ["function.name", "name", "line"], ["server.url", "address", "line"], ["function.description", "description", "text"]]]],
    name: (each) => each.function?.name ?? each.name,
  },
  "phone-number": {
    secret: true, blank: { provider: "twilio", number: "", twilioAccountSid: "", assistantId: "" },
    form: [["k_phone-number", [["provider", "provider", "line"], ["number", "number", "line"], ["name", "name", "line"], ["assistantId", "assistant_id", "line"]]], ["vendor", [["twilioAccountSid", "account_sid", "line"], ["twilioAuthToken", "auth_token", "secret"]]]],
    name: (each) => each.number || each.name,
  },
  credential: {
    secret: true, blank: { provider: "openai", name: "" },
    form: [["k_credential", [["provider", "provider", "line"], ["name", "name", "line"], ["apiKey", "api_key", "secret"]]]],
    name: (each) => each.name,
  },
  eval: {
    blank: { type: "chat.mockConversation", name: "", messages: [{ role: "user", content: "" }, { role: "assistant", judgePlan: { type: "exact", content: "" } }] },
    form: [["k_eval", [["name", "name", "line"], ["description", "description", "text"]]]],
    name: (each) => each.name,
  },
};

export async function open(main, [kind = "tool", id, offset], { may }) {
  if (!Object.hasOwn(KINDS, kind)) throw new Refused(404, say("no_page"));
  if (id === "from") return list(main, kind, may("builder"), Number(offset) || 0);
  return id ? one(main, kind, id === "new" ? "" : id, may("builder"), Number(offset) || 0) : list(main, kind, may("builder"), 0);
}

async function list(main, kind, editable, offset) {
  const { rows, total } = await ask(`kept/${kind}?limit=${PAGE}&offset=${offset}`);
  const links = Object.keys(KINDS).map((each) => {
    const link = el("a", { className: "button", href: `#/kept/${each}` }, say(`k_${each}`));
    if (each === kind) link.setAttribute("aria-current", "page");
    return link;
  });
  main.append(el("h1", {}, say("kept")), el("p", { className: "row kinds" }, links));
  if (editable) main.append(el("p", {}, el("a", { className: "button main", href: `#/kept/${kind}/new` }, say(`new_${kind}`))));
  main.append(rows.length ? table([say("name"), say("type"), [say("changed_at"), "wide"]], rows.map((each) => [
    el("a", { href: `#/kept/${kind}/${encodeURIComponent(each.id)}` }, each.name || each.id), each.type, [when(each.updated_wall_ms), "when wide"],
  ])) : el("p", { className: "faint" }, say("none")), pages(offset, rows.length, total, (next) => `#/kept/${kind}/from/${next}`));
}

async function one(main, kind, id, editable, offset) {
  const { blank, form, secret, name } = KINDS[kind];
  const path = `rest/${kind}${id ? `/${encodeURIComponent(id)}` : ""}`;
  const [shown, version] = id ? await askVersion(path) : [blank, null];
  let before = documentOf(shown);
  const state = { doc: structuredClone(before), version, changed: false };
  const wrong = problem();
  const saved = el("p", { className: "faint", role: "status" });
  const changed = () => {
    state.changed = true;
    saved.textContent = say("unsaved");
  };
  const fields = new Fields(state, {}, changed, editable, form);
  const json = jsonEditor(state, changed, editable);
  const draw = (now, seen, told) => {
    before = documentOf(now); // without the secrets that were typed
    Object.assign(state, { doc: structuredClone(before), version: seen, changed: false });
    fields.draw();
    json.draw();
    title.textContent = `${say(`k_${kind}`)} · ${name(before) || id}`;
    saved.textContent = told;
  };
  const clash = new Clash({ path, state, mine: (theirs) => (secret ? { ...theirs, ...different(before, state.doc) } : state.doc), load: (theirs, seen) => draw(theirs, seen, say("theirs_shown")) });
  const save = once(() => attempt(wrong, () => clash.guard(async () => {
    if (json.broken()) throw new Error(json.broken());
    const sent = JSON.stringify(state.doc);
    const [made, now] = await saving(saved, () => askVersion(path, { method: id ? (secret ? "PATCH" : "PUT") : "POST", body: id && secret ? different(before, state.doc) : state.doc, seen: state.version }));
    if (!id) {
      state.changed = false;
      return void (location.hash = `#/kept/${kind}/${encodeURIComponent(made.id)}`);
    }
    if (JSON.stringify(state.doc) === sent) return void draw(made, now, say("saved_now"));
    state.version = now; // they have typed on
    saved.textContent = say("unsaved");
    return undefined;
  }, save)));
  const gone = () => attempt(wrong, () => clash.guard(async () => {
    await ask(path, { method: "DELETE", seen: state.version });
    state.changed = false;
    location.hash = `#/kept/${kind}`;
  }, gone, "remove_anyway"));
  const title = el("h1", {}, id ? `${say(`k_${kind}`)} · ${name(before) || id}` : say(`new_${kind}`));
  main.append(
    title, el("p", {}, el("a", { href: `#/kept/${kind}` }, say(`k_${kind}`))),
    el("p", { className: "row" }, editable && el("button", { type: "button", id: "save", className: "main", onclick: save }, say("save")), editable && id && sure(say("remove"), say("remove_sure"), gone)),
    clash.element, wrong, saved);
  if (secret) main.append(el("p", { className: "faint" }, say("secrets_text")));
  main.append(switcher(fields, json));
  const stop = kind === "eval" && id ? await (await import("./evals.js")).runs(main, id, editable, Math.floor(offset / PAGE) * PAGE) : () => {};
  const forget = keepUnsaved(() => state.changed);
  return () => {
    forget();
    stop();
  };
}

/** Without what the server says of it. */
function documentOf(shown) {
  const { status: _, ...theirs } = bodyOf(shown);
  return theirs;
}

/** The top-level fields that are another now: what is not shown is not sent back. */
function different(before, now) {
  return Object.fromEntries(Object.entries(now).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name])));
}
