// What the mesh says of itself every few seconds, for whoever wants to know.

import { aborted, explain, get } from "./client.js";
import { pause } from "./events.js";

const EVERY = 4000;
const listeners = new Set();

let latest = null;
let trouble = "";

/** The newest status, or null before there is one. */
export function status() {
  return latest;
}

/** What is wrong with reaching it, "" where nothing is. */
export function unreachable() {
  return trouble;
}

/** Tell a listener now, if there is something to tell, and at every news until `signal` aborts. */
export function watch(listener, signal) {
  listeners.add(listener);
  signal?.addEventListener("abort", () => listeners.delete(listener), { once: true });
  if (latest) listener(latest);
}

export async function refresh() {
  try {
    latest = await get("api/status");
    trouble = "";
  } catch (error) {
    if (aborted(error)) return;
    trouble = explain(error);
  }
  for (const listener of listeners) listener(latest);
}

export async function keepFresh() {
  for (;;) {
    await pause(EVERY);
    if (!document.hidden) await refresh();
  }
}

/** Whether the token in hand has a scope; the server judges again. */
export function may(scope) {
  const scopes = latest?.token?.scopes ?? [];
  return scopes.includes(scope) || scopes.includes("admin");
}
