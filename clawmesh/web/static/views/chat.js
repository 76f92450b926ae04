// A conversation with one agent, its answer as it comes.

import { aborted, explain, get, path } from "../client.js";
import { el, replace } from "../dom.js";
import { hash } from "../links.js";
import { agentField, empty, heading, waiting } from "../parts.js";
import { Reply } from "../reply.js";
import { talk } from "../turns.js";

const KEPT = 60; // turns in the page; older ones are in the session's transcript

export async function show(place, { query, signal }) {
  replace(place, heading("Chat"), waiting());
  const { agents } = await get("api/agents", { signal });
  const names = agents.map((agent) => agent.name);
  if (!names.length) {
    replace(place, heading("Chat"), empty("Nobody to talk to", "There are no agents that this token may talk to."));
    return;
  }
  const agent = query.get("agent") || names[0];
  const chat = new Chat(agents.find((each) => each.name === agent) ?? { name: agent, description: "" }, query.get("session") ?? "", signal);
  await chat.open(place, agentField({ names, value: agent, label: "Agent", changed: (name) => { location.hash = hash("chat", [], { agent: name }); } }));
}

class Chat {
  constructor(agent, session, signal) {
    this.agent = agent;
    this.session = session;
    this.signal = signal;
    this.reply = null;
    this.log = el("div", { class: "log", tabindex: "0", role: "log", "aria-label": "Conversation", "aria-live": "off" });
    this.input = el("textarea", { rows: "1", placeholder: `Message ${agent.name}`, "aria-label": `Message to ${agent.name}`, enterkeyhint: "send" });
    this.send = el("button", { type: "submit", class: "main" }, "Send");
    this.stop = el("button", { type: "button", class: "stop", hidden: true, on: { click: () => this.reply?.stop() } }, "Stop");
    this.named = el("span", { class: "session" });
    signal.addEventListener("abort", () => this.reply?.stop());
  }

  async open(place, field) {
    const fresh = el("a", { class: "button", href: hash("chat", [], { agent: this.agent.name }), on: { click: (event) => this.restart(event) } }, "New session");
    replace(place, heading("Chat", this.named, field, fresh), el("div", { class: "card chat-card" }, this.log, this.composer()));
    this.name();
    await this.past();
    this.input.focus({ preventScroll: true });
  }

  composer() {
    const form = el("form", { class: "composer" }, this.input, el("div", { class: "actions" }, el("span", { class: "soft hint" }, "Enter sends, Shift-Enter begins a new line, Esc stops"), this.stop, this.send));
    form.addEventListener("submit", (event) => { event.preventDefault(); this.say(); });
    this.input.addEventListener("input", () => this.grow());
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); this.say(); }
      if (event.key === "Escape") this.reply?.stop();
    });
    return form;
  }

  /** What was said in this session before. */
  async past() {
    if (!this.session) {
      this.greet();
      return;
    }
    try {
      const { messages } = await get(path("sessions", this.agent.name, this.session), { signal: this.signal });
      replace(this.log, messages.slice(-KEPT).map((message) => el("div", { class: "exchange" }, talk(message))));
      this.down();
    } catch (error) {
      if (aborted(error)) throw error;
      this.greet(); // a session that nobody has spoken in yet
    }
  }

  greet() {
    replace(this.log, empty(`Talk to ${this.agent.name}`, this.agent.description || "Its answer appears as it is written, with its thoughts and the tools that it calls."));
  }

  name() {
    replace(this.named, this.session ? [el("span", { class: "soft" }, "Session "), el("a", { href: hash("sessions", [this.agent.name, this.session]) }, this.session)] : "");
  }

  restart(event) {
    if (this.session && !location.hash.includes("session=")) event.preventDefault();
    this.reply?.stop();
    this.session = "";
    this.name();
    this.greet();
    this.input.focus();
  }

  async say() {
    const text = this.input.value.trim();
    if (!text || this.reply) return;
    this.input.value = "";
    this.grow();
    this.log.querySelector(".empty")?.remove();
    this.reply = new Reply(this.agent.name, text, () => this.down(false));
    this.log.append(this.reply.node);
    while (this.log.children.length > KEPT) this.log.firstChild.remove();
    this.busy(true);
    this.down();
    const said = this.reply;
    await said.follow(path("agents", this.agent.name, "messages"), { text, session: this.session || undefined });
    if (said.session && this.reply === said) { this.session = said.session; this.name(); }
    this.reply = null;
    this.busy(false);
  }

  busy(now) {
    const held = [this.stop, this.send, document.body].includes(document.activeElement);
    this.stop.hidden = !now;
    this.send.hidden = now;
    this.log.setAttribute("aria-busy", String(now));
    if (held) this.input.focus({ preventScroll: true }); // a hidden button cannot hold the keyboard
  }

  grow() {
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight, 200)}px`;
  }

  /** Go to the end, but leave whoever reads further up where they are. */
  down(always = true) {
    const near = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 140;
    if (always || near) this.log.scrollTop = this.log.scrollHeight;
  }
}
