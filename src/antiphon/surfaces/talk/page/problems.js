/** What can go wrong, and how it is said: what happened, what to do about it, and which button helps. */

/** A failure with a `code` of the table below; `detail` is what the server or the browser says of it, if anything. */
export class Problem extends Error {
  constructor(code, detail = "") {
    super(detail);
    this.code = code;
  }
}

/** `own`: the error's own words are shown where it has some. */
const TEXTS = {
  no_microphone: {
    title: "No microphone was found",
    text: "Connect one and try again, or type: you will still hear the answers.",
    retry: true, type: true,
  },
  microphone_denied: {
    title: "The microphone is not allowed",
    text: "Allow it for this page beside the address, then try again. Or type: you will still hear the answers.",
    retry: true, type: true,
  },
  microphone_busy: {
    title: "The microphone cannot be used",
    text: "Another program may hold it. Close that one and try again, or type.",
    retry: true, type: true,
  },
  insecure: {
    title: "Browsers give no microphone to this address",
    text: `They do on https pages and on the machine itself (http://localhost). Open ${location.hostname} over https, or type.`,
    retry: false, type: true,
  },
  unsupported: {
    title: "This browser cannot make calls",
    text: "It has no WebRTC. A current Chrome, Edge, Firefox or Safari does.",
    retry: false, type: false,
  },
  server_full: {
    title: "The server is full",
    text: "All its lines are taken. Try again in a minute.",
    retry: true, type: false,
  },
  server_draining: {
    title: "The server is about to restart",
    text: "It takes no new call now. Try again in a minute.",
    retry: true, type: false,
  },
  refused: {
    title: "The server refused the call",
    text: "Its log tells why.",
    retry: true, type: false, own: true,
  },
  unreachable: {
    title: "The server does not answer",
    text: "Check your connection, and that the server is running.",
    retry: true, type: false,
  },
  not_connected: {
    title: "No sound could be exchanged",
    text: "The server answered, but its audio does not get through: a firewall may be in the way (UDP), or a TURN server is needed.",
    retry: true, type: false,
  },
  lost: {
    title: "The connection was lost",
    text: "Reconnecting begins a new call; what was said stays on the page.",
    retry: "Reconnect", type: false,
  },
  expired: {
    title: "The call reached its longest time",
    text: "You can begin another.",
    retry: "Call again", type: false,
  },
  silent: {
    title: "The browser holds the sound back",
    text: "It wants to be asked once more before a page may be heard.",
    retry: "Let me hear", type: false,
  },
  unopened: {
    title: "This page opens with the address that the server printed",
    text: "Look for talk_page (or next_address, which is newer) in the server's output, and open that address on the same machine. Or give a private key.",
    retry: false, type: false,
  },
  wrong_key: {
    title: "This key is not known here",
    text: "It may have been revoked. antiphon keys list shows which there are.",
    retry: false, type: false,
  },
  answer_failed: {
    title: "The agent could not answer",
    text: "Say it again, or in other words.",
    retry: false, type: false,
  },
  event_refused: {
    title: "The server did not take that",
    text: "Its log tells why.",
    retry: false, type: false, own: true,
  },
  page_failed: {
    title: "Something on this page went wrong",
    text: "Reload it and try again.",
    retry: true, type: false, own: true,
  },
};

/** {code, title, text, retry, type} of any error: `retry` is the button's label or true, `type` whether typing is a way out. */
export function explain(error) {
  const code = error.code in TEXTS ? error.code : "page_failed";
  const { own, text, ...rest } = TEXTS[code];
  return { code, ...rest, text: (own && error.message) || text };
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
