// How many events came in each second of the last minute.

import { svg } from "./dom.js";

const SECONDS = 60;

/** Counts per second in a ring of a minute. */
export class Minute {
  #counts = new Array(SECONDS).fill(0);
  #second = Math.floor(Date.now() / 1000);
  #since = this.#second;

  add(number = 1) {
    this.#turn();
    this.#counts[this.#second % SECONDS] += number;
  }

  /** The mean of the last few whole seconds, null before there are any. */
  rate(seconds = 5) {
    this.#turn();
    const known = Math.min(seconds, this.#second - this.#since);
    if (known < 1) return null;
    let sum = 0;
    for (let back = 1; back <= known; back += 1) sum += this.#counts[(this.#second - back) % SECONDS];
    return sum / known;
  }

  /** Whole seconds, oldest first. */
  all() {
    this.#turn();
    return Array.from({ length: SECONDS - 1 }, (_, index) => this.#counts[(this.#second + 1 + index) % SECONDS]);
  }

  #turn() {
    const now = Math.floor(Date.now() / 1000);
    for (let passed = Math.min(SECONDS, now - this.#second); passed > 0; passed -= 1) this.#counts[(now - passed + 1) % SECONDS] = 0;
    this.#second = Math.max(this.#second, now);
  }
}

export function sparkline() {
  const line = svg("path", { class: "line" });
  const area = svg("path", { class: "area" });
  const node = svg("svg", { class: "sparkline", viewBox: "0 0 118 28", preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" }, area, line);
  const show = (counts) => {
    const most = Math.max(...counts, 1);
    const path = counts.map((value, index) => `${index ? "L" : "M"}${index * 2} ${(26 - (value / most) * 23).toFixed(1)}`).join("");
    line.setAttribute("d", path);
    area.setAttribute("d", `${path}L${(counts.length - 1) * 2} 28L0 28Z`);
  };
  return { node, show };
}
