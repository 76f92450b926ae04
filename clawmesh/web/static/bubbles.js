// What was said: bubbles, folded reasoning, tool calls with their arguments and results.

import { el } from "./dom.js";
import { cut, inline, pretty, span } from "./format.js";
import { markup } from "./markup.js";
import { long } from "./parts.js";

/** A bubble; `side` is "asked" or "answered", `html` what the server made of the Markdown in `text`. */
export function bubble(side, who, text, html) {
  const body = html ? el("div", { class: "text prose" }, markup(html)) : long(text || "(nothing)");
  return el("div", { class: `bubble ${side}` }, el("div", { class: "who" }, who), body);
}

export function reasoning(text) {
  return el("details", { class: "fold thought" },
    el("summary", {}, el("span", { class: "what" }, "Reasoning"), el("span", { class: "gist" }, cut(text, 120))),
    long(text));
}

/** A tool call as the journal tells it. */
export function call(made, ended) {
  const gave = given(made, ended);
  return el("details", { class: "fold call", data: { state: gave.state } },
    el("summary", {},
      el("span", { class: "what mono" }, made.name),
      el("span", { class: "gist" }, inline(made.arguments)),
      gave.state === "done" ? null : el("span", { class: "badge", data: { state: gave.state } }, gave.state),
      made.seconds ? el("span", { class: "took" }, span(made.seconds)) : null),
    el("div", { class: "pair" }, el("span", { class: "label" }, "Arguments"), code(pretty(made.arguments))),
    el("div", { class: "pair" }, el("span", { class: "label" }, made.failed ? "Failed" : "Result"), gave.shown),
    notes(made));
}

function given(made, ended) {
  if (made.unknown) return { state: "unknown", shown: el("p", { class: "soft" }, "The process ended while it was at work, and it is not one to call twice.") };
  if (made.result === null || made.result === undefined) {
    const text = ended ? "No result: the turn ended first." : "At work.";
    return { state: ended ? "no result" : "at work", shown: el("p", { class: "soft" }, text) };
  }
  return { state: made.failed ? "failed" : "done", shown: made.result ? code(pretty(made.result)) : el("p", { class: "soft" }, "nothing") };
}

function notes(made) {
  const said = [made.effect, made.again ? "run again after the process had ended" : ""].filter(Boolean);
  return said.length ? el("p", { class: "soft note" }, said.join(" · ")) : null;
}

export function code(text) {
  return long(text, (shown) => el("pre", { class: "code" }, shown));
}

export function wrong(error) {
  return el("div", { class: "wrong-box" }, el("strong", {}, error.type ? `${error.type}: ` : ""), error.message);
}
