/** The page: its buttons, and the phases they lead through. */

import { check } from "./check.js";
import { assistants, useKey } from "./door.js";
import { Levels } from "./levels.js";
import { View } from "./view.js";
import { Visit } from "./visit.js";
import { language, speak } from "./words.js";

const find = (id) => document.getElementById(id);
const view = new View();
const levels = new Levels(find("levels"));

/** Problems that a private key solves. */
const LOCKED = ["locked", "unopened", "wrong_key"];

/** The call there is, or null. */
let visit = null;

/** Begin a call; with `typing` there is no microphone in it. `first` is said in writing as soon as there is someone to read it. */
async function start({ typing = false, first = "" } = {}) {
  const assistant = find("assistant").value;
  const started = (visit = new Visit(view, levels, over));
  view.noProblem();
  view.called(assistant);
  view.readAloud(typing);
  view.divide();
  view.muted(false);
  view.phase("connecting");
  view.status("connecting");
  view.announce("connecting");
  try {
    await started.begin(assistant, typing);
  } catch (error) {
    find("text").value ||= first;
    return started.end(error);
  }
  if (visit !== started) return;
  view.phase("live");
  view.floor(started.floor.holder, false);
  view.announce("connected_to", { agent: view.agent });
  if (typing) find("text").focus();
  if (first) started.say(first);
}

/** Told by the visit that ends, once. */
function over(problem, lasted) {
  visit = null;
  levels.clear();
  view.clock("");
  document.body.dataset.floor = "nobody";
  if (LOCKED.includes(problem?.code)) return lock(problem);
  view.phase("idle");
  if (lasted) view.status("ended_after", { time: lasted });
  else view.status("ready");
  if (problem) view.problem(problem);
  else view.announce("ended");
}

function lock(problem) {
  view.phase("locked");
  view.status("not_open");
  if (problem.code !== "locked") view.problem(problem);
  find("key").focus();
}

async function open(asked = new URLSearchParams(location.search).get("assistant")) {
  view.noProblem();
  try {
    const { assistants: names, default: first, named, console: signedIn } = await assistants(asked);
    find("console").hidden = !signedIn;
    view.choices(names, first, named);
    view.called(find("assistant").value);
    view.phase("idle");
    view.status("ready");
  } catch (error) {
    if (LOCKED.includes(error.code)) return lock(error);
    view.status("not_connected");
    if (error.code === "no_assistant" && asked) await open(null); // there are others
    view.problem(error);
  }
}

find("talk").addEventListener("click", () => (visit ? visit.end() : start()));
find("type-only").addEventListener("click", () => start({ typing: true }));
find("check").addEventListener("click", async () => {
  find("check").disabled = true;
  for await (const found of check()) view.checked(found);
  find("check").disabled = false;
});
find("mute").addEventListener("click", () => visit?.mute(!visit.muted));
find("assistant").addEventListener("change", () => view.called(find("assistant").value));
find("language").addEventListener("change", () => {
  speak(find("language").value);
  view.retell();
  visit?.retell();
});
find("retry").addEventListener("click", () => {
  if (visit) {
    view.noProblem();
    find("voice").play();
  } else if (document.body.dataset.phase === "loading") {
    open();
  } else {
    start();
  }
});
find("door").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(find("key").value);
  find("key").value = "";
  open();
});
find("writing").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = find("text").value.trim();
  if (!text) return;
  find("text").value = "";
  if (visit) visit.say(text);
  else start({ typing: true, first: text });
});
addEventListener("pagehide", () => visit?.end());

speak(language, { keep: false });
find("language").value = language;
open();
