// Whether the mesh is ready, and how its workers are.

import { el, replace } from "../dom.js";
import { ago, moment, number, size, span } from "../format.js";
import { empty, facts, heading } from "../parts.js";
import { unreachable, watch } from "../status.js";

export async function show(place, { signal }) {
  const ready = el("section", { class: "card ready", "aria-live": "polite" });
  const workers = el("tbody", {});
  const details = el("section", { class: "card" });
  const none = el("div", { hidden: true }, empty("No worker", "The mesh runs in no process at the moment."));
  replace(place, heading("Health"), ready,
    el("section", { class: "card" }, el("h2", {}, "Workers"), el("div", { class: "wide-table" }, table(workers)), none),
    details);
  let last = "";
  watch((now) => {
    const state = JSON.stringify([now.ready, now.reasons, unreachable()]);
    if (state !== last) replace(ready, verdict(now, unreachable()));
    last = state;
    replace(workers, now.workers.map(worker));
    none.hidden = now.workers.length > 0;
    replace(details, el("h2", {}, "This mesh"), about(now));
  }, signal);
}

function verdict(now, lost) {
  if (lost) return [el("h2", { data: { state: "lost" } }, "Not reachable"), el("p", {}, lost)];
  if (now.ready) return [el("h2", { data: { state: "ready" } }, "Ready"), el("p", {}, "Everything that is needed is there: the journal can be written, and the workers answer.")];
  return [el("h2", { data: { state: "waiting" } }, "Not ready"), el("p", {}, "Nothing is let in until this is mended:"), el("ul", { class: "reasons" }, now.reasons.map((reason) => el("li", {}, reason)))];
}

function table(body) {
  return el("table", { class: "plain" },
    el("thead", {}, el("tr", {}, ["Worker", "Process", "Memory", "Under way", "Warm sessions", "State"].map((title, index) => el("th", { scope: "col", class: index && index < 5 ? "figure" : null }, title)))),
    body);
}

function worker(each) {
  return el("tr", {},
    el("th", { scope: "row" }, `Worker ${each.worker}`),
    [number(each.pid).replaceAll(",", ""), size(each.rss), number(each.under_way), number(each.warm)].map((value) => el("td", { class: "figure" }, value)),
    el("td", {}, each.trouble ? el("span", { class: "badge", data: { state: "failed" } }, each.trouble) : el("span", { class: "badge", data: { state: "answered" } }, "well")));
}

function about(now) {
  return facts([
    ["Version", now.version],
    ["Runs for", el("span", { title: moment(now.started) }, span(Math.max(0, now.now - now.started)))],
    ["Started", `${moment(now.started)} · ${ago(now.started)}`],
    ["Configuration", el("span", { class: "mono" }, now.config)],
    ["Journal and data", el("span", { class: "mono" }, now.data)],
    ["Default deadline", span(now.deadline)],
    ["Your token", `${now.token.name} · ${now.token.scopes.join(", ")}${now.token.agents?.length ? ` · for ${now.token.agents.join(", ")}` : ""}`],
  ]);
}
