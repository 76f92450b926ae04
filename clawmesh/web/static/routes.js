// Which view an address shows, and the scope that it needs.

import { show as agents } from "./views/agents.js";
import { show as chat } from "./views/chat.js";
import { show as configuration } from "./views/configuration.js";
import { show as cost } from "./views/cost.js";
import { show as dead } from "./views/dead.js";
import { show as health } from "./views/health.js";
import { show as mesh } from "./views/mesh.js";
import { show as sessions } from "./views/sessions.js";
import { show as why } from "./views/why.js";

export const VIEWS = [
  { name: "mesh", title: "Mesh", scope: "operate", show: mesh },
  { name: "agents", title: "Agents", scope: "read", show: agents },
  { name: "sessions", title: "Sessions", scope: "read", show: sessions },
  { name: "why", title: "Why", scope: "read", show: why },
  { name: "chat", title: "Chat", scope: "talk", show: chat },
  { name: "dead", title: "Dead letters", scope: "operate", show: dead },
  { name: "cost", title: "Cost", scope: "operate", show: cost },
  { name: "health", title: "Health", scope: "read", show: health },
  { name: "configuration", title: "Configuration", scope: "operate", show: configuration },
];

/** Return {view, parts, query} of a location's hash; the view is undefined where there is none of that name.
 *  Where it names none, it is the first that `may` allows. */
export function parse(hash, may) {
  const [place, search = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [name, ...parts] = place.split("/").map(decoded);
  return { view: name ? VIEWS.find((view) => view.name === name) : (VIEWS.find((view) => may(view.scope)) ?? VIEWS[0]), parts: parts.filter(Boolean), query: new URLSearchParams(search) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
