// A message with its turn: what was said on one side, when it happened on the other.

import { bubble, call, reasoning, wrong } from "./bubbles.js";
import { el } from "./dom.js";
import { agentOf, clock, compact, moment, span } from "./format.js";
import { sessionLink, whyLink } from "./links.js";
import { badge } from "./parts.js";
import { waterfall } from "./waterfall.js";

export function turn(message) {
  return el("article", { class: "turn", "aria-label": `From ${message.from}, ${moment(message.accepted)}` },
    el("div", { class: "said" }, talk(message)),
    el("aside", { class: "timing", "aria-label": "Timings" }, cost(message), waterfall(message)));
}

/** Everything that was said in a turn, in its order. */
export function talk(message) {
  const ended = message.state !== "pending";
  return [
    bubble("asked", [sessionLink(message.from), time(message.accepted)], message.text),
    message.steps.map((step, index) => deeds(step, ended, index === message.steps.length - 1 && message.answer)),
    outcome(message),
  ];
}

function time(at) {
  return el("time", { datetime: new Date(at * 1000).toISOString(), title: moment(at) }, clock(at));
}

function deeds(step, ended, last) {
  return [
    step.reasoning ? reasoning(step.reasoning) : null,
    step.text && !last ? el("p", { class: "aside text" }, step.text.trim()) : null,
    step.repair ? el("p", { class: "aside soft" }, `Was told: ${step.repair}`) : null,
    step.calls.map((made) => call(made, ended)),
  ];
}

function outcome(message) {
  if (message.answer) {
    const said = message.answer.parts.filter((part) => part.type === "text").map((part) => part.text).join("");
    return bubble("answered", [el("span", {}, agentOf(message.to)), message.ended ? time(message.ended) : null], said, message.answer.html ?? message.html);
  }
  if (message.error) return wrong(message.error);
  return message.state === "pending" ? el("p", { class: "aside soft" }, message.waits_for ? `Waits for ${message.waits_for}.` : "Under way.") : null;
}

function cost(message) {
  const usage = message.usage;
  return el("p", { class: "cost" },
    badge(message.state),
    message.took === null ? null : el("span", {}, span(message.took)),
    usage.total_tokens ? el("span", { title: `${usage.input_tokens} in, ${usage.output_tokens} out` }, `${compact(usage.total_tokens)} tokens`) : null,
    el("span", { class: "grow" }),
    whyLink(message.id, "Why?"));
}
