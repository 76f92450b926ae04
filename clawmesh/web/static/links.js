// Addresses of views, and links to them.

import { el } from "./dom.js";

export function hash(name, parts = [], query = {}) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value)).toString();
  return `#/${[name, ...parts].map(encodeURIComponent).join("/")}${search ? `?${search}` : ""}`;
}

export function sessionHash(address) {
  const slash = address.indexOf("/");
  return slash < 0 ? hash("agents", [address]) : hash("sessions", [address.slice(0, slash), address.slice(slash + 1)]);
}

/** A link to the session of an address; the outside, such as "user", has none. */
export function sessionLink(address) {
  return address.includes("/") ? el("a", { href: sessionHash(address) }, address) : el("span", {}, address);
}

export function agentLink(name) {
  return el("a", { href: hash("agents", [name]) }, name);
}

export function whyLink(id, text = id) {
  return el("a", { href: hash("why", [id]), class: text === id ? "mono" : null }, text);
}
