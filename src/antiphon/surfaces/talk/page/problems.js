/** What can go wrong, and how it is said: what happened, what to do about it, and which button helps. */

import { language, say } from "./words.js";

/** A failure with a `code` of the table below; `detail` is what the server or the browser says of it, if anything. */
export class Problem extends Error {
  constructor(code, detail = "") {
    super(detail);
    this.code = code;
  }
}

/**
 * `retry`: whether trying again helps; "own": the button has words of its own. `type`: whether typing is a way out. `check`: a look at the
 * connection may explain it. `own`: the error's own words are shown where it has some.
 */
const KINDS = {
  no_microphone: { retry: true, type: true, check: true },
  microphone_denied: { retry: true, type: true, check: true },
  microphone_busy: { retry: true, type: true, check: true },
  microphone_gone: { check: true },
  insecure: { type: true, check: true },
  unsupported: { check: true },
  server_full: { retry: true },
  server_draining: { retry: true },
  refused: { retry: true, own: true },
  no_assistant: {},
  unreachable: { retry: true, check: true },
  not_connected: { retry: true, check: true },
  lost: { retry: "own", check: true },
  expired: { retry: "own" },
  silent: { retry: "own" },
  locked: {},
  unopened: {},
  wrong_key: {},
  answer_failed: {},
  event_refused: { own: true },
  page_failed: { retry: true, own: true },
};

/** {code, title, text, retry, type, check} of any error, in the page's language: `retry` is the button's words, or empty. */
export function explain(error) {
  const code = error.code in KINDS ? error.code : "page_failed";
  const { retry = false, type = false, check = false, own = false } = KINDS[code];
  const words = say(`p_${code}_text`, { host: location.hostname });
  // The error's own words are English. Where the page speaks another language they follow its own, for whoever looks after the server.
  const text = !own || !error.message ? words : language === "en" ? error.message : `${words} (${error.message})`;
  return {
    code, type, check, title: say(`p_${code}`), text,
    retry: retry && say(retry === "own" ? `b_${code}` : "try_again"),
  };
}

/** What getUserMedia says, in our words. */
export function ofMicrophone(error) {
  switch (error.name) {
    case "NotFoundError":
    case "OverconstrainedError":
      return new Problem("no_microphone");
    case "NotAllowedError":
    case "SecurityError":
      return new Problem("microphone_denied");
    default:
      return new Problem("microphone_busy", error.message);
  }
}
