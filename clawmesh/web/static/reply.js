// An answer as it comes: pieces joined as they arrive, drawn once a frame.

import { bubble, call, reasoning, wrong } from "./bubbles.js";
import { aborted, explain, request } from "./client.js";
import { announce, el, oncePerFrame, replace } from "./dom.js";
import { compact, count, cut } from "./format.js";
import { read } from "./events.js";
import { whyLink } from "./links.js";

const LONGEST = 400_000; // characters of an answer that are shown as it comes

export class Reply {
  #abort = new AbortController();
  #moved;
  #pieces = { reasoning: "", text: "" };
  #calls = new Map();

  /** `moved` is called when the answer has grown. */
  constructor(agent, text, moved) {
    this.agent = agent;
    this.session = "";
    this.id = "";
    this.#moved = moved;
    this.deeds = el("div", { class: "deeds" });
    this.live = el("div", { class: "live" }, el("span", { class: "dots", role: "img", "aria-label": "At work" }, el("i"), el("i"), el("i")));
    this.foot = el("p", { class: "after soft" });
    this.node = el("div", { class: "exchange" }, bubble("asked", "You", text), this.deeds, this.live, this.foot);
    this.draw = oncePerFrame(() => this.#draw());
  }

  stop() {
    this.#abort.abort();
  }

  async follow(path, body) {
    try {
      const response = await request(path, { method: "POST", body, accept: "text/event-stream", signal: this.#abort.signal });
      for await (const event of read(response)) {
        this.#hear(event.type, JSON.parse(event.data));
        if (this.ended) break;
      }
      if (!this.ended) this.#fail({ message: "The connection ended before the answer did. What became of it stands in the journal.", type: "" });
    } catch (error) {
      if (aborted(error) || this.#abort.signal.aborted) this.#stopped();
      else this.#fail({ message: explain(error), type: "" });
    }
    this.#moved();
  }

  #hear(type, data) {
    if (type === "accepted") {
      this.id = data.id;
      this.session = data.session;
      replace(this.foot, whyLink(this.id, "Why?"));
    } else if (type === "piece") this.#piece(data);
    else if (type === "answered") this.#answered(data);
    else if (type === "failed") this.#fail(data.error);
  }

  #piece(part) {
    if (part.type === "text" || part.type === "reasoning") this.#grow(part);
    else if (part.type === "tool_call") this.#called(part);
    else if (part.type === "tool_result") this.#gave(part);
    else if (part.type === "retraction") this.#retract();
    this.draw();
  }

  #grow(part) {
    if (this.#calls.size && this.#settled()) this.#next();
    const known = this.#pieces[part.type];
    if (known.length < LONGEST) this.#pieces[part.type] = known + part.text;
  }

  #called(part) {
    if (this.#calls.size && this.#settled()) this.#next();
    this.#calls.set(part.id, { name: part.name, arguments: part.arguments, result: null, failed: false });
  }

  #gave(part) {
    const made = this.#calls.get(part.call);
    if (!made) return;
    made.result = part.content.map((each) => each.text ?? "[image]").join("");
    made.failed = part.failed ?? false;
  }

  /** The pieces of the current step are void: it begins again. */
  #retract() {
    if (this.#calls.size && this.#settled()) this.#next();
    this.#pieces = { reasoning: "", text: "" };
    this.#calls.clear();
  }

  #settled() {
    return [...this.#calls.values()].every((made) => made.result !== null);
  }

  /** Whatever comes after the results of tools belongs to a new step. */
  #next() {
    this.deeds.append(...this.#deeds());
    this.#pieces = { reasoning: "", text: "" };
    this.#calls.clear();
  }

  #deeds() {
    const { reasoning: thought, text } = this.#pieces;
    return [
      thought ? reasoning(thought) : null,
      text ? el("p", { class: "aside text" }, text.trim()) : null,
      ...[...this.#calls.values()].map((made) => call(made, false)),
    ].filter(Boolean);
  }

  #draw() {
    if (this.ended) return;
    const { reasoning: thought, text } = this.#pieces;
    const calls = [...this.#calls.values()];
    replace(this.live,
      thought ? el("p", { class: "thinking" }, el("span", { class: "label" }, "Thinks"), " ", cut(thought.slice(-400), 240)) : null,
      text ? el("div", { class: "bubble answered" }, el("div", { class: "who" }, this.agent), el("div", { class: "text" }, text)) : null,
      calls.map((made) => call(made, false)),
      text ? null : el("span", { class: "dots", role: "img", "aria-label": "At work" }, el("i"), el("i"), el("i")));
    this.#moved();
  }

  #answered({ id, text, html, report }) {
    this.#finish();
    replace(this.live, bubble("answered", this.agent, text, html));
    const usage = report?.usage;
    replace(this.foot, [report?.model, usage ? `${compact(usage.total_tokens)} tokens` : "", report?.tool_calls ? count(report.tool_calls, "tool call") : ""].filter(Boolean).join(" · "), " · ", whyLink(id, "Why?"));
    announce(`${this.agent} answers: ${cut(text, 500)}`);
  }

  /** Keep what was done on the way; the answer itself takes the place of its pieces. */
  #finish() {
    this.ended = true;
    if (this.#calls.size) this.#next();
    else if (this.#pieces.reasoning) this.deeds.append(reasoning(this.#pieces.reasoning));
  }

  /** Text that is not kept with the calls of its step. */
  #unfinished() {
    return this.#calls.size ? "" : this.#pieces.text;
  }

  #fail(error) {
    const said = this.#unfinished();
    this.#finish();
    replace(this.live, said ? el("p", { class: "aside text" }, said) : null, wrong(error));
    announce(`The message failed: ${error.message}`);
  }

  #stopped() {
    const said = this.#unfinished();
    this.#finish();
    replace(this.live, said ? el("p", { class: "aside text" }, said) : null, el("p", { class: "aside soft" }, "Stopped."));
    announce("Stopped.");
  }
}
