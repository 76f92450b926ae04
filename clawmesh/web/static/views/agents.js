// The agents: a list, and all there is to know of one.

import { get } from "../client.js";
import { el, replace } from "../dom.js";
import { count, cut, number } from "../format.js";
import { agentLink, hash } from "../links.js";
import { empty, facts, heading, tags, waiting } from "../parts.js";
import { Scroller } from "../scroller.js";
import { may } from "../status.js";

export async function show(place, { parts, signal }) {
  replace(place, heading(parts[0] ?? "Agents"), waiting());
  const { agents } = await get("api/agents", { signal });
  if (parts[0]) one(place, agents.find((agent) => agent.name === parts[0]), agents);
  else all(place, agents);
}

function all(place, agents) {
  if (!agents.length) {
    replace(place, heading("Agents"), empty("No agents yet", "Describe one in clawmesh.toml: a table [agents.NAME] with a backend and instructions is enough."));
    return;
  }
  const list = new Scroller({
    label: "Agents",
    class: "agents-list",
    height: 60,
    columns: [{ title: "Agent" }, { title: "Model", class: "wide" }, { title: "Tools", class: "figure wide" }, { title: "Peers", class: "figure wide" }, { title: "Sessions", class: "figure" }, { title: "Active", class: "figure" }],
    key: (agent) => agent.name,
    row: cells,
    open: (agent) => { location.hash = hash("agents", [agent.name]); },
  });
  const search = el("input", { type: "search", placeholder: "Find an agent", "aria-label": "Find an agent" });
  const shown = el("span", { class: "soft", role: "status" });
  const filter = () => {
    const wanted = search.value.trim().toLowerCase();
    const found = agents.filter((agent) => `${agent.name} ${agent.description} ${agent.model}`.toLowerCase().includes(wanted));
    replace(shown, wanted ? `${number(found.length)} of ${count(agents.length, "agent")}` : count(agents.length, "agent"));
    list.toTop();
    list.show(found);
  };
  search.addEventListener("input", filter);
  replace(place, heading("Agents", shown, search), el("div", { class: "card fill" }, list.node));
  filter();
}

function cells(agent) {
  return [
    el("div", { class: "two" }, el("a", { href: hash("agents", [agent.name]), tabindex: "-1" }, agent.name), el("span", { class: "soft" }, cut(agent.description, 120))),
    el("div", { class: "two" }, el("span", {}, agent.model || agent.type), el("span", { class: "soft" }, agent.backend.join(" → "))),
    number(agent.tools.length),
    number(agent.peers.length),
    number(agent.sessions.warm),
    number(agent.sessions.active),
  ];
}

function one(place, agent, agents) {
  if (!agent) {
    replace(place, heading("Agents"), empty("There is no such agent", el("p", {}, el("a", { href: hash("agents") }, "All agents"))));
    return;
  }
  const known = new Set(agents.map((each) => each.name));
  replace(place,
    el("nav", { class: "crumbs", "aria-label": "Path" }, el("a", { href: hash("agents") }, "Agents")),
    heading(agent.name, el("a", { class: "button", href: hash("sessions", [], { agent: agent.name }) }, "Sessions"),
      may("talk") ? el("a", { class: "button main", href: hash("chat", [], { agent: agent.name }) }, "Chat") : null),
    agent.description ? el("p", { class: "lead" }, agent.description) : null,
    el("div", { class: "grid" }, model(agent), sessions(agent), limits(agent),
      panel("Tools", tags(agent.tools)),
      panel("Peers", tags(agent.peers, (name) => (known.has(name) ? agentLink(name) : name)), asked(agent, agents)),
      panel("Topics", tags(agent.topics))));
}

function panel(title, ...content) {
  return el("section", { class: "card" }, el("h2", {}, title), content);
}

function asked(agent, agents) {
  const by = agents.filter((each) => each.peers.includes(agent.name)).map((each) => each.name);
  return by.length ? el("div", { class: "also" }, el("h3", {}, "Is a peer of"), tags(by, agentLink)) : null;
}

function model(agent) {
  const chain = el("ol", { class: "chain" }, agent.backend.map((name) => el("li", {}, name)));
  return panel("Model", facts([["Type", agent.type], ["Model", agent.model], ["Backends", agent.backend.length ? chain : ""], ["Memory", agent.memory || "none"]]));
}

function sessions(agent) {
  return panel("Sessions", facts([["Active now", number(agent.sessions.active)], ["In memory", number(agent.sessions.warm)]]));
}

function limits(agent) {
  const { steps, tokens, seconds, parallel_tools: parallel, tool_seconds: tool } = agent.limits;
  const rows = [["Steps", steps], ["Tokens", tokens], ["Time", seconds, " s"], ["Tools side by side", parallel], ["Time of a tool", tool, " s"]];
  return panel("Limits of a turn", facts(rows.map(([name, value, unit = ""]) => [name, value === null || value === undefined ? "none" : `${number(value)}${unit}`])));
}
