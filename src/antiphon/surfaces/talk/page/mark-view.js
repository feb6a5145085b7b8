/** How a mark of the transcript looks: what happened beside the words. */

import { say } from "./words.js";

/** The longest bar of a turn's times stands for so long. */
const SCALE_MS = 3000;

/** The nodes of a mark (`Marks`). */
export function markOf(mark) {
  switch (mark.kind) {
    case "hold":
      return [say(`m_${mark.state}`, { ms: Math.round(mark.ms), s: seconds(mark.ms) })];
    case "tool":
      return toolOf(mark);
    case "times":
      return timesOf(mark);
    default:
      return [say(`m_${mark.kind}`, { s: seconds(mark.ms ?? 0) })];
  }
}

function toolOf({ name, words, state, ms }) {
  const how = say(`m_${state}`, { ms: Math.round(ms) });
  return [say("m_tool", { name }), words && made("code", "arguments", words), made("span", `outcome ${state}`, how)].flatMap((each) => (each ? [each, " "] : []));
}

/** Bars as long as the stages were; read aloud as words. */
function timesOf({ stages, ms }) {
  const bars = made("span", "bars", "");
  bars.setAttribute("aria-hidden", "true");
  for (const [name, lasted] of stages) {
    const bar = made("span", name, "");
    bar.style.width = `${(100 * lasted) / Math.max(SCALE_MS, ms)}%`;
    bar.title = say("stage", { stage: say(`s_${name}`), ms: lasted });
    bars.append(bar);
  }
  const told = stages.map(([name, lasted]) => say("stage", { stage: say(`s_${name}`), ms: lasted })).join(", ");
  return [bars, made("span", "total", say("answered_after", { ms })), made("span", "parts", `: ${told}`)];
}

const seconds = (ms) => (ms / 1000).toFixed(1);

function made(element, name, text) {
  const node = document.createElement(element);
  node.className = name;
  node.textContent = text;
  return node;
}
