/** Calls that live: the list, and one of them as it goes. */

import { PAGE, announce, ask, at, attempt, clock, el, meaning, money, ms, pages, problem, sure, table, urlOf, when } from "./kit.js";
import { Drawing } from "./graph.js";
import { listen } from "./listen.js";
import { say } from "./words.js";

const EVERY_MS = 1000;
/** To watch a call that lives and is not shown. */
const MOST_TRIES = 3;

export async function open(main, [id, from], { may }) {
  return id && id !== "from" ? one(main, id, may) : list(main, Number(from) || 0);
}

async function list(main, offset) {
  const draw = ({ calls }) => {
    const shown = calls.slice(offset, offset + PAGE);
    const focused = document.activeElement?.getAttribute?.("href");
    main.replaceChildren(el("h1", {}, say("live")), shown.length ? table(
      [say("assistant"), say("floor"), [say("lasted"), "number"], [say("cost"), "number wide"], [say("last_words"), "words"]],
      shown.map((call) => [el("a", { href: `#/live/${encodeURIComponent(call.id)}` }, call.assistant), say(`f_${call.floor}`), [clock(call.lasts_ms), "number"], [money(call.cost_usd), "number wide"], [call.words, `words ${call.words_of === "caller" ? "you-side" : "agent-side"}`]]),
    ) : el("p", { className: "faint" }, say("no_live")), pages(offset, shown.length, calls.length, (next) => `#/live/from/${next}`, "more", "newer"));
    if (focused) main.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  };
  draw(await ask("live"));
  const timer = setInterval(() => ask("live", { poll: true }).then(draw, () => {}), EVERY_MS);
  return () => clearInterval(timer);
}

async function one(main, id, may) {
  const { calls: [found] } = await ask(`live?call=${encodeURIComponent(id)}`);
  const floor = el("p", { className: "floor", id: "floor" }, say("f_nobody"));
  const figures = el("p", { className: "faint", id: "figures" });
  const lines = el("ol", { className: "said" });
  const wrong = problem();
  const acts = el("div", { className: "row" });
  const map = el("section");
  main.append(el("h1", {}, `${say("call")} · ${found?.assistant ?? id}`), figures, floor, wrong, acts, map, el("h2", {}, say("transcript")), el("div", { role: "log", "aria-label": say("transcript") }, lines));
  const ear = hearing(id, wrong);
  const over = (reason) => {
    ear.stop();
    wrong.hidden = true;
    floor.textContent = reason ? say("over", { reason: meaning("reason", reason) }) : say("over_unknown");
    acts.replaceChildren(el("a", { href: `#/calls/${encodeURIComponent(id)}` }, say("see_it")));
    announce(floor.textContent);
  };
  if (!found) {
    over("");
    return undefined;
  }
  acts.append(ear.button);
  if (may("builder")) acts.append(...commands(id, wrong));
  const stands = await graphOf(id, map);
  const rows = new Map();
  const told = (news) => {
    wrong.hidden = true;
    if (news.kind === "begin") {
      rows.clear();
      lines.replaceChildren();
    } else if (news.kind === "node") stands(news.node);
    else if (news.kind === "now") floor.textContent = say(`f_${news.floor}`);
    else if (news.kind === "ended") over(news.reason);
    else take(lines, rows, news);
    return news.kind === "ended";
  };
  const lost = () => {
    wrong.textContent = say("lost");
    wrong.hidden = false;
  };
  const lasts = (call) => call && figures.replaceChildren([when(call.wall_ms), clock(call.lasts_ms), call.provider, call.caller, money(call.cost_usd)].filter(Boolean).join(" · "));
  lasts(found);
  const timer = setInterval(() => ask(`live?call=${encodeURIComponent(id)}`, { poll: true }).then(({ calls: [now] }) => lasts(now), () => {}), EVERY_MS);
  const unwatch = watch(id, told, lost, () => over(""));
  return () => {
    clearInterval(timer);
    unwatch();
    ear.stop();
  };
}

/** What happens in the call is `told`, which returns whether that was the last. `lost`: nothing comes, and it is tried again; `gone`: there is
 * no such call. Returns what ends it. */
function watch(id, told, lost, gone) {
  let left = MOST_TRIES;
  let source = null;
  let over = false;
  const begin = () => {
    source = new EventSource(urlOf(`live/${encodeURIComponent(id)}/events`));
    source.onmessage = ({ data }) => {
      left = MOST_TRIES;
      if (told(JSON.parse(data))) source.close();
    };
    source.onerror = () => {
      lost();
      if (source.readyState === EventSource.CLOSED) refused();
    };
  };
  /** The call is over; or the session of whoever watches is, which asking shows and mends. */
  const refused = async () => {
    const lives = await ask("live").then(({ calls }) => calls.some((call) => call.id === id), () => false);
    if (over) return;
    if (lives && left-- > 0) begin();
    else gone();
  };
  begin();
  return () => {
    over = true;
    source.close();
  };
}

/** The workflow that the call follows, where it follows one; what is told of each node where it stands. */
async function graphOf(id, map) {
  const { workflow } = await ask(`live/${encodeURIComponent(id)}/workflow`).catch(() => ({}));
  if (!workflow) return () => {};
  const drawing = new Drawing();
  const place = el("p", { id: "node", role: "status" });
  map.append(el("h2", {}, say("workflow")), place, drawing.element);
  return (node) => {
    const name = node || workflow.nodes.find((each) => each.isStart).name;
    place.textContent = say("stands_at", { node: name });
    drawing.draw(workflow, { lit: new Map([[name, 1]]) });
    drawing.reveal(name);
  };
}

function commands(id, wrong) {
  const path = `live/${encodeURIComponent(id)}`;
  const text = el("input", { id: "say", maxLength: 1000, required: true, autocomplete: "off" });
  const form = el("form", { className: "row grow", onsubmit: async (event) => {
    event.preventDefault();
    await attempt(wrong, async () => {
      const said = text.value;
      await ask(`${path}/say`, { method: "POST", body: { text: said } });
      if (text.value === said) text.value = ""; // else they have typed on
    });
  } }, el("label", { className: "grow" }, say("say_label"), text), el("button", {}, say("say")));
  const control = (body) => attempt(wrong, async () => {
    await ask(`${path}/control`, { method: "POST", body });
    return true;
  });
  const where = el("input", { id: "transfer", required: true, maxLength: 256, autocomplete: "off", placeholder: "+15551234567" });
  const transfer = el("form", { className: "row grow", onsubmit: (event) => {
    event.preventDefault();
    control({ type: "transfer", destination: where.value.startsWith("sip") ? { type: "sip", sipUri: where.value } : { type: "number", number: where.value } });
  } }, el("label", { className: "grow" }, say("transfer_label"), where), el("button", {}, say("transfer")));
  return [
    toggle("mute_agent", (muted) => control({ type: "control", control: `${muted ? "" : "un"}mute-assistant` })),
    toggle("mute_caller", (muted) => control({ type: "control", control: `${muted ? "" : "un"}mute-customer` })),
    sure(say("end_call"), say("end_sure"), () => control({ type: "end-call" })), form, transfer,
  ];
}

/** A button that stays pressed when `change(pressed)` went well. */
function toggle(words, change) {
  const button = el("button", { type: "button", id: words, "aria-pressed": "false", onclick: async () => {
    const pressed = button.getAttribute("aria-pressed") !== "true";
    if (await change(pressed)) button.setAttribute("aria-pressed", String(pressed));
  } }, say(words));
  return button;
}

/** The button that lets one hear the call, and what ends that. */
function hearing(id, wrong) {
  let end = null;
  const show = (heard) => button.setAttribute("aria-pressed", String(heard));
  const stop = () => {
    end?.();
    end = null;
    show(false);
  };
  const button = el("button", { type: "button", id: "listen", "aria-pressed": "false", onclick: async () => {
    if (end) return stop();
    end = (await attempt(wrong, () => listen(id, () => {
      end = null;
      show(false);
    }))) ?? null;
    show(end !== null);
  } }, say("listen_in"));
  return { button, stop };
}

/** What a piece of news changes in the lines. */
function take(lines, rows, news) {
  if (news.kind === "withdrawn") {
    rows.get(`reply ${news.reply}`)?.remove();
    rows.delete(`reply ${news.reply}`);
    return undefined;
  }
  if (news.kind === "heard") rows.get(`reply ${news.reply}`)?.classList.add("heard");
  const key = { partial: "partial", turn: "partial", typed: `typed ${news.at_ms}`, reply: `reply ${news.reply}` }[news.kind];
  if (key === undefined) return note(lines, news);
  const who = news.kind === "reply" ? "agent" : "caller";
  // An answer may be written before the turn it answers is over.
  const unheard = who === "caller" ? lines.querySelector("li.agent.ahead:not(.heard)") : null;
  const row = rows.get(key) ?? lines.insertBefore(el("li", { className: news.status ? who : `${who} ahead` }), unheard);
  if (news.status) row.classList.remove("ahead");
  row.dataset.at ??= news.at_ms;
  rows.set(key, row);
  const words = news.status === "interrupted" ? cut(news) : [news.text];
  row.replaceChildren(el("span", { className: "at" }, at(Number(row.dataset.at))), el("p", {}, el("span", { className: `who ${who === "agent" ? "agent-side" : "you-side"}` }, say(who)), ...words));
  row.setAttribute("aria-busy", String(news.kind === "partial"));
  if (news.kind === "turn") rows.delete("partial");
  return undefined;
}

function cut({ text, heard }) {
  const rest = text.startsWith(heard) ? text.slice(heard.length) : "";
  return [heard, " ", el("del", {}, rest.trim())];
}

function note(lines, news) {
  const words = {
    held: () => say("m_held"), resumed: () => say("m_resumed", { ms: ms(news.held_ms) }), interrupted: () => say("m_interrupted"),
    dropped: () => news.text && `${say("m_dropped")}: ${news.text}`, heard: () => news.after_ms !== null && say("m_heard", { ms: ms(news.after_ms) }),
    tool: () => `${say("tool")}: ${news.name}(${JSON.stringify(news.arguments)})`, failure: () => say("m_failure", { ...news, code: meaning("code", news.code) }),
  }[news.kind]?.();
  if (!words) return;
  lines.append(el("li", { className: `mark ${news.kind}` }, el("span", { className: "at" }, news.at_ms === undefined ? "" : at(news.at_ms)), el("p", { className: "note" }, words)));
}
