// When each step of a turn began and how long it took.

import { el } from "./dom.js";
import { count, span } from "./format.js";

const LEAST = 0.4; // percent: what took no time at all is still to be seen

/** The steps of a message as rows {kind, name, from, to, note}, in seconds since it was accepted. */
export function rowsOf(message) {
  const since = message.accepted;
  const rows = message.waited > Math.max(0.0005, (message.took ?? 0) / 100) ? [{ kind: "wait", name: "in the mailbox", from: 0, to: message.waited }] : [];
  for (const step of message.steps) {
    const to = step.at - since;
    rows.push({ kind: "model", name: step.model || "model", from: Math.max(0, to - step.seconds), to, note: count(step.usage.total_tokens, "token") });
    rows.push(...step.calls.filter((call) => call.began || call.ended).map((call) => callRow(call, since)));
  }
  return rows;
}

function callRow(call, since) {
  const to = (call.ended || Date.now() / 1000) - since;
  const from = call.began ? call.began - since : to - call.seconds;
  const state = call.unknown ? "unknown" : call.failed ? "failed" : "";
  return { kind: state || !call.ended ? "bad" : "tool", name: call.name, from: Math.max(0, from), to, note: state || (call.ended ? "" : "at work") };
}

export function waterfall(message) {
  const rows = rowsOf(message);
  if (!rows.length) return el("p", { class: "soft" }, "No step yet.");
  const whole = Math.max(message.took ?? 0, ...rows.map((row) => row.to), 1e-6);
  return el("div", { class: "waterfall" },
    el("ol", {}, rows.map((row) => line(row, whole))),
    el("div", { class: "axis", "aria-hidden": "true" }, [0, 0.5, 1].map((part) => el("span", {}, part ? span(whole * part) : "0"))));
}

function line(row, whole) {
  const bar = placed(el("i", { class: row.kind }), row.from / whole, row.to / whole);
  return el("li", {},
    el("span", { class: `name ${row.kind}` }, row.name),
    el("span", { class: "lane", "aria-hidden": "true" }, bar),
    el("span", { class: "took" }, span(row.to - row.from)),
    row.note ? el("span", { class: "hidden" }, row.note) : null);
}

/** Put a bar where it belongs on a lane, from and to being parts of the whole. */
export function placed(bar, from, to) {
  const left = Math.min(100 - LEAST, Math.max(0, from * 100));
  bar.style.left = `${left}%`;
  bar.style.width = `${Math.max(LEAST, Math.min(100 - left, (to - from) * 100))}%`;
  return bar;
}
