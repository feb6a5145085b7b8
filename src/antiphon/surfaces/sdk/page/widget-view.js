/** The widget: one button, and while there is a call its state, the last words, mute and end. It lives in a shadow root, so that the
    page's styles and its own do not meet, and uses neither inline styles nor markup, so that a strict policy lets it. */
import Antiphon from "./web.js";
import { wordsOf } from "./widget-words.js";

const STYLE = `
  :host { all: initial; position: fixed; bottom: 1rem; z-index: 2147483000; color-scheme: light dark;
    --ground: #ffffff; --ink: #1c2430; --soft: #566072; --line: #cfd6e0; --strong: #1f5fbf; --on-strong: #ffffff; --bad: #a11f2b;
    font: 400 15px/1.4 system-ui, "Apple SD Gothic Neo", "Noto Sans KR", sans-serif; }
  @media (prefers-color-scheme: dark) { :host(:not([theme="light"])) {
    --ground: #171c24; --ink: #e9edf3; --soft: #a5b0c0; --line: #3a4452; --strong: #8ab8ff; --on-strong: #10161f; --bad: #ff9aa2; } }
  :host([theme="dark"]) { color-scheme: dark;
    --ground: #171c24; --ink: #e9edf3; --soft: #a5b0c0; --line: #3a4452; --strong: #8ab8ff; --on-strong: #10161f; --bad: #ff9aa2; }
  :host([theme="light"]) { color-scheme: light; }
  :host([position="left"]) { left: 1rem; } :host(:not([position="left"])) { right: 1rem; }
  [hidden] { display: none !important; }
  section { display: flex; flex-direction: column; align-items: flex-end; gap: .5rem; max-width: min(22rem, calc(100vw - 2rem)); }
  :host([position="left"]) section { align-items: flex-start; }
  .panel { background: var(--ground); color: var(--ink); border: 1px solid var(--line); border-radius: 14px; padding: .75rem 1rem;
    box-shadow: 0 6px 24px rgb(0 0 0 / .18); width: 19rem; max-width: 100%; box-sizing: border-box; }
  .state { font-weight: 600; margin: 0; } .words { margin: .35rem 0 0; color: var(--soft); overflow-wrap: anywhere; max-height: 8.4em; overflow-y: auto; }
  .problem { margin: .35rem 0 0; color: var(--bad); }
  .level { height: 4px; border-radius: 2px; background: var(--line); margin-top: .6rem; overflow: hidden; }
  .level div { height: 100%; background: var(--strong); transform-origin: left; }
  .buttons { display: flex; gap: .5rem; margin-top: .75rem; }
  button { font: inherit; min-height: 44px; padding: 0 1rem; border-radius: 22px; border: 1px solid var(--line); cursor: pointer;
    background: var(--ground); color: var(--ink); }
  button.talk { background: var(--strong); color: var(--on-strong); border-color: transparent; font-weight: 600; box-shadow: 0 3px 12px rgb(0 0 0 / .25); }
  button:focus-visible { outline: 3px solid var(--strong); outline-offset: 2px; }
  @media (prefers-reduced-motion: no-preference) { .level div { transition: transform 80ms linear; } }
`;

function element(tag, fields = {}, ...children) {
  const made = Object.assign(document.createElement(tag), fields);
  made.append(...children);
  return made;
}

/** Put the widget on the page; it is returned (`element.antiphon` is its call client). Raises Error where it names no assistant. */
export function showWidget({ assistant, key = "", base, lang, theme, position, label }) {
  if (!assistant) throw new Error("data-assistant is missing");
  const { language, words } = wordsOf(lang);
  const client = base ? new Antiphon(key, base) : new Antiphon(key);
  const host = element("antiphon-widget", { lang: language, antiphon: client });
  if (theme) host.setAttribute("theme", theme);
  if (position) host.setAttribute("position", position);

  const talk = element("button", { className: "talk", type: "button", textContent: label || words.talk });
  const state = element("p", { className: "state", role: "status" });
  const lines = { user: element("p", { className: "words" }), assistant: element("p", { className: "words" }) };
  const said = element("div", { ariaLive: "polite" }, lines.user, lines.assistant);
  const problem = element("p", { className: "problem", role: "alert" });
  const bar = element("div");
  const level = element("div", { className: "level", ariaHidden: "true" }, bar);
  const mute = element("button", { type: "button", textContent: words.mute });
  const end = element("button", { type: "button", textContent: words.end });
  const buttons = element("div", { className: "buttons" }, mute, end);
  const panel = element("div", { className: "panel", hidden: true }, state, said, problem, level, buttons);
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  root.append(element("section", { ariaLabel: words.region }, panel, talk));

  const say = (text) => {
    if (state.textContent !== text) state.textContent = text;
  };
  const busy = (is) => {
    talk.hidden = is;
    buttons.hidden = level.hidden = !is;
    panel.hidden = false;
  };
  const idle = (text) => {
    const hadFocus = panel.contains(root.activeElement);
    busy(false);
    say(text);
    if (hadFocus) talk.focus();
  };
  const floor = (text) => say(client.isMuted() ? words.muted : text);

  talk.onclick = async () => {
    problem.textContent = lines.user.textContent = lines.assistant.textContent = "";
    busy(true);
    say(words.connecting);
    end.focus();
    if (!(await client.start(assistant))) idle("");
  };
  end.onclick = async () => {
    await client.stop();
    idle(words.ended);
  };
  mute.onclick = () => {
    client.setMuted(!client.isMuted());
    mute.textContent = client.isMuted() ? words.unmute : words.mute;
    floor(words.listening);
  };
  client
    .on("call-start", () => floor(words.listening))
    .on("call-end", () => idle(words.ended))
    .on("speech-start", () => say(words.speaking))
    .on("speech-end", () => floor(words.listening))
    .on("volume-level", (volume) => {
      bar.style.transform = `scaleX(${volume.toFixed(2)})`;
    })
    .on("message", ({ type, role, transcript }) => {
      if (type !== "transcript" || !transcript || !lines[role]) return;
      lines[role].textContent = `${role === "user" ? words.you : words.agent}: ${transcript}`;
      said.append(lines[role]); // the newest last
    })
    .on("error", ({ type, error }) => {
      problem.textContent = words.problems[error.code] ?? words.problems[type] ?? words.problems.refused;
      console.error(`[antiphon] ${type}: ${error.message}`);
    });
  const attach = () => document.body.append(host);
  if (document.body) attach();
  else addEventListener("DOMContentLoaded", attach, { once: true });
  return host;
}
