// What became of a message, and why: the road to it and from it, waits, costs, outcome.

import { get, path } from "../client.js";
import { el, replace } from "../dom.js";
import { ago, compact, count, moment, span } from "../format.js";
import { hash, sessionHash, sessionLink, whyLink } from "../links.js";
import { trace } from "../kin.js";
import { badge, empty, facts, heading, waiting } from "../parts.js";
import { talk } from "../turns.js";
import { waterfall } from "../waterfall.js";

export async function show(place, { parts, signal }) {
  const [id] = parts;
  replace(place, heading("Why", search(id)), id ? waiting() : start());
  if (!id) return;
  const { message, kin } = await get(path("messages", id), { signal });
  const all = [...new Map([...kin, message].map((each) => [each.id, each])).values()];
  replace(place, heading("Why", search(id)), verdict(message),
    el("section", { class: "card kin" }, el("h2", {}, "What led to it, and what came of it"), trace(all, message)),
    el("div", { class: "pair-grid" }, said(message), side(message, all)));
}

function start() {
  return empty("Ask about any message", "Paste its id, or the beginning of it; ids stand beside every answer, in transcripts and among the dead letters. A session works too, as agent/session.");
}

function search(id) {
  const input = el("input", { type: "search", placeholder: "env_…", "aria-label": "Message id", value: id ?? "", class: "mono", spellcheck: "false", autocomplete: "off" });
  const form = el("form", { class: "search", role: "search" }, input, el("button", { type: "submit" }, "Explain"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = input.value.trim();
    if (wanted) location.hash = wanted.includes("/") ? sessionHash(wanted) : hash("why", [wanted]);
  });
  return form;
}

function verdict(message) {
  const spoken = message.kind === "send" ? "told" : "asked";
  return el("p", { class: "verdict" }, badge(message.state), el("span", {}, sessionLink(message.from), ` ${spoken} `, sessionLink(message.to),
    message.took === null ? "" : ` · ended after ${span(message.took)}`));
}

function said(message) {
  return el("section", { class: "card talk", "aria-label": "What was said" }, talk(message));
}

function side(message, all) {
  const { usage } = message;
  const caused = all.filter((each) => each.causes.includes(message.id)).reduce((sum, each) => sum + each.usage.total_tokens, 0);
  const calls = message.steps.reduce((sum, step) => sum + step.calls.length, 0);
  return el("section", { class: "card" },
    el("h2", {}, "Timings and cost"),
    waterfall(message),
    facts([
      ["Accepted", el("span", {}, moment(message.accepted), el("span", { class: "soft" }, ` · ${ago(message.accepted)}`))],
      ["Waited", message.waited === null ? "" : `${span(message.waited)} ${message.resumed.length ? "until it was last taken up" : "in the mailbox"}`],
      ["Waits for", message.waits_for],
      ["Deadline", message.state === "pending" ? `${moment(message.deadline)} (${ago(message.deadline)})` : ""],
      ["Resumed", message.resumed.length ? `${count(message.resumed.length, "time")}, last ${moment(message.resumed.at(-1))}` : ""],
      ["Used", message.steps.length ? `${compact(usage.total_tokens)} tokens (${compact(usage.input_tokens)} in, ${compact(usage.output_tokens)} out)` : ""],
      ["", message.steps.length ? `${count(message.steps.length, "model call")}, ${count(calls, "tool call")}` : ""],
      ["With all it caused", caused ? `${compact(usage.total_tokens + caused)} tokens` : ""],
      ["Caused by", message.causes.length ? whyLink(message.causes.at(-1)) : ""],
      ["Id", el("span", { class: "mono" }, message.id)],
      ["Key", message.key],
      ...message.rests.map((rest) => ["Dead letters", resting(rest)]),
    ]));
}

function resting(rest) {
  if (rest.state === "revived") return el("span", {}, "sent again as ", whyLink(rest.text), `, ${moment(rest.at)}`);
  return `${rest.state === "discarded" ? "discarded" : "there since"} ${moment(rest.at)}`;
}
