// A table of any length: only the rows in sight are in the page.

import { el, oncePerFrame, replace } from "./dom.js";

const BEYOND = 8; // rows kept ready above and below what is in sight

/** Shows `items`; `row` makes the cells of one, `more` is asked for further ones when the end comes near. */
export class Scroller {
  #items = [];
  #rows = new Map();
  #active = 0;
  #chosen = null;
  #options;
  #asking = false;

  /** Options: label, columns [{title, class}], height, row(item), key(item), open(item), more(), ended. */
  constructor(options) {
    this.#options = { height: 44, key: (item) => item, open: () => {}, more: null, ...options };
    const head = el("div", { class: "row head", role: "row", "aria-rowindex": "1" }, options.columns.map(
      (column) => el("div", { class: column.class, role: "columnheader" }, column.title)));
    this.view = el("div", { class: "body", role: "rowgroup" });
    this.space = el("div", { class: "space", role: "presentation" });
    this.view.append(this.space);
    this.node = el("div", { class: `scroller ${options.class ?? ""}`, role: "grid", "aria-label": options.label, "aria-readonly": "true" }, el("div", { role: "rowgroup" }, head), this.view);
    this.draw = oncePerFrame(() => this.#draw());
    this.view.addEventListener("scroll", this.draw, { passive: true });
    this.node.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(this.draw).observe(this.view);
  }

  get items() {
    return this.#items;
  }

  /** Show these from now on; `whole` says that there are no others. */
  show(items, whole = true) {
    this.#items = items;
    this.node.setAttribute("aria-rowcount", whole ? items.length + 1 : -1);
    this.space.style.height = `${items.length * this.#options.height}px`;
    this.#active = Math.max(0, Math.min(this.#active, items.length - 1));
    for (const [index, row] of this.#rows) if (index < items.length) this.#fill(row, index);
    this.draw();
  }

  /** Mark the item with this key. */
  choose(key) {
    this.#chosen = key;
    for (const [index, row] of this.#rows) this.#mark(row, index);
  }

  toTop() {
    this.view.scrollTop = 0;
    this.#active = 0;
  }

  #draw() {
    const { height } = this.#options;
    const first = Math.max(0, Math.floor(this.view.scrollTop / height) - BEYOND);
    const last = Math.min(this.#items.length, Math.ceil((this.view.scrollTop + this.view.clientHeight) / height) + BEYOND);
    this.#drop(first, last);
    for (let index = first; index < last; index += 1) if (!this.#rows.has(index)) this.#make(index);
    if (last >= this.#items.length - 4 * BEYOND) this.#ask();
  }

  #drop(first, last) {
    for (const [index, row] of this.#rows) {
      // Whoever holds the keyboard keeps its row, or the focus would fall out of the table.
      if ((index < first || index >= last) && (index >= this.#items.length || !row.contains(document.activeElement))) {
        row.remove();
        this.#rows.delete(index);
      }
    }
  }

  #make(index) {
    const row = el("div", { class: "row", role: "row", "aria-rowindex": index + 2 });
    row.style.transform = `translateY(${index * this.#options.height}px)`;
    row.style.height = `${this.#options.height}px`;
    row.addEventListener("click", (event) => {
      if (!event.target.closest("a, button, input") && !getSelection().toString()) this.#options.open(this.#items[index]);
    });
    row.addEventListener("focusin", () => this.#activate(index));
    this.#rows.set(index, row);
    this.#fill(row, index);
    const after = [...this.#rows.keys()].filter((each) => each > index);
    this.space.insertBefore(row, after.length ? this.#rows.get(Math.min(...after)) : null);
  }

  #fill(row, index) {
    const cells = this.#options.row(this.#items[index]);
    replace(row, cells.map((cell, place) => el("div", { class: this.#options.columns[place].class, role: "gridcell" }, cell)));
    this.#mark(row, index);
  }

  #mark(row, index) {
    row.tabIndex = index === this.#active ? 0 : -1;
    row.setAttribute("aria-selected", String(this.#chosen !== null && this.#options.key(this.#items[index]) === this.#chosen));
  }

  #activate(index) {
    const before = this.#rows.get(this.#active);
    if (before) before.tabIndex = -1;
    this.#active = index;
    this.#rows.get(index).tabIndex = 0;
  }

  async #ask() {
    if (!this.#options.more || this.#asking || !this.#items.length) return;
    this.#asking = true;
    try {
      await this.#options.more();
    } finally {
      this.#asking = false;
    }
  }

  #key(event) {
    if (event.key === "Enter" && event.target.matches(".row")) {
      this.#options.open(this.#items[this.#active]);
      return;
    }
    const page = Math.max(1, Math.floor(this.view.clientHeight / this.#options.height) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!(event.key in moves) || event.target.matches("input, select, textarea")) return;
    event.preventDefault();
    this.#focus(Math.max(0, Math.min(this.#items.length - 1, this.#active + moves[event.key])));
  }

  #focus(index) {
    if (!this.#items.length) return;
    const { height } = this.#options;
    const top = index * height;
    if (top < this.view.scrollTop) this.view.scrollTop = top;
    else if (top + height > this.view.scrollTop + this.view.clientHeight) this.view.scrollTop = top + height - this.view.clientHeight;
    this.#draw();
    this.#rows.get(index)?.focus({ preventScroll: true });
    this.#draw();
  }
}
