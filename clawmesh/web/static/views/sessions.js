// The sessions, however many; and the transcript of one.

import { get, path } from "../client.js";
import { el, replace } from "../dom.js";
import { ago, agentOf, count, moment, number, size, span } from "../format.js";
import { hash, sessionHash } from "../links.js";
import { agentField, empty, failure, heading, waiting } from "../parts.js";
import { explain, aborted } from "../client.js";
import { Scroller } from "../scroller.js";
import { may } from "../status.js";
import { turn } from "../turns.js";

const PAGE = 200;

export async function show(place, { parts, query, signal }) {
  if (parts.length) await one(place, parts, signal);
  else await all(place, query.get("agent") ?? "", signal);
}

// The list

async function all(place, agent, signal) {
  replace(place, heading("Sessions"), waiting());
  const { agents } = await get("api/agents", { signal });
  const shown = el("span", { class: "soft", role: "status" });
  const field = agentField({
    names: agents.map((each) => each.name), value: agent, label: "Agent", all: "All agents",
    changed: (name) => { location.hash = hash("sessions", [], { agent: name }); },
  });
  const pages = new Pages(agent, signal);
  const list = scroller(() => more(pages, list, shown, place));
  await pages.next();
  if (!pages.found.length) {
    replace(place, heading("Sessions", field), empty("No sessions yet", agent ? `Nobody has talked to ${agent} so far.` : "A session begins with the first message to an agent: try the chat, or clawmesh ask."));
    return;
  }
  replace(place, heading("Sessions", shown, field), el("div", { class: "card fill" }, list.node));
  tell(pages, list, shown);
}

function scroller(ask) {
  return new Scroller({
    label: "Sessions",
    class: "sessions-list",
    columns: [{ title: "Session" }, { title: "Agent", class: "wide" }, { title: "Entries", class: "figure wide" }, { title: "On disk", class: "figure wide" }, { title: "Last used", class: "figure" }],
    key: (session) => session.address,
    row: (session) => [
      el("a", { href: sessionHash(session.address), tabindex: "-1" }, session.session), session.agent, number(session.entries), size(session.bytes),
      el("span", { title: moment(session.used) }, ago(session.used)),
    ],
    open: (session) => { location.hash = sessionHash(session.address); },
    more: ask,
  });
}

async function more(pages, list, shown, place) {
  if (pages.whole) return;
  try {
    await pages.next();
    tell(pages, list, shown);
  } catch (error) {
    if (!aborted(error)) replace(place, heading("Sessions"), failure(explain(error)));
  }
}

function tell(pages, list, shown) {
  replace(shown, `${number(pages.found.length)}${pages.whole ? "" : "+"} sessions`);
  list.show(pages.found, pages.whole);
}

/** The sessions as they come, a page at a time. */
class Pages {
  found = [];
  whole = false;
  #after = "";
  #coming = null;

  constructor(agent, signal) {
    this.agent = agent;
    this.signal = signal;
  }

  /** Take the next page, once, however many ask for it. */
  next() {
    this.#coming ??= this.#take().finally(() => { this.#coming = null; });
    return this.#coming;
  }

  async #take() {
    const query = new URLSearchParams({ limit: PAGE, ...(this.agent && { agent: this.agent }), ...(this.#after && { after: this.#after }) });
    const { sessions, next } = await get(`api/sessions?${query}`, { signal: this.signal });
    this.found = this.found.concat(sessions);
    this.#after = next ?? "";
    this.whole = !next;
  }
}

// One of them

async function one(place, parts, signal) {
  const [agent, session] = [parts[0], parts.slice(1).join("/")];
  const crumbs = el("nav", { class: "crumbs", "aria-label": "Path" }, el("a", { href: hash("sessions") }, "Sessions"), el("a", { href: hash("sessions", [], { agent }) }, agent));
  const talk = may("talk") ? el("a", { class: "button main", href: hash("chat", [], { agent, session }) }, "Continue in chat") : null;
  replace(place, crumbs, heading(session), waiting());
  const { messages } = await get(path("sessions", agent, session), { signal });
  const title = heading(session, el("a", { class: "button", href: hash("agents", [agent]) }, agentOf(agent)), talk);
  if (!messages.length) {
    replace(place, crumbs, title, empty("Nothing is kept of this session", "What ended long ago is deleted from the journal."));
    return;
  }
  replace(place, crumbs, title, summary(messages), el("div", { class: "turns" }, messages.map(turn)));
}

function summary(messages) {
  const total = (pick) => messages.reduce((sum, message) => sum + pick(message), 0);
  const failed = messages.filter((message) => !["answered", "pending"].includes(message.state)).length;
  const figures = [
    [messages.length >= 100 ? "Newest messages" : "Messages", number(messages.length)],
    ["Tokens", number(total((message) => message.usage.total_tokens))],
    ["Model calls", number(total((message) => message.steps.length))],
    ["Tool calls", number(total((message) => message.steps.reduce((sum, step) => sum + step.calls.length, 0)))],
    ["At work", span(total((message) => message.took ?? 0))],
    ["Failed", failed ? count(failed, "message") : "none"],
  ];
  return el("dl", { class: "figures" }, figures.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}
