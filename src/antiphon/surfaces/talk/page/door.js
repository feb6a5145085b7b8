/** The server's door: who can be talked to, a short-lived key for one call, and what a connection check asks. */

import { Problem } from "./problems.js";

/** A private key the visitor typed. Kept in this variable only: never stored, never part of an address. */
let privateKey = "";

export function useKey(key) {
  privateKey = key.trim();
}

/**
 * {assistants: [name], default: name, named: {id: name}}: who can be talked to, who is unless another is chosen, and the one that this
 * page's address asks for (`asked`), where it is no file. Throws Problem `locked` where a key is wanted, `unopened` where the address that
 * the server printed would do as well, `wrong_key` where the key is none of theirs, `no_assistant` where who was asked for is not there.
 */
export async function assistants(asked) {
  return (await ask(`assistants${asked ? `?assistant=${encodeURIComponent(asked)}` : ""}`, "GET")).json();
}

/** A client secret (`ek_…`) for one assistant. `resumed`: a conversation goes on with it. */
export async function keyFor(assistant, resumed = false) {
  return (await (await ask(`key/${encodeURIComponent(assistant)}${resumed ? "?resumed" : ""}`, "POST")).json()).value;
}

/** {relay: "none" | "good" | "refused" | "unreachable", public_url}: what the server knows of the way to it. */
export async function connection() {
  return (await ask("connection", "GET")).json();
}

/** The server's answer to an offer of a connection without a call. */
export async function probe(offer) {
  return (await ask("probe", "POST", { body: offer, type: "application/sdp" })).text();
}

async function ask(path, method, { body, type } = {}) {
  const headers = { ...(privateKey && { Authorization: `Bearer ${privateKey}` }), ...(type && { "Content-Type": type }) };
  let answer;
  try {
    answer = await fetch(new URL(path, import.meta.url), { method, headers, body, signal: AbortSignal.timeout(10_000) });
  } catch {
    throw new Problem("unreachable");
  }
  if (answer.ok) return answer;
  if (answer.status === 401) throw new Problem(privateKey ? "wrong_key" : "locked");
  if (answer.status === 403 && !privateKey) throw new Problem("unopened");
  const { detail } = await answer.json().catch(() => ({}));
  throw new Problem({ 404: "no_assistant", 503: "server_full" }[answer.status] ?? "refused", detail);
}
