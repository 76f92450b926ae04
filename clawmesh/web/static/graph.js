// The mesh as a picture: agents, who talks to whom, and messages on their way.

import { calm, el, oncePerFrame } from "./dom.js";
import { compact, cut } from "./format.js";
import { place } from "./placement.js";

const MOST = 70; // agents in the picture; the table beside it has all
const ROOM = 16000; // square pixels that each of them needs
const DOTS = 90; // messages on their way
const TRIP = 900; // milliseconds
const INKS = ["surface", "line", "line-strong", "ink", "ink-3", "accent", "accent-soft", "bad"];
const FONT = '"Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif';

export class Graph {
  #nodes = new Map();
  #links = new Map();
  #dots = [];
  #shape = "";
  #inks = {};
  #over = null;
  #chosen = null;

  /** `choose` hears the name of an agent that was clicked, null where the ground was. */
  constructor(choose) {
    this.canvas = el("canvas", { role: "img", "aria-label": "Who talks to whom; the table beside has the figures" });
    this.node = el("div", { class: "graph" }, this.canvas);
    this.draw = oncePerFrame(() => this.#draw());
    this.#pen = this.canvas.getContext("2d");
    this.canvas.addEventListener("pointermove", (event) => this.#hover(this.#at(event)));
    this.canvas.addEventListener("pointerleave", () => this.#hover(null));
    this.canvas.addEventListener("click", (event) => choose(this.#at(event)?.name ?? null));
    this.sized = new ResizeObserver(() => this.#resize());
    this.sized.observe(this.node);
  }

  #pen;

  /** Take the figures of the last minute. */
  show({ agents, links }) {
    this.figures = { agents, links };
    if (!this.size) return; // it is drawn as soon as there is a place for it
    const most = Math.max(6, Math.min(MOST, Math.floor((this.size.width * this.size.height) / ROOM)));
    const shown = [...agents].sort((a, b) => b.messages + b.under_way - a.messages - a.under_way || (a.name < b.name ? -1 : 1)).slice(0, most);
    const names = new Set(shown.map((agent) => agent.name));
    const known = new Set(agents.map((agent) => agent.name));
    const kept = links.filter((link) => names.has(link.to) && (names.has(link.from) || !known.has(link.from)));
    const outside = [...new Set(kept.map((link) => link.from).filter((name) => !names.has(name)))].slice(0, 8);
    this.#take([...shown, ...outside.map((name) => ({ name, outside: true, messages: 0, errors: 0, under_way: 0 }))], kept);
    this.left = agents.length - shown.length;
    this.canvas.setAttribute("aria-label", `Who talks to whom: ${shown.length} of ${agents.length} agents, ${kept.length} links in the last minute. The table beside has the figures.`);
    this.draw();
  }

  #take(figures, links) {
    this.#nodes = new Map(figures.map((each) => [each.name, Object.assign(this.#nodes.get(each.name) ?? { x: 0, y: 0 }, { outside: false }, each)]));
    this.#links = new Map();
    for (const link of links) {
      const [from, to] = [this.#nodes.get(link.from), this.#nodes.get(link.to)];
      if (from && to && from !== to) this.#links.set(`${link.from}\n${link.to}`, { from, to, messages: link.messages, errors: link.errors });
    }
    // Links come and go with the minute; only what is new moves anybody.
    const shape = [...this.#nodes.keys()].sort().join("\n");
    if (shape !== this.#shape) this.#arrange();
    this.#shape = shape;
  }

  /** Show a message on its way. */
  pulse(from, to) {
    const link = this.#links.get(`${from}\n${to}`);
    if (!link || this.#dots.length >= DOTS || calm()) return;
    this.#dots.push({ link, since: performance.now() + Math.random() * 250 });
    this.draw();
  }

  choose(name) {
    this.#chosen = name;
    this.draw();
  }

  recolour() {
    const probe = this.node.appendChild(el("span", { class: "hidden" }));
    this.#inks = Object.fromEntries(INKS.map((name) => {
      probe.style.color = `var(--${name})`;
      return [name, getComputedStyle(probe).color];
    }));
    probe.remove();
    this.draw();
  }

  close() {
    this.sized.disconnect();
  }

  #resize() {
    const { width, height } = this.node.getBoundingClientRect();
    const scale = Math.min(devicePixelRatio || 1, 2);
    this.size = { width, height };
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    this.#pen.setTransform(scale, 0, 0, scale, 0, 0);
    this.#shape = "";
    this.recolour();
    if (this.figures) this.show(this.figures);
  }

  #arrange() {
    if (!this.size?.width) return;
    const margin = { x: Math.min(76, this.size.width * 0.14), y: 56 };
    place([...this.#nodes.values()], [...this.#links.values()], { ...this.size, margin });
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let best = null;
    for (const node of this.#nodes.values()) {
      const distance = Math.hypot(node.x - x, node.y - y);
      if (distance < this.#radius(node) + 12 && (!best || distance < best.distance)) best = { node, distance };
    }
    return best?.node ?? null;
  }

  #hover(node) {
    this.canvas.classList.toggle("over", Boolean(node));
    if (node?.name !== this.#over) {
      this.#over = node?.name ?? null;
      this.draw();
    }
  }

  // Drawing

  #draw() {
    if (!this.size) return;
    this.#pen.clearRect(0, 0, this.size.width, this.size.height);
    const focus = this.#nodes.get(this.#over ?? this.#chosen) ?? null;
    const near = focus ? this.#near(focus) : null;
    for (const link of this.#links.values()) this.#link(link, focus && (link.from === focus || link.to === focus), Boolean(focus));
    this.#messages();
    for (const node of this.#nodes.values()) this.#agent(node, !near || near.has(node), node.name === this.#chosen);
    for (const node of this.#nodes.values()) this.#words(node, !near || near.has(node));
    this.#pen.globalAlpha = 1;
    if (this.#dots.length) this.draw();
  }

  #near(focus) {
    const near = new Set([focus]);
    for (const { from, to } of this.#links.values()) {
      if (from === focus) near.add(to);
      if (to === focus) near.add(from);
    }
    return near;
  }

  #link(link, lit, dim) {
    const pen = this.#pen;
    const curve = this.#curve(link);
    pen.globalAlpha = lit ? 1 : dim ? 0.15 : 0.55;
    pen.strokeStyle = pen.fillStyle = lit ? this.#inks.accent : this.#inks["line-strong"];
    pen.lineWidth = Math.min(4, 0.8 + Math.log10(1 + link.messages) * 0.8);
    this.#stroke(curve);
    this.#head(curve);
    if (!link.errors) return;
    pen.strokeStyle = this.#inks.bad;
    pen.globalAlpha = lit || !dim ? 0.9 : 0.2;
    pen.lineWidth = 1.6;
    pen.setLineDash([3, 7]);
    this.#stroke(curve);
    pen.setLineDash([]);
  }

  #stroke({ start, bend, end }) {
    this.#pen.beginPath();
    this.#pen.moveTo(start.x, start.y);
    this.#pen.quadraticCurveTo(bend.x, bend.y, end.x, end.y);
    this.#pen.stroke();
  }

  #head({ bend, end }) {
    const pen = this.#pen;
    const angle = Math.atan2(end.y - bend.y, end.x - bend.x);
    pen.beginPath();
    pen.moveTo(end.x + Math.cos(angle) * 5, end.y + Math.sin(angle) * 5);
    for (const turn of [2.5, -2.5]) pen.lineTo(end.x + Math.cos(angle + turn) * 5.5, end.y + Math.sin(angle + turn) * 5.5);
    pen.fill();
  }

  /** From rim to rim, bent a little, so that there and back are two lines. */
  #curve({ from, to }) {
    const bend = { x: (from.x + to.x) / 2 + (to.y - from.y) * 0.1, y: (from.y + to.y) / 2 - (to.x - from.x) * 0.1 };
    return { start: this.#rim(from, bend, 4), bend, end: this.#rim(to, bend, 9) };
  }

  #rim(node, towards, space) {
    const distance = Math.hypot(towards.x - node.x, towards.y - node.y) || 1;
    const reach = (this.#radius(node) + space) / distance;
    return { x: node.x + (towards.x - node.x) * reach, y: node.y + (towards.y - node.y) * reach };
  }

  #messages() {
    const now = performance.now();
    this.#dots = this.#dots.filter((dot) => now - dot.since < TRIP);
    this.#pen.globalAlpha = 1;
    for (const dot of this.#dots) {
      const part = Math.max(0, (now - dot.since) / TRIP);
      const { start, bend, end } = this.#curve(dot.link);
      const [a, b, c] = [(1 - part) ** 2, 2 * part * (1 - part), part ** 2];
      this.#circle({ x: a * start.x + b * bend.x + c * end.x, y: a * start.y + b * bend.y + c * end.y }, 2.6, this.#inks.accent);
    }
  }

  #agent(node, near, chosen) {
    const pen = this.#pen;
    const radius = this.#radius(node);
    pen.globalAlpha = near ? 1 : 0.25;
    this.#circle(node, radius, node.outside ? this.#inks.surface : this.#inks["accent-soft"]);
    pen.lineWidth = chosen ? 3 : 1.5;
    pen.strokeStyle = node.outside ? this.#inks["line-strong"] : this.#inks.accent;
    pen.setLineDash(node.outside ? [3, 3] : []);
    pen.stroke();
    pen.setLineDash([]);
    if (node.errors && node.messages) this.#errors(node, radius);
  }

  /** An arc along the rim: the part that failed. */
  #errors(node, radius) {
    const part = Math.max(0.06, Math.min(1, node.errors / node.messages));
    this.#pen.beginPath();
    this.#pen.arc(node.x, node.y, radius + 3.5, -Math.PI / 2, -Math.PI / 2 + part * 2 * Math.PI);
    this.#pen.lineWidth = 3;
    this.#pen.strokeStyle = this.#inks.bad;
    this.#pen.stroke();
  }

  #words(node, near) {
    const pen = this.#pen;
    const radius = this.#radius(node);
    pen.globalAlpha = near ? 1 : 0.25;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    if (node.under_way) this.#text(compact(node.under_way), node.x, node.y + 0.5, 12, 600, this.#inks.ink);
    this.#text(cut(node.name, 20), node.x, node.y + radius + 14, 12.5, 600, this.#inks.ink);
    if (node.outside) return;
    const errors = node.errors ? `  ·  ${compact(node.errors)} failed` : "";
    if (node.messages) this.#text(`${compact(node.messages)}${errors}`, node.x, node.y + radius + 29, 11.5, 400, node.errors ? this.#inks.bad : this.#inks["ink-3"]);
  }

  /** Text with a rim of the ground's colour, so that lines below do not cross it. */
  #text(text, x, y, size, weight, ink) {
    const pen = this.#pen;
    pen.font = `${weight} ${size}px ${FONT}`;
    pen.lineJoin = "round";
    if (size !== 12) {
      pen.lineWidth = 4;
      pen.strokeStyle = this.#inks.surface;
      pen.strokeText(text, x, y);
    }
    pen.fillStyle = ink;
    pen.fillText(text, x, y);
  }

  #circle({ x, y }, radius, ink) {
    this.#pen.beginPath();
    this.#pen.arc(x, y, radius, 0, 2 * Math.PI);
    this.#pen.fillStyle = ink;
    this.#pen.fill();
  }

  #radius(node) {
    return node.outside ? 11 : Math.min(26, 12 + Math.sqrt(node.messages) * 0.45);
  }
}
