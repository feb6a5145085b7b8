/** Asking the server. Who is signed out meanwhile is asked to sign in again, on the page where they are, and what they asked for is asked again. */

import { inLanguage } from "./problems.js";
import { language, say } from "./words.js";

/** Whatever the server refused, in the page's language where it has the words. */
export class Refused extends Error {
  /** `told`: all that it answered. */
  constructor(status, detail, told = {}) {
    super(inLanguage(detail, language));
    this.status = status;
    this.told = told;
  }
}

/** What is asked at the door itself. */
const DOOR = new Set(["me", "setup", "sign-in", "sign-out"]);

let csrf = "";
export const carry = (token) => (csrf = token ?? "");

/** Lets them sign in again: whether they did. Set by the shell once somebody is here. */
let signInAgain = null;
let signingIn = null;
/** Whether they would not: what asks by itself does not ask them again, what they do does. */
let declined = false;
export const onSignedOut = (act) => (signInAgain = act);

/** Ask the server; its JSON, or null. Throws Refused; status 0: it does not answer. */
export async function ask(path, given = {}) {
  const [told] = await askVersion(path, given);
  return told;
}

/** As `ask`; with it the version of the document that was answered, an entity tag. `given.seen`: the version that a change is meant for; of
 * any other it is refused (412). `given.poll`: nobody has pressed anything; what fails at the server is said above the page. */
export async function askVersion(path, given = {}) {
  let answer = await sent(path, given);
  if (signInAgain && !DOOR.has(path) && ((answer.status === 401 && !(given.poll && declined) && (await comeBack())) || (answer.status === 403 && (await hasNewToken())))) answer = await sent(path, given);
  if (given.poll && answer.status >= 500) reachable(false);
  if (answer.status === 204) return [null, null];
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, told.detail ?? [told.message ?? say("failed")].flat().join("\n"), told);
  return [told, answer.headers.get("ETag")];
}

/** Ask, and neither mind who is signed in nor try again. */
async function sent(path, { method = "GET", body, seen } = {}) {
  const headers = method === "GET" ? {} : { "X-CSRF-Token": csrf };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (seen) headers["If-Match"] = seen;
  try {
    const answer = await fetch(urlOf(path), { method, headers, body: body && JSON.stringify(body) });
    reachable(true);
    return answer;
  } catch {
    reachable(false);
    throw new Refused(0, say("unreachable"));
  }
}

/** Once for all who ask at the same time. */
function comeBack() {
  signingIn ??= signInAgain().then((back) => {
    declined = !back;
    return back;
  }).finally(() => (signingIn = null));
  return signingIn;
}

/** They have signed in anew in another tab: its cookie is ours, its token is not. */
async function hasNewToken() {
  const { user } = await (await sent("me")).json();
  if (!user || user.csrf === csrf) return false;
  carry(user.csrf);
  return true;
}

/** Said above every page as long as it is so: figures that stand still look like calls that stand still. */
function reachable(yes) {
  const notice = document.getElementById("unreachable");
  if (notice.hidden === yes) return;
  notice.hidden = yes;
  notice.textContent = yes ? "" : say("stale");
}

export const urlOf = (path) => new URL(`api/${path}`, import.meta.url).href;
