// The token: asked for in a dialog, kept for this tab alone, sent in a header and nowhere else.

import { el, replace, write } from "./dom.js";

const KEY = "clawmesh.token";

let memory = "";
let asking = null;

export function current() {
  try {
    return sessionStorage.getItem(KEY) ?? memory;
  } catch {
    return memory; // a browser that forbids storage forgets it with the page
  }
}

function keep(token) {
  memory = token;
  try {
    if (token) sessionStorage.setItem(KEY, token);
    else sessionStorage.removeItem(KEY);
  } catch {
    // see above
  }
}

export function forget() {
  keep("");
}

/** Ask for a token until `accepts` takes one; whoever asks meanwhile waits for the same answer. */
export function ask(reason, accepts) {
  asking ??= new Promise((resolve) => open(reason, accepts, resolve)).finally(() => {
    asking = null;
  });
  return asking;
}

function open(reason, accepts, resolve) {
  const input = el("input", { type: "password", id: "token", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": "token-help token-wrong" });
  const wrong = el("p", { class: "wrong", id: "token-wrong", role: "alert" }, reason);
  const enter = el("button", { type: "submit", class: "main" }, "Open the dashboard");
  const dialog = el("dialog", { class: "token", "aria-labelledby": "token-title" }, form(input, wrong, enter));
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const trouble = await attempt(input.value.trim(), accepts, enter);
    if (trouble) {
      write(wrong, trouble);
      input.select();
      return;
    }
    dialog.close();
    dialog.remove();
    resolve(current());
  });
  document.body.append(dialog);
  dialog.showModal();
  input.focus();
}

function form(input, wrong, enter) {
  return el("form", { method: "dialog", novalidate: true },
    el("h2", { id: "token-title" }, "Who is there?"),
    el("div", { id: "token-help" },
      el("p", {}, "Everything here needs an access token. Make one where ClawMesh runs:"),
      el("pre", { class: "code" }, "clawmesh token create NAME --scope operate"),
      el("p", { class: "soft" }, "The scopes read, talk, operate and admin say what it opens. At its first start ClawMesh made one for its owner and named the file. The token stays in this tab and is forgotten when you close it.")),
    el("label", { for: "token" }, "Access token"),
    input,
    wrong,
    el("div", { class: "actions" }, enter));
}

async function attempt(token, accepts, button) {
  if (!token) return "Paste a token first.";
  if (!/^[\x21-\x7e]+$/.test(token)) return "A token has no spaces and no special characters.";
  button.disabled = true;
  replace(button, "Asking…");
  try {
    const trouble = await accepts(token);
    if (!trouble) keep(token);
    return trouble;
  } finally {
    button.disabled = false;
    replace(button, "Open the dashboard");
  }
}
