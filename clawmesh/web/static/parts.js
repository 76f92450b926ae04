// Small pieces that several views show.

import { el, svg } from "./dom.js";
import { count } from "./format.js";

export function heading(title, ...beside) {
  return el("div", { class: "heading" }, el("h1", {}, title), beside.length ? el("div", { class: "beside" }, beside) : null);
}

export function waiting(text = "Loading…") {
  return el("p", { class: "waiting", role: "status" }, text);
}

export function empty(title, ...text) {
  return el("div", { class: "empty" },
    svg("svg", { viewBox: "0 0 48 48", width: 44, height: 44, "aria-hidden": "true", focusable: "false" },
      svg("path", { d: "M24 13 12 33M24 13l12 20M15 35h18" }),
      ...[[24, 11], [11, 35], [37, 35]].map(([x, y]) => svg("circle", { cx: x, cy: y, r: 4.5 }))),
    el("p", { class: "title" }, title),
    text.map((each) => (typeof each === "string" ? el("p", {}, each) : each)));
}

export function failure(text, again) {
  return el("div", { class: "failure", role: "alert" }, el("p", { class: "title" }, "This cannot be shown"), el("p", {}, text),
    again ? el("button", { type: "button", on: { click: again } }, "Try again") : null);
}

/** How a message ended, in words as well as in colour. */
export function badge(state) {
  return el("span", { class: "badge", data: { state } }, state);
}

export function facts(rows) {
  return el("dl", { class: "facts" }, rows.filter(([, value]) => value !== null && value !== undefined && value !== "").map(
    ([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

export function tags(names, link) {
  return names.length ? el("ul", { class: "tags" }, names.map((name) => el("li", {}, link ? link(name) : name))) : el("span", { class: "soft" }, "none");
}

const LONG = 6000;

/** Text in full, but what is very long only when asked for. */
export function long(text, make = (shown) => el("div", { class: "text" }, shown)) {
  if (text.length <= LONG) return make(text);
  const shown = make(`${text.slice(0, LONG)}…`);
  const more = el("button", { type: "button", class: "link" }, `Show all of it (${count(text.length, "character")})`);
  more.addEventListener("click", () => box.replaceChildren(make(text)));
  const box = el("div", {}, shown, more);
  return box;
}

/** Ask before something that cannot be undone; resolves to whether it was confirmed. */
export function confirmed({ title, text, yes }) {
  return new Promise((resolve) => {
    const dialog = el("dialog", { "aria-labelledby": "confirm-title" },
      el("h2", { id: "confirm-title" }, title),
      el("p", {}, text),
      el("div", { class: "actions" },
        el("button", { type: "button", autofocus: true, on: { click: () => dialog.close("no") } }, "Cancel"),
        el("button", { type: "button", class: "bad", on: { click: () => dialog.close("yes") } }, yes)));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A field that chooses an agent: a list where there are few, a field with suggestions where there are thousands. */
export function agentField({ names, value, label, all, changed }) {
  const field = names.length <= 400 ? selection(names, value, all) : suggestions(names, value);
  const input = field.matches("select") ? field : field.querySelector("input");
  input.addEventListener("change", () => changed(input.value.trim()));
  return el("label", { class: "field" }, el("span", {}, label), field);
}

function selection(names, value, all) {
  const known = !value || names.includes(value) ? names : [value, ...names];
  return el("select", {}, all ? el("option", { value: "" }, all) : null, known.map((name) => el("option", { value: name, selected: name === value }, name)));
}

function suggestions(names, value) {
  const list = el("datalist", { id: "agent-names" });
  const input = el("input", { type: "search", list: "agent-names", autocomplete: "off", placeholder: "Agent" });
  input.value = value ?? "";
  const suggest = () => list.replaceChildren(...names.filter((name) => name.includes(input.value)).slice(0, 40).map((name) => el("option", { value: name })));
  input.addEventListener("input", suggest);
  suggest();
  return el("span", {}, input, list);
}
