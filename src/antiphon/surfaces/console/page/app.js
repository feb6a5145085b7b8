/** The shell: who is here, which page is shown, in which language. */

import { comeBack, setUpForm, signInForm } from "./door.js";
import { announce, ask, carry, el, Refused } from "./kit.js";
import { onSignedOut } from "./server.js";
import { mayLeave } from "./unsaved.js";
import { language, say, speak } from "./words.js";

const find = (id) => document.getElementById(id);
const PAGES = { overview: "viewer", assistants: "viewer", calls: "viewer", live: "viewer", kept: "viewer", people: "admin" };
const MODULES = { overview: () => import("./overview.js"), assistants: () => import("./assistants.js"), calls: () => import("./calls.js"), live: () => import("./live.js"), kept: () => import("./kept.js"), people: () => import("./people.js") };
/** A page that takes longer than this says that it is on its way. */
const SLOW_MS = 400;
/** Where the server does not answer, it is asked again so often. */
const AGAIN_MS = 3000;
const RANK = ["viewer", "builder", "admin"];

let user = null;
/** What the page that is shown has running; called when another takes its place. */
let leave = () => {};
let turn = 0;
/** Whether the address is set back to where they stay. */
let staying = false;

const may = (role) => user !== null && RANK.indexOf(user.role) >= RANK.indexOf(role);

async function begin() {
  speak(language);
  find("language").value = language;
  find("sign-out").textContent = say("sign_out");
  try {
    const { user: known, setup } = await ask("me");
    user = known;
    carry(known?.csrf);
    onSignedOut(known && (() => comeBack(known)));
    if (!known && setup && !location.hash.startsWith("#/setup/")) return show(say("sign_in"), el("p", { className: "notice" }, say("set_up_wanted")));
  } catch (error) {
    return failed(error);
  }
  await route();
}

async function route() {
  leave();
  leave = () => {};
  const mine = ++turn;
  const [, page = "", ...rest] = location.hash.split("/").map((part) => safely(part));
  navigation(page || "overview");
  if (page === "setup" && !user) return atDoor(say("set_up_title"), setUpForm(rest[0] ?? "", enter));
  if (!user) return atDoor(say("sign_in"), signInForm(enter));
  if (page === "setup") return go("#/overview");
  if (page && !(Object.hasOwn(PAGES, page) && may(PAGES[page]))) return show(say("no_page"));
  // What is left cannot be typed into any more: it goes when the page that was asked for is there.
  find("main").inert = true;
  const slow = setTimeout(() => mine === turn && show(say("loading")), SLOW_MS);
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
    failed(error);
    if (!(error instanceof Refused)) throw error;
  } finally {
    clearTimeout(slow);
    if (mine === turn) find("main").inert = false;
  }
  return undefined;
}

/** A page that could not be had: it can be asked for again, and comes by itself when a server that was gone is back. */
function failed(error) {
  leave();
  const again = () => (error instanceof Refused ? begin() : location.reload()); // a module that did not come is not asked for anew
  show(say("failed"), el("p", { className: "notice", role: "alert" }, error.message), el("p", {}, el("button", { type: "button", id: "again", onclick: again }, say("try_again"))));
  if (![0, 503].includes(error.status)) return;
  const timer = setInterval(() => ask("me").then(begin, () => {}), AGAIN_MS);
  leave = () => clearInterval(timer);
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

/** At the door: a form, and the page that was asked for behind it. */
function atDoor(title, form) {
  show(title, form);
  form.querySelector("input").focus();
}

async function enter() {
  await begin();
  if (user && location.hash.startsWith("#/setup/")) go("#/overview");
}

/** Nobody loses what they have typed by a press on a link, another language or the way out. */
async function left({ oldURL }) {
  if (staying) return (staying = false);
  if (!mayLeave()) {
    staying = true;
    return (location.hash = new URL(oldURL).hash);
  }
  await route();
  // The link that was pressed is drawn anew: whoever goes by keys goes on from the page.
  if (document.activeElement === document.body) find("main").focus({ preventScroll: true });
  return undefined;
}

find("language").addEventListener("change", (event) => {
  if (!mayLeave()) return void (event.target.value = language);
  speak(event.target.value);
  begin();
});
find("sign-out").addEventListener("click", async () => {
  if (!mayLeave()) return;
  onSignedOut(null);
  await ask("sign-out", { method: "POST" }).catch(() => {});
  user = null;
  begin();
});
addEventListener("hashchange", left);
begin();
