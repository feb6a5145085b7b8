/** A call that is over: heard, read, seen, explained, and tried under other numbers. */

import { evalOf } from "./evals.js";
import { Refused, ask, at, attempt, clock, el, money, ms, once, table, term, urlOf, when } from "./kit.js";
import { Lanes, legend } from "./lanes.js";
import { becameOf, recordOnly } from "./record.js";
import { whatIf } from "./whatif.js";
import { say } from "./words.js";

/** null where there is none. */
async function known(path) {
  try {
    return await ask(path);
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  }
}

export async function open(main, name, { may }) {
  const path = `calls/${encodeURIComponent(name)}`;
  const [call, record] = await Promise.all([known(path), known(`records/${encodeURIComponent(name)}`)]);
  if (!call && record) return recordOnly(main, record);
  if (!call) throw new Refused(404, say("no_call"));
  const { story } = call;
  const peaks = call.recorded ? await ask(`${path}/peaks`).catch(() => null) : null;
  const audio = call.recorded ? el("audio", { controls: true, preload: "none", src: urlOf(`${path}/recording`), "aria-label": say("recording") }) : null;
  const seek = (place) => {
    lanes.show(place);
    if (!audio) return;
    const go = () => (audio.currentTime = Math.max(0, place - story.audio_ms) / 1000);
    if (audio.readyState > 0) go();
    else {
      audio.addEventListener("loadedmetadata", go, { once: true });
      audio.load();
    }
    audio.play().catch(() => {});
  };
  const lanes = new Lanes(story, peaks?.caller.length ? peaks : null, seek, document.querySelector(".top").clientWidth - 2);
  const wrong = el("span", { className: "notice", role: "alert", hidden: true });
  const said = transcript(story, seek);
  audio?.addEventListener("timeupdate", () => follow(audio.currentTime * 1000 + story.audio_ms));
  function follow(place) {
    lanes.show(place);
    said.rows.forEach(([from, row], number) => row.classList.toggle("now", from <= place && place < (said.rows[number + 1]?.[0] ?? Infinity)));
  }
  const turns = el("div", {}, story.turns.map((turn) => turnOf(turn)));
  main.append(
    el("h1", {}, `${say("call")} · ${call.assistant}`),
    el("p", { className: "faint" }, [when(call.wall_ms), clock(story.duration_ms), call.provider, ended(record, call), record?.caller, record && money(record.cost_usd)].filter(Boolean).flatMap((part, number) => (number ? [" · ", part] : [part])), el("br"), el("code", {}, call.call_id)),
    may("builder") && call.ended && story.lines.length ? el("p", {}, wrong, el("button", { type: "button", id: "as-test", onclick: once(() => attempt(wrong, async () => {
      const made = await ask("rest/eval", { method: "POST", body: evalOf(`${call.assistant} ${when(call.wall_ms)}`, story.lines) });
      location.hash = `#/kept/eval/${encodeURIComponent(made.id)}`;
    })) }, say("make_test"))) : "",
    lanes.element, legend(), audio ?? el("p", { className: "faint" }, say("no_recording")),
    el("div", { className: "columns" },
      el("section", {}, el("h2", {}, say("transcript")), story.lines.length ? said.element : nothing()),
      el("section", {}, el("h2", {}, say("why")), story.turns.length ? turns : nothing(), el("h2", {}, say("barge_ins")), ...bargeIns(story.barge_ins, seek))),
    story.turns.length ? whatIf(name, call.policy, (was, would) => {
      const differing = would?.filter((each, number) => JSON.stringify(each) !== JSON.stringify(was[number])) ?? [];
      lanes.mark(differing);
      turns.replaceChildren(...story.turns.map((turn) => turnOf(turn, differing.find((each) => each.turn === turn.turn))));
    }) : "",
    el("h2", {}, say("tools")),
    story.tools.length ? table([say("name"), [say("lasted"), "number"], say("what")], story.tools.map((tool) => [
      el("code", {}, tool.name), [tool.to_ms === null ? "–" : ms(tool.to_ms - tool.from_ms), "number"],
      el("div", {}, el("pre", {}, JSON.stringify(tool.arguments, null, 1)), el("pre", { className: tool.failed ? "bad" : "" }, tool.result ?? "–")),
    ])) : nothing(),
    ...becameOf(record),
  );
  return () => audio?.pause();
}

function ended(record, call) {
  const reason = record?.ended_reason || call.ended;
  return reason ? term("reason", reason) : say("live");
}

const nothing = () => el("p", { className: "faint" }, say("none"));

function transcript({ lines }, seek) {
  const rows = lines.map((line) => {
    const place = el("button", { type: "button", onclick: () => seek(line.at_ms) }, at(line.at_ms));
    const who = [say(line.who), line.typed && say("typed"), line.status === "interrupted" && say("interrupted")].filter(Boolean).join(", ");
    return [line.at_ms, el("li", {}, place, el("p", {}, el("span", { className: `who ${line.who === "agent" ? "agent-side" : "you-side"}` }, who), ...wordsOf(line)))];
  });
  return { rows, element: el("ol", { className: "said" }, rows.map(([, row]) => row)) };
}

/** What was not heard is struck out. */
function wordsOf({ text, heard, status }) {
  if (status !== "interrupted" || heard === undefined || !text.startsWith(heard)) return [text];
  return [heard, " ", el("del", { title: say("unsaid") }, text.slice(heard.length).trim())];
}

function turnOf(turn, would) {
  const { speech_ended_ms: ended, closed_ms: closed, first_audio_ms: heard, why } = turn;
  const told = [];
  if (turn.fate === "answered" && closed !== null && why) {
    const after = ended === null ? "–" : ms(closed - ended);
    const cause = say(`c_${why.cause}`, { silence: ms(why.silence_ms), waited: ms(why.waited_ms) });
    const rule = ["silence", "words"].includes(why.cause) ? ` (${say(why.rule ? `r_${why.rule}` : "r_between")})` : "";
    told.push(el("p", {}, `${say("closed_after", { ms: after })}: ${cause}${rule}.`));
  } else told.push(el("p", {}, say(turn.fate === "dropped" ? "fate_dropped" : "fate_open")));
  if (heard !== null && ended !== null) {
    told.push(el("p", {}, `${say("answered_after", { ms: ms(heard - ended) })}${turn.speculative ? ` · ${say("guess_right")}` : ""}`), stages(turn));
  }
  if (would) {
    const cut = would.interrupted_reply === null ? "" : `, ${say("cut_reply")}`;
    told.push(el("p", { className: "differs-text" }, `${say("would", { fate: say(would.fate === "answered" ? "answered" : would.fate === "open" ? "open" : "dropped"), at: at(would.closed_ms) })}${cut}`));
  }
  return el("article", { className: `turn${would ? " differs" : ""}` }, el("h3", { className: "you-side" }, turn.text || "…"), ...told);
}

/** Where the time from the last sound to the first audio went. */
function stages({ speech_ended_ms: ended, closed_ms: closed, first_token_ms: token, first_audio_ms: heard }) {
  const written = Math.min(Math.max(token ?? closed, closed), heard);
  const parts = [["stage_wait", closed - ended], ["stage_model", written - closed], ["stage_voice", heard - written]];
  const label = parts.map(([key, value]) => `${say(key)} ${ms(Math.max(0, value))}`).join(", ");
  const bar = el("div", { className: "stages", role: "img", "aria-label": label, title: label }, parts.map(([, value], number) => {
    const part = el("span", { className: `s${number}` });
    part.style.flexGrow = String(Math.max(0, value));
    return part;
  }));
  return el("div", {}, bar, el("p", { className: "faint" }, label));
}

function bargeIns(list, seek) {
  if (!list.length) return [nothing()];
  return list.map((sound) => {
    const verdict = sound.confirmed === null || sound.confirmed === undefined ? "b_open" : sound.confirmed ? "b_yes" : "b_no";
    const after = sound.sound_ms === null ? "–" : ms(sound.at_ms - sound.sound_ms);
    const took = sound.decided_ms === null ? "–" : ms(sound.decided_ms - sound.at_ms);
    const { why } = sound;
    const facts = why ? [say(`b_${why.rule}`), why.voice_ms > 0 && `${say("voice")} ${ms(why.voice_ms)}`, why.words && `${say("heard_words")} “${why.words}”`].filter(Boolean).join(" · ") : "";
    return el("article", { className: "turn" }, el("h3", { className: sound.confirmed ? "bad" : "" }, say(verdict)),
      el("p", {}, say(sound.decided_ms === null ? "b_held_open" : "b_held", { at: at(sound.at_ms), after, ms: took }), " ", el("button", { type: "button", onclick: () => seek(Math.max(0, sound.at_ms - 1500)) , "aria-label": `▶ ${at(sound.at_ms)}` }, "▶")),
      facts && el("p", {}, facts));
  });
}
