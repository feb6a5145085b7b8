/** The shell: who is here, which page is shown, in which language. */

import { announce, ask, attempt, carry, el, problem, Refused } from "./kit.js";
import { language, say, speak } from "./words.js";

const find = (id) => document.getElementById(id);
const PAGES = { overview: "viewer", assistants: "viewer", calls: "viewer", live: "viewer", kept: "viewer", people: "admin" };
const MODULES = { overview: () => import("./overview.js"), assistants: () => import("./assistants.js"), calls: () => import("./calls.js"), live: () => import("./live.js"), kept: () => import("./kept.js"), people: () => import("./people.js") };
const RANK = ["viewer", "builder", "admin"];

let user = null;
/** What the page that is shown has running; called when another takes its place. */
let leave = () => {};
let turn = 0;

const may = (role) => user !== null && RANK.indexOf(user.role) >= RANK.indexOf(role);

async function begin() {
  speak(language);
  find("language").value = language;
  find("sign-out").textContent = say("sign_out");
  try {
    const { user: known, setup } = await ask("me");
    user = known;
    carry(known?.csrf);
    if (!known && setup && !location.hash.startsWith("#/setup/")) return show(say("sign_in"), el("p", { className: "notice" }, say("set_up_wanted")));
  } catch (error) {
    return show(say("failed"), el("p", { className: "notice", role: "alert" }, error.message));
  }
  await route();
}

async function route() {
  leave();
  leave = () => {};
  const mine = ++turn;
  const [, page = "", ...rest] = location.hash.split("/").map((part) => safely(part));
  navigation(page || "overview");
  if (page === "setup" && !user) return setUp(rest[0] ?? "");
  if (!user) return signIn();
  if (page === "setup") return go("#/overview");
  if (page && !(Object.hasOwn(PAGES, page) && may(PAGES[page]))) return show(say("no_page"));
  try {
    const { open } = await MODULES[page || "overview"]();
    const main = el("div");
    const stop = await open(main, rest, { may, user });
    if (mine !== turn) return stop?.();
    leave = stop ?? leave;
    find("main").replaceChildren(main);
    titled(main.querySelector("h1")?.textContent ?? "Antiphon");
  } catch (error) {
    if (mine !== turn) return undefined;
    if (error instanceof Refused && error.status === 401) return begin();
    show(say("failed"), el("p", { className: "notice", role: "alert" }, error.message));
    if (!(error instanceof Refused)) throw error;
  }
  return undefined;
}

function safely(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}

function go(hash) {
  if (location.hash === hash) return route();
  location.hash = hash;
  return undefined;
}

function show(title, ...what) {
  find("main").replaceChildren(el("h1", {}, title), ...what);
  titled(title);
}

function titled(title) {
  document.title = `${title} · Antiphon`;
  announce(title);
}

function navigation(current) {
  find("nav").hidden = find("sign-out").hidden = !user;
  const links = Object.keys(PAGES).filter((page) => may(PAGES[page])).map((page) => [page, `#/${page}`]);
  links.splice(1, 0, ["talk", "talk"]);
  find("nav").replaceChildren(...links.map(([page, href]) => {
    const link = el("a", { href }, say(page));
    if (page === current) link.setAttribute("aria-current", "page");
    return link;
  }));
  find("nav").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}

function door(title, text, button, fields, act) {
  const wrong = problem();
  const form = el("form", { className: "form", onsubmit: async (event) => {
    event.preventDefault();
    await attempt(wrong, async () => {
      await act(Object.fromEntries(new FormData(form)));
      await begin();
      if (user) go("#/overview");
    });
  } }, wrong, text && el("p", {}, text), ...fields, el("button", { className: "main" }, button));
  show(title, form);
  form.querySelector("input").focus();
}

const nameField = () => el("label", {}, say("name"), el("input", { name: "name", autocomplete: "username", autocapitalize: "none", required: true, maxLength: 100 }));

function signIn() {
  const password = el("label", {}, say("password"), el("input", { name: "password", type: "password", autocomplete: "current-password", required: true }));
  door(say("sign_in"), null, say("sign_in"), [nameField(), password], (body) => ask("sign-in", { method: "POST", body }));
}

function setUp(token) {
  const password = el("label", {}, say("new_password"), el("input", { name: "password", type: "password", autocomplete: "new-password", required: true, minLength: 10 }));
  door(say("set_up_title"), say("set_up_text"), say("set_up"), [nameField(), password], (body) => ask("setup", { method: "POST", body: { ...body, token } }));
}

find("language").addEventListener("change", (event) => {
  speak(event.target.value);
  begin();
});
find("sign-out").addEventListener("click", async () => {
  await ask("sign-out", { method: "POST" }).catch(() => {});
  user = null;
  begin();
});
addEventListener("hashchange", route);
begin();
