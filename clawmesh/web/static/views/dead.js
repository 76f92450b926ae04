// Messages that failed and that nobody was told of: send them again, or discard them.

import { aborted, explain, get, path, post, remove } from "../client.js";
import { announce, el, replace } from "../dom.js";
import { ago, count, cut, moment } from "../format.js";
import { hash, sessionLink, whyLink } from "../links.js";
import { agentField, confirmed, empty, heading, waiting } from "../parts.js";
import { Scroller } from "../scroller.js";
import { may } from "../status.js";

export async function show(place, { query, signal }) {
  const agent = query.get("agent") ?? "";
  replace(place, heading("Dead letters"), waiting());
  const [{ agents }, { letters }] = await Promise.all([
    get("api/agents", { signal }),
    get(`api/dead${agent ? `?agent=${encodeURIComponent(agent)}` : ""}`, { signal }),
  ]);
  const field = agentField({
    names: agents.map((each) => each.name), value: agent, label: "Agent", all: "All agents",
    changed: (name) => { location.hash = hash("dead", [], { agent: name }); },
  });
  new Letters(place, letters, field, signal).draw();
}

class Letters {
  constructor(place, letters, field, signal) {
    this.place = place;
    this.letters = letters;
    this.field = field;
    this.signal = signal;
    this.amount = el("span", { class: "soft", role: "status" });
    this.said = el("p", { class: "notice", role: "status", hidden: true });
    this.list = new Scroller({
      label: "Dead letters",
      class: "dead-list",
      height: matchMedia("(max-width: 860px)").matches ? 124 : 64, // with the buttons below
      columns: [{ title: "Message" }, { title: "Reason" }, { title: "Since", class: "figure wide" }, { title: "Decide", class: "deeds" }],
      key: (letter) => letter.id,
      row: (letter) => this.row(letter),
      open: (letter) => { location.hash = hash("why", [letter.id]); },
    });
  }

  draw() {
    const { place, letters } = this;
    replace(this.amount, count(letters.length, "letter"));
    if (!letters.length) {
      replace(place, heading("Dead letters", this.field), this.said, empty("No dead letters", "What fails while nobody waits for it rests here until you decide."));
    } else if (!this.list.node.isConnected) {
      replace(place, heading("Dead letters", this.amount, this.field), this.said, el("div", { class: "card fill" }, this.list.node));
    }
    this.list.show(letters);
  }

  row(letter) {
    return [
      el("div", { class: "two" }, sessionLink(letter.session), el("span", { class: "soft" }, "from ", letter.sender, " · ", whyLink(letter.id))),
      el("span", { class: "reason", title: letter.reason }, cut(letter.reason, 240)),
      el("span", { title: moment(letter.at) }, ago(letter.at)),
      may("operate") ? this.deeds(letter) : "",
    ];
  }

  deeds(letter) {
    return el("div", { class: "actions" },
      el("button", { type: "button", "aria-label": `Send ${letter.id} again`, on: { click: () => this.redrive(letter) } }, "Send again"),
      el("button", { type: "button", class: "quiet bad", "aria-label": `Discard ${letter.id}`, on: { click: () => this.discard(letter) } }, "Discard"));
  }

  async redrive(letter) {
    await this.settle(letter, async () => {
      const { id } = await post(path("dead", letter.id, "redrive"), {}, { signal: this.signal });
      return ["Sent again as ", whyLink(id), "."];
    });
  }

  async discard(letter) {
    const text = `The message from ${letter.sender} to ${letter.session} will never be delivered. This cannot be undone.`;
    if (!(await confirmed({ title: "Discard this letter?", text, yes: "Discard" }))) return;
    await this.settle(letter, async () => {
      await remove(path("dead", letter.id), { signal: this.signal });
      return ["Discarded."];
    });
  }

  async settle(letter, deed) {
    try {
      this.tell(false, await deed());
      this.letters = this.letters.filter((each) => each.id !== letter.id);
      this.draw();
    } catch (error) {
      if (!aborted(error)) this.tell(true, [explain(error)]);
    }
  }

  tell(wrong, content) {
    this.said.hidden = false;
    this.said.classList.toggle("bad", wrong);
    replace(this.said, content);
    announce(this.said.textContent);
  }
}
