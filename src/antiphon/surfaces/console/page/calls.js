/** Calls that are over: the list, and one of them. */

import { ask, clock, el, table, when } from "./kit.js";
import { say } from "./words.js";

const PAGE = 50;

export async function open(main, [name, from]) {
  if (name && name !== "from") return (await import("./call.js")).open(main, name);
  const offset = Number(name === "from" ? from : 0) || 0;
  const { calls, total } = await ask(`calls?limit=${PAGE}&offset=${offset}`);
  main.append(el("h1", {}, say("calls")));
  if (!calls.length) {
    main.append(el("p", { className: "faint" }, say("no_calls")));
    return undefined;
  }
  main.append(table(
    [say("began"), say("assistant"), [say("lasted"), "number"], say("ended"), [say("from"), "wide"], [say("recorded"), "wide"]],
    calls.map((call) => [
      el("a", { href: `#/calls/${encodeURIComponent(call.name)}` }, when(call.wall_ms)), call.assistant, [clock(call.duration_ms), "number"],
      call.ended ?? el("a", { href: `#/live/${encodeURIComponent(call.call_id)}` }, say("live")), [call.provider, "wide"], [call.recorded ? say("yes") : "–", "wide"],
    ]),
  ));
  main.append(el("p", { className: "row" },
    offset > 0 && el("a", { href: `#/calls/from/${Math.max(0, offset - PAGE)}` }, say("newer")),
    el("span", { className: "faint" }, `${offset + 1}–${offset + calls.length} ${say("of_all")} ${total}`),
    offset + PAGE < total && el("a", { href: `#/calls/from/${offset + PAGE}` }, say("more"))));
  return undefined;
}
