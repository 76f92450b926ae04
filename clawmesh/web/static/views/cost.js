// Tokens by day and agent.

import { get } from "../client.js";
import { el, replace } from "../dom.js";
import { compact, day, number } from "../format.js";
import { agentLink, hash } from "../links.js";
import { empty, heading, waiting } from "../parts.js";
import { Scroller } from "../scroller.js";

const PERIODS = [7, 14, 30, 90];

export async function show(place, { query, signal }) {
  const days = PERIODS.includes(Number(query.get("days"))) ? Number(query.get("days")) : 14;
  replace(place, heading("Cost", periods(days)), waiting());
  const { days: found } = await get(`api/cost?days=${days}`, { signal });
  new Cost(place, found, days).draw();
}

function periods(chosen) {
  return el("nav", { class: "choice", "aria-label": "Period" }, PERIODS.map((days) =>
    el("a", { href: hash("cost", [], { days }), "aria-current": days === chosen ? "true" : null }, `${days} days`)));
}

class Cost {
  constructor(place, days, period) {
    this.place = place;
    this.period = period;
    this.days = whole(days, period).map(summed);
    this.chosen = null;
    this.list = new Scroller({
      label: "Tokens by agent",
      class: "cost-list",
      columns: [{ title: "Agent" }, { title: "Share", class: "wide" }, { title: "Turns", class: "figure wide" }, { title: "In", class: "figure wide" }, { title: "Out", class: "figure wide" }, { title: "Tokens", class: "figure" }],
      key: (row) => row.agent,
      row: (row) => this.cells(row),
      open: (row) => { location.hash = hash("agents", [row.agent]); },
    });
  }

  draw() {
    const { place, days } = this;
    const total = sum(days.map((each) => each.total_tokens));
    if (!total) {
      replace(place, heading("Cost", periods(this.period)), empty("Nothing was used", `No model was called in the last ${this.period} days.`));
      return;
    }
    this.title = el("h2", {});
    replace(place, heading("Cost", periods(this.period)), this.figures(total),
      el("section", { class: "card", "aria-label": "Tokens by day" }, this.chart()),
      el("section", { class: "card fill" }, this.title, this.list.node));
    this.choose(null);
  }

  figures(total) {
    const rows = [
      ["Tokens", compact(total)], ["In", compact(sum(this.days.map((each) => each.input_tokens)))], ["Out", compact(sum(this.days.map((each) => each.output_tokens)))],
      ["Turns", number(sum(this.days.map((each) => each.turns)))], ["A day", compact(total / Math.max(1, this.days.length))],
    ];
    return el("dl", { class: "figures" }, rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  }

  chart() {
    const most = Math.max(...this.days.map((each) => each.total_tokens), 1);
    const top = ceiling(most);
    this.columns = this.days.map((each) => this.column(each, top));
    return el("div", { class: "chart" },
      el("div", { class: "scale", "aria-hidden": "true" }, [1, 0.5, 0].map((part) => el("span", {}, compact(top * part)))),
      el("div", { class: "columns", role: "group", "aria-label": "Days; choose one to see its agents" }, this.columns),
      el("p", { class: "legend", "aria-hidden": "true" }, el("i", { class: "in" }), "Tokens in", el("i", { class: "out" }), "Tokens out"));
  }

  column(each, top) {
    const bars = [["out", each.total_tokens - each.input_tokens], ["in", each.input_tokens]].map(([name, value]) => {
      const bar = el("i", { class: name });
      bar.style.height = `${(Math.max(0, value) / top) * 100}%`;
      return bar;
    });
    const label = `${day(each.day)}: ${number(each.total_tokens)} tokens, ${number(each.input_tokens)} in, ${number(each.output_tokens)} out`;
    return el("button", { type: "button", class: "column", title: label, "aria-label": label, "aria-pressed": "false", on: { click: () => this.choose(this.chosen === each ? null : each) } },
      el("span", { class: "stack" }, bars), el("span", { class: "day" }, day(each.day)));
  }

  choose(chosen) {
    this.chosen = chosen;
    this.columns.forEach((column, index) => column.setAttribute("aria-pressed", String(this.days[index] === chosen)));
    const rows = byAgent(chosen ? [chosen] : this.days);
    this.most = Math.max(...rows.map((row) => row.total_tokens), 1);
    replace(this.title, chosen ? `Agents on ${day(chosen.day)}` : `Agents in ${this.period} days`);
    this.list.toTop();
    this.list.show(rows);
  }

  cells(row) {
    const bar = el("i", {});
    bar.style.width = `${(row.total_tokens / this.most) * 100}%`;
    return [agentLink(row.agent), el("span", { class: "share", "aria-hidden": "true" }, bar), number(row.turns), compact(row.input_tokens), compact(row.output_tokens), number(row.total_tokens)];
  }
}

const FIELDS = ["turns", "input_tokens", "output_tokens", "total_tokens"];

/** Every day of a period until today, also those on which nothing was used. */
function whole(days, period) {
  const known = new Map(days.map((each) => [each.day, each]));
  return Array.from({ length: period }, (_, index) => {
    const name = new Date(Date.now() - (period - 1 - index) * 86_400_000).toISOString().slice(0, 10);
    return known.get(name) ?? { day: name, agents: [] };
  });
}

function summed(day) {
  return { ...day, ...Object.fromEntries(FIELDS.map((field) => [field, sum(day.agents.map((agent) => agent[field] ?? 0))])) };
}

function byAgent(days) {
  const found = new Map();
  for (const row of days.flatMap((each) => each.agents)) {
    const known = found.get(row.agent) ?? { agent: row.agent, turns: 0, input_tokens: 0, output_tokens: 0, total_tokens: 0 };
    for (const field of FIELDS) known[field] += row[field] ?? 0;
    found.set(row.agent, known);
  }
  return [...found.values()].sort((a, b) => b.total_tokens - a.total_tokens);
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

/** The next round number above a value. */
function ceiling(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10].map((step) => step * unit).find((step) => step >= value);
}
