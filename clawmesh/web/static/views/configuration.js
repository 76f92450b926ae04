// The configuration in force, secrets left out; and taking up a changed one.

import { aborted, explain, get, post } from "../client.js";
import { announce, el, replace } from "../dom.js";
import { heading, waiting } from "../parts.js";
import { may } from "../status.js";

export async function show(place, { signal }) {
  replace(place, heading("Configuration"), waiting());
  const said = el("div", { hidden: true });
  const text = el("div", { class: "card toml" });
  const reload = el("button", { type: "button", class: "main" }, "Reload");
  const fill = async () => {
    const { path, toml } = await get("api/config", { signal });
    replace(text, el("p", { class: "file mono" }, path), listing(toml));
  };
  reload.addEventListener("click", () => again(reload, said, fill, signal));
  await fill();
  replace(place, heading("Configuration", may("admin") ? reload : null),
    el("p", { class: "lead" }, "What is in force, with secrets left out. After you have changed the file, reload it: turns that are under way end with what they began with."), said, text);
}

async function again(button, said, fill, signal) {
  button.disabled = true;
  try {
    const { version } = await post("api/reload", {}, { signal });
    await fill();
    report(said, false, [el("p", {}, `Reloaded; version ${version} is in force.`)]);
  } catch (error) {
    if (!aborted(error)) report(said, true, [el("p", {}, explain(error)), problems(error.body?.problems ?? [])]);
  } finally {
    button.disabled = false;
  }
}

function report(said, wrong, content) {
  said.hidden = false;
  said.className = wrong ? "notice bad" : "notice";
  replace(said, content);
  announce(said.textContent);
}

function problems(found) {
  return found.length ? el("ul", {}, found.map((each) =>
    el("li", {}, el("span", { class: "mono" }, [`${each.file ?? ""}${each.line ? `:${each.line}` : ""}`, [each.table, each.key].filter(Boolean).join(".")].filter(Boolean).join(" ")), " ", each.message))) : null;
}

// Colouring by line is all that a listing needs; what it does not know stays plain.
function listing(toml) {
  return el("pre", { class: "code lines", tabindex: "0", role: "group", "aria-label": "Configuration as TOML" }, el("code", {}, toml.replace(/\n$/, "").split("\n").map((line) => el("span", { class: "line" }, coloured(line), "\n"))));
}

function coloured(line) {
  if (/^\s*#/.test(line)) return el("span", { class: "comment" }, line);
  if (/^\s*\[.*\]\s*$/.test(line)) return el("span", { class: "table" }, line);
  const pair = /^(\s*(?:[\w-]+|"[^"]*")(?:\.(?:[\w-]+|"[^"]*"))*)(\s*=\s*)(.*)$/.exec(line);
  return pair ? [el("span", { class: "key" }, pair[1]), pair[2], values(pair[3])] : values(line);
}

function values(text) {
  return text.split(/("(?:[^"\\]|\\.)*"|'[^']*')/).map((piece) => (/^["']/.test(piece) ? el("span", { class: "string" }, piece) : piece));
}
