// What caused a message and what it caused: a tree beside a common axis of time.

import { el } from "./dom.js";
import { compact, count, span } from "./format.js";
import { hash } from "./links.js";
import { badge } from "./parts.js";
import { placed } from "./waterfall.js";

const MOST = 300;

/** The kin of a message as [{message, depth, line}], each before what it caused; `line` says up or down from it. */
export function branches(messages, own) {
  const ids = new Set(messages.map((message) => message.id));
  const below = new Map();
  for (const message of [...messages].sort((a, b) => b.accepted - a.accepted || (a.id < b.id ? 1 : -1))) {
    const parent = message.causes.at(-1);
    const place = ids.has(parent) ? parent : "";
    if (!below.has(place)) below.set(place, []);
    below.get(place).push(message);
  }
  const stack = (below.get("") ?? []).map((message) => ({ message, depth: 0 }));
  const found = [];
  while (stack.length) {
    const { message, depth } = stack.pop();
    found.push({ message, depth, line: inLine(message, own) });
    stack.push(...(below.get(message.id) ?? []).map((child) => ({ message: child, depth: depth + 1 })));
  }
  return found;
}

function inLine(message, own) {
  return message.id === own.id || own.causes.includes(message.id) || message.causes.includes(own.id);
}

/** At most so many of a tree: first those in line, whatever is left in its order. */
function nearest(tree, most) {
  const chosen = [...tree.keys()].sort((a, b) => tree[b].line - tree[a].line || a - b).slice(0, most);
  return chosen.sort((a, b) => a - b).map((index) => tree[index]);
}

export function trace(messages, own) {
  const tree = branches(messages, own);
  const shown = nearest(tree, MOST);
  const start = Math.min(...shown.map(({ message }) => message.accepted));
  const end = Math.max(...shown.map(({ message }) => message.ended || message.accepted), start + 1e-6);
  const revived = new Set(tree.flatMap(({ message }) => message.rests.filter((rest) => rest.state === "revived").map((rest) => rest.text)));
  return el("div", { class: "trace", tabindex: "0", role: "group", "aria-label": "Messages of the same kin" },
    el("table", {},
      el("caption", { class: "hidden" }, "Who spoke to whom, when, at what cost"),
      el("thead", {}, el("tr", {}, ["Message", "Kind", "State"].map((title) => el("th", { scope: "col" }, title)),
        el("th", { scope: "col", class: "time" }, el("span", { class: "axis" }, [0, 0.5, 1].map((part) => el("span", {}, part ? span((end - start) * part) : "0")))),
        ["Took", "Tokens"].map((title) => el("th", { scope: "col", class: "figure" }, title)))),
      el("tbody", {}, shown.map((branch) => row(branch, own, { start, whole: end - start, revived })))),
    shown.length < tree.length ? el("p", { class: "soft" }, `and ${count(tree.length - shown.length, "more message")} of the same kin`) : null);
}

function row({ message, depth }, own, { start, whole, revived }) {
  const self = message.id === own.id;
  const who = depth ? `→ ${message.to}` : `${message.from} → ${message.to}`;
  const name = el("a", { href: hash("why", [message.id]), "aria-current": self ? "true" : null, title: `${who}\n${message.id}` }, who);
  name.style.paddingInlineStart = `${Math.min(depth, 12) * 18}px`;
  return el("tr", { class: self ? "self" : null },
    el("th", { scope: "row" }, name),
    el("td", { class: "soft" }, revived.has(message.id) ? "sent again" : message.kind),
    el("td", {}, badge(message.state)),
    el("td", { class: "time", "aria-hidden": "true" }, lane(message, start, whole)),
    el("td", { class: "figure" }, span(message.took)),
    el("td", { class: "figure" }, message.usage.total_tokens ? compact(message.usage.total_tokens) : ""));
}

function lane(message, start, whole) {
  const from = message.accepted - start;
  const to = (message.ended || start + whole) - start;
  const waited = message.waited ?? 0;
  return el("span", { class: "lane" },
    waited > whole / 500 ? placed(el("i", { class: "wait" }), from / whole, (from + waited) / whole) : null,
    placed(el("i", { class: message.state === "answered" ? "model" : message.state === "pending" ? "tool" : "bad" }), (from + waited) / whole, to / whole));
}
