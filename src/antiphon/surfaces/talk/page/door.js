/** The server's door: who can be talked to, and a short-lived key for one call. */

import { Problem } from "./problems.js";

/** A private key the visitor typed. Kept in this variable only: never stored, never part of an address. */
let privateKey = "";

export function useKey(key) {
  privateKey = key.trim();
}

/**
 * {assistants: [name], default: name, named: {id: name}}: who can be talked to, who is unless another is chosen, and the one that this
 * page's address asks for, where it is no file. Throws Problem `locked` where a key is wanted, `unopened` where the address that the server
 * printed would do as well, `wrong_key` where the key is none of theirs.
 */
export async function assistants() {
  const asked = new URLSearchParams(location.search).get("assistant");
  return ask(`assistants${asked ? `?assistant=${encodeURIComponent(asked)}` : ""}`, "GET");
}

/** A client secret (`ek_…`) for one assistant. */
export async function keyFor(assistant) {
  return (await ask(`key/${encodeURIComponent(assistant)}`, "POST")).value;
}

async function ask(path, method) {
  const headers = privateKey ? { Authorization: `Bearer ${privateKey}` } : {};
  let answer;
  try {
    answer = await fetch(new URL(path, import.meta.url), { method, headers, signal: AbortSignal.timeout(10_000) });
  } catch {
    throw new Problem("unreachable");
  }
  if (answer.ok) return answer.json();
  if (answer.status === 401) throw new Problem(privateKey ? "wrong_key" : "locked");
  if (answer.status === 403 && !privateKey) throw new Problem("unopened");
  const { detail } = await answer.json().catch(() => ({}));
  throw new Problem(answer.status === 503 ? "server_full" : "refused", detail);
}
