// The mesh as it is now: who talks to whom, how much, and what fails.

import { aborted, explain, get } from "../client.js";
import { el, oncePerFrame, replace, write } from "../dom.js";
import { follow, pause } from "../events.js";
import { agentOf, compact, number, rate, size, span } from "../format.js";
import { Graph } from "../graph.js";
import { hash, whyLink } from "../links.js";
import { badge, empty, heading, waiting } from "../parts.js";
import { Scroller } from "../scroller.js";
import { Minute, sparkline } from "../sparkline.js";
import { status, watch } from "../status.js";

const FAILURES = 30;

export async function show(place, { signal }) {
  replace(place, heading("Mesh"), waiting());
  const figures = await get("api/graph", { signal });
  const mesh = new Mesh(place, signal);
  if (!figures.agents.length) {
    replace(place, heading("Mesh"), empty("No agents yet", "Describe one in clawmesh.toml, and it appears here."));
    return;
  }
  mesh.open(figures);
}

class Mesh {
  constructor(place, signal) {
    this.place = place;
    this.signal = signal;
    this.minute = new Minute();
    this.failures = [];
    this.chosen = null;
    this.draw = oncePerFrame(() => this.#count());
  }

  open(figures) {
    this.live = el("span", { class: "live-state", role: "status" }, "Connecting");
    this.tiles = Object.fromEntries([["rate", "Messages a second"], ["under", "Under way"], ["errors", "Failed in a minute"], ["tokens", "Tokens in a minute"], ["workers", "Workers"]].map(([name, title]) => [name, tile(title)]));
    this.spark = sparkline();
    this.tiles.rate.value.after(this.spark.node);
    this.graph = new Graph((name) => this.choose(name));
    this.#tables();
    this.feed = el("ul", { class: "feed" });
    replace(this.place, heading("Mesh", this.live), el("dl", { class: "tiles" }, Object.values(this.tiles).map((each) => each.node)),
      el("div", { class: "mesh-grid" },
        el("section", { class: "card picture", "aria-label": "Picture of the mesh" }, this.graph.node, this.#legend()),
        el("div", { class: "beside-graph" },
          el("section", { class: "card fill", "aria-label": "Figures of the last minute" }, el("div", { class: "card-head" }, el("h2", {}, "Last minute"), this.#switch()), this.lists),
          el("section", { class: "card failures" }, el("h2", {}, "Latest failures"), this.feed))));
    this.#feed();
    this.take(figures);
    this.#follow();
  }

  #follow() {
    const { signal } = this;
    const recolour = () => this.graph.recolour();
    addEventListener("themechange", recolour, { signal });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour, { signal });
    signal.addEventListener("abort", () => this.graph.close());
    watch(() => this.draw(), signal);
    follow("api/events", { signal, heard: (event) => this.hear(event), state: (state) => this.#state(state) }).catch((error) => write(this.live, explain(error)));
    this.#poll();
  }

  async #poll() {
    while (!this.signal.aborted) {
      await pause(this.figures.agents.length > 500 ? 5000 : 2000, this.signal);
      if (document.hidden || this.signal.aborted) continue;
      try {
        this.take(await get("api/graph", { signal: this.signal }));
      } catch (error) {
        if (!aborted(error) && !this.signal.aborted) write(this.live, explain(error));
      }
    }
  }

  #state(state) {
    this.live.dataset.state = state;
    write(this.live, state === "open" ? "Live" : "Reconnecting");
  }

  // What comes

  take(figures) {
    this.figures = figures;
    this.graph.show(figures);
    if (!this.chosen) this.#hint();
    this.agents.show([...figures.agents].sort((a, b) => b.messages - a.messages || (a.name < b.name ? -1 : 1)));
    this.links.show([...figures.links].sort((a, b) => b.messages - a.messages));
    this.draw();
  }

  hear({ type, data }) {
    if (type !== "events") return;
    const failed = [];
    for (const event of JSON.parse(data)) {
      if (event.t === "accepted") this.#accepted(event);
      else if (event.t === "ended" && event.ending !== "answered") failed.push(event);
    }
    if (failed.length) {
      this.failures = [...failed.reverse(), ...this.failures].slice(0, FAILURES);
      this.feedLater ??= oncePerFrame(() => this.#feed());
      this.feedLater();
    }
    this.draw();
  }

  #accepted(event) {
    this.minute.add();
    this.graph.pulse(agentOf(event.from), agentOf(event.to));
  }

  // What is shown

  #count() {
    const { agents, seconds } = this.figures;
    const sum = (field) => agents.reduce((total, agent) => total + agent[field], 0);
    const errors = sum("errors");
    const workers = status()?.workers ?? [];
    write(this.tiles.rate.value, rate(this.minute.rate() ?? sum("messages") / seconds));
    write(this.tiles.under.value, compact(sum("under_way")));
    write(this.tiles.errors.value, compact(errors));
    this.tiles.errors.node.classList.toggle("bad", errors > 0);
    write(this.tiles.tokens.value, compact(sum("tokens")));
    write(this.tiles.workers.value, number(workers.length));
    write(this.tiles.workers.note, `${size(workers.reduce((total, each) => total + each.rss, 0))} of memory`);
    this.spark.show(this.minute.all());
  }

  #feed() {
    replace(this.feed, this.failures.length ? this.failures.map(failed) : el("li", { class: "soft" }, "None since you opened this page."));
  }

  #tables() {
    this.agents = new Scroller({
      label: "Agents in the last minute",
      class: "graph-list",
      height: 36,
      columns: [{ title: "Agent" }, { title: "Messages", class: "figure" }, { title: "Failed", class: "figure" }, { title: "Under way", class: "figure" }, { title: "Tokens", class: "figure" }],
      key: (agent) => agent.name,
      row: (agent) => [el("a", { href: hash("agents", [agent.name]), tabindex: "-1" }, agent.name), number(agent.messages), bad(agent.errors), number(agent.under_way), compact(agent.tokens)],
      open: (agent) => this.choose(agent.name === this.chosen ? null : agent.name),
    });
    this.links = new Scroller({
      label: "Links in the last minute",
      class: "link-list",
      height: 36,
      columns: [{ title: "From" }, { title: "To" }, { title: "Messages", class: "figure" }, { title: "Failed", class: "figure" }],
      key: (link) => `${link.from}\n${link.to}`,
      row: (link) => [link.from, link.to, number(link.messages), bad(link.errors)],
      open: (link) => this.choose(link.to),
    });
    this.links.node.hidden = true;
    this.lists = el("div", { class: "lists" }, this.agents.node, this.links.node);
  }

  #switch() {
    const group = el("div", { class: "choice", role: "radiogroup", "aria-label": "Figures of" }, [["agents", "Agents"], ["links", "Links"]].map(([value, text]) =>
      el("label", {}, el("input", { type: "radio", name: "figures", value, checked: value === "agents" }), el("span", {}, text))));
    group.addEventListener("change", (event) => {
      this.agents.node.hidden = event.target.value !== "agents";
      this.links.node.hidden = event.target.value !== "links";
    });
    return group;
  }

  #legend() {
    this.hint = el("p", { class: "hint" });
    this.#hint();
    return this.hint;
  }

  #hint() {
    replace(this.hint, this.chosen
      ? [el("strong", {}, this.chosen), " ", el("a", { href: hash("agents", [this.chosen]) }, "Open"), " ", el("a", { href: hash("sessions", [], { agent: this.chosen }) }, "Sessions"), " ", el("button", { type: "button", class: "link", on: { click: () => this.choose(null) } }, "Show all")]
      : el("span", { class: "soft" }, `In a circle: under way. Below: messages in the last minute.${this.graph.left ? ` The ${this.figures.agents.length - this.graph.left} busiest of ${number(this.figures.agents.length)} agents.` : ""}`));
  }

  choose(name) {
    this.chosen = name;
    this.graph.choose(name);
    this.agents.choose(name);
    this.#hint();
  }
}

function tile(title) {
  const value = el("span", { class: "value" }, "0");
  const note = el("span", { class: "note" });
  return { node: el("div", { class: "tile" }, el("dt", {}, title), el("dd", {}, value, note)), value, note };
}

function bad(errors) {
  return errors ? el("span", { class: "bad-figure" }, number(errors)) : "0";
}

function failed(event) {
  return el("li", {}, badge(event.ending), el("span", { class: "to" }, event.to), el("span", { class: "soft" }, span(event.took)), whyLink(event.id, "Why?"));
}
