/** Who may come in. What they did has a module of its own. */

import { PAGE, Refused, ask, attempt, el, once, pages, problem, sure, table, when } from "./kit.js";
import { keepUnsaved } from "./unsaved.js";
import { say } from "./words.js";

const ROLES = ["admin", "builder", "viewer"];

export async function open(main, [list, from], { user }) {
  return list === "audit" ? (await import("./audit.js")).open(main, from) : people(main, Number(from) || 0, user);
}

async function people(main, offset, user) {
  const wrong = problem();
  const draw = async () => {
    const { people: shown, total } = await ask(`people?limit=${PAGE}&offset=${offset}`);
    main.replaceChildren(
      el("h1", {}, say("people")), wrong,
      table([say("name"), say("role"), [say("began"), "wide"], ""], shown.map((each) => row(each))),
      pages(offset, shown.length, total, (next) => `#/people/from/${next}`, "more_people", "earlier_people"),
      el("h2", {}, say("add_person")), form,
      el("h2", {}, say("audit")), el("p", {}, el("a", { href: "#/people/audit" }, say("see_audit"))),
    );
  };
  /** What was refused is said, and the table shows what is there. */
  const act = (ask_, person) => attempt(wrong, async () => {
    try {
      await ask_();
    } catch (error) {
      if (person) await draw().catch(() => {});
      throw error instanceof Refused && error.status === 412 ? new Error(first(person, error.told.changed)) : error;
    }
    await draw();
  });
  const first = ({ name }, changed) => (changed ? say("person_changed", { name, who: changed.by, role: say(changed.role) }) : say("person_gone", { name }));

  function row(person) {
    const role = roles(person.role, `${say("role")}: ${person.name}`);
    role.addEventListener("change", () => act(() => ask(`people/${person.id}`, { method: "PATCH", body: { role: role.value }, seen: person.version }), person));
    const gone = person.id === user.id ? say("you") : sure(say("remove"), say("remove_sure"), () => act(() => ask(`people/${person.id}`, { method: "DELETE", seen: person.version }), person));
    return [[person.name, "name"], role, [when(person.created_wall_ms), "when wide"], gone];
  }

  /** One form for as long as the page is there: what is typed into it stays while the table is drawn anew. */
  function adding() {
    const form = el("form", { className: "row", onsubmit: (event) => {
      event.preventDefault();
      add();
    } },
      el("label", { className: "grow" }, say("name"), el("input", { name: "name", required: true, maxLength: 100, autocomplete: "off" })),
      el("label", { className: "grow" }, say("new_password"), el("input", { name: "password", type: "password", required: true, minLength: 10, autocomplete: "new-password" })),
      el("label", {}, say("role"), roles("viewer", say("role"))),
      el("button", { className: "main" }, say("add")));
    const add = once(() => act(async () => {
      await ask("people", { method: "POST", body: Object.fromEntries(new FormData(form)) });
      form.reset();
    }));
    return form;
  }

  const form = adding();
  await draw();
  return keepUnsaved(() => form.elements.name.value !== "" || form.elements.password.value !== "");
}

function roles(chosen, label) {
  const select = el("select", { name: "role", "aria-label": label }, ROLES.map((role) => el("option", { value: role, defaultSelected: role === chosen }, say(role))));
  return select;
}
