// The frame around the views: navigation, colours, state, and whose token it is.

import { aborted, explain } from "./client.js";
import { announce, el, replace, write } from "./dom.js";
import { icon } from "./icons.js";
import { hash } from "./links.js";
import { parse, VIEWS } from "./routes.js";
import { keepFresh, may, refresh, status, unreachable, watch } from "./status.js";
import { forget } from "./token.js";
import { failure } from "./parts.js";

const main = document.getElementById("main");
const side = document.getElementById("side");
const menu = document.getElementById("menu");

let leaving = new AbortController();

async function start() {
  buildThemes();
  menu.addEventListener("click", () => openMenu(menu.getAttribute("aria-expanded") !== "true"));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.getAttribute("aria-expanded") === "true") {
      openMenu(false);
      menu.focus();
    }
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the hash belongs to the views
    main.focus();
  });
  await refresh();
  watch(frame);
  addEventListener("hashchange", () => go(true));
  go(false);
  keepFresh();
}

function go(moved) {
  leaving.abort();
  leaving = new AbortController();
  openMenu(false);
  const { view, parts, query } = parse(location.hash, may);
  mark(view);
  const place = el("div", { class: "view", data: { view: view?.name ?? "" } });
  replace(main, place);
  main.scrollTop = 0;
  document.title = view ? `${view.title} · ClawMesh` : "ClawMesh";
  if (moved) {
    main.focus({ preventScroll: true });
    announce(view?.title ?? "Not found");
  }
  draw(view, place, { parts, query, signal: leaving.signal });
}

async function draw(view, place, route) {
  try {
    if (!status()) throw new Error(unreachable() || "ClawMesh does not say how it is.");
    if (!view) throw new Error("There is no such view.");
    if (!may(view.scope)) throw new Error(`This view needs a token with the scope “${view.scope}”.`);
    await view.show(place, route);
  } catch (error) {
    if (aborted(error) || route.signal.aborted) return;
    replace(place, failure(explain(error), () => refresh().then(() => go(false))));
  }
}

function mark(view) {
  for (const link of document.querySelectorAll("#views a")) {
    if (link.dataset.view === view?.name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

// What stays while views change

function frame(now) {
  const state = document.getElementById("state");
  const lost = unreachable();
  state.hidden = false;
  state.dataset.state = lost ? "lost" : now?.ready ? "ready" : "waiting";
  write(state, lost ? "Not reachable" : now?.ready ? `Ready · ${now.version}` : "Not ready");
  if (now) {
    buildViews();
    buildHolder(now.token);
  }
}

function buildViews() {
  const allowed = VIEWS.filter((view) => may(view.scope));
  const list = document.getElementById("views");
  const names = allowed.map((view) => view.name).join(" ");
  if (list.dataset.names === names) return;
  list.dataset.names = names;
  replace(list, allowed.map((view) => el("li", {}, el("a", { href: hash(view.name), data: { view: view.name } }, icon(view.name), el("span", {}, view.title)))));
  mark(parse(location.hash, may).view);
}

function buildHolder(token) {
  const holder = document.getElementById("holder");
  if (holder.dataset.name === token.name && !holder.hidden) return;
  holder.hidden = false;
  holder.dataset.name = token.name;
  const leave = el("button", { type: "button", class: "link", on: { click: signOut } }, "Forget token");
  replace(holder, el("span", { class: "name", title: token.scopes.join(", ") }, token.name), leave);
}

function signOut() {
  forget();
  location.hash = "";
  location.reload();
}

function openMenu(open) {
  menu.setAttribute("aria-expanded", String(open));
  side.classList.toggle("open", open);
}

function buildThemes() {
  const chosen = document.documentElement.dataset.theme ?? "system";
  const choices = [["system", "Auto"], ["light", "Light"], ["dark", "Dark"]].map(([value, text]) =>
    el("label", {}, el("input", { type: "radio", name: "theme", value, checked: value === chosen }), el("span", {}, text)));
  const place = replace(document.getElementById("theme"), choices);
  place.addEventListener("change", (event) => choose(event.target.value));
}

function choose(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("clawmesh.theme", theme);
  } catch {
    // then it holds until the page is closed
  }
  dispatchEvent(new Event("themechange"));
}

start();
