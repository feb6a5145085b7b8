/** Who may come in, and what they did. */

import { PAGE, ask, attempt, el, exactly, pages, problem, sure, table, when } from "./kit.js";
import { say } from "./words.js";

const ROLES = ["admin", "builder", "viewer"];

export async function open(main, [list, from], { user }) {
  const offset = Number(from) || 0;
  return list === "audit" ? audit(main, offset) : people(main, offset, user);
}

/** Newest first. */
async function audit(main, offset) {
  const { entries, total } = await ask(`audit?limit=${PAGE}&offset=${offset}`);
  main.append(
    el("h1", {}, say("audit")), el("p", {}, el("a", { href: "#/people" }, say("people"))),
    table([say("when"), say("who"), say("what"), [say("subject"), "words"]], entries.map((each) => [[exactly(each.wall_ms), "when"], each.who, each.action, [each.subject, "words"]])),
    pages(offset, entries.length, total, (next) => `#/people/audit/${next}`));
}

async function people(main, offset, user) {
  const wrong = problem();
  const draw = async () => {
    const { people: shown, total } = await ask(`people?limit=${PAGE}&offset=${offset}`);
    main.replaceChildren(
      el("h1", {}, say("people")), wrong,
      table([say("name"), say("role"), [say("began"), "wide"], ""], shown.map((each) => row(each))),
      pages(offset, shown.length, total, (next) => `#/people/from/${next}`, "more_people", "earlier_people"),
      el("h2", {}, say("add_person")), adding(),
      el("h2", {}, say("audit")), el("p", {}, el("a", { href: "#/people/audit" }, say("see_audit"))),
    );
  };
  const act = (ask_) => attempt(wrong, async () => { await ask_(); await draw(); });

  function row(person) {
    const role = roles(person.role, `${say("role")}: ${person.name}`);
    role.addEventListener("change", () => act(() => ask(`people/${person.id}`, { method: "PATCH", body: { role: role.value } })).then(() => draw()));
    const gone = person.id === user.id ? say("you") : sure(say("remove"), say("remove_sure"), () => act(() => ask(`people/${person.id}`, { method: "DELETE" })));
    return [[person.name, "name"], role, [when(person.created_wall_ms), "when wide"], gone];
  }

  function adding() {
    const form = el("form", { className: "row", onsubmit: (event) => {
      event.preventDefault();
      act(() => ask("people", { method: "POST", body: Object.fromEntries(new FormData(form)) }));
    } },
      el("label", { className: "grow" }, say("name"), el("input", { name: "name", required: true, maxLength: 100, autocomplete: "off" })),
      el("label", { className: "grow" }, say("new_password"), el("input", { name: "password", type: "password", required: true, minLength: 10, autocomplete: "new-password" })),
      el("label", {}, say("role"), roles("viewer", say("role"))),
      el("button", { className: "main" }, say("add")));
    return form;
  }

  await draw();
}

function roles(chosen, label) {
  const select = el("select", { name: "role", "aria-label": label }, ROLES.map((role) => el("option", { value: role, selected: role === chosen }, say(role))));
  return select;
}
