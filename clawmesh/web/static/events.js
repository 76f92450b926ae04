// Server-sent events over fetch, which unlike EventSource can send a token.

import { aborted, Refused, request } from "./client.js";

const LONGEST = 4_000_000; // characters of one event; a line without end must not fill memory
const PATIENCE = { first: 500, most: 15000 };

/** Yield {id, type, data} of every event in a response. */
export async function* read(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const found = new Lines();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* found.take(value);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Follow a stream for as long as `signal` lets us, through interruptions; `state` hears "open" and "lost". */
export async function follow(path, { signal, heard, state }) {
  let last = "";
  for (let wait = PATIENCE.first; !signal.aborted; wait = Math.min(wait * 2, PATIENCE.most)) {
    try {
      const headers = last ? { "Last-Event-ID": last } : {};
      const response = await request(path, { accept: "text/event-stream", headers, signal });
      state("open");
      for await (const event of read(response)) {
        wait = PATIENCE.first;
        last = event.id || last;
        heard(event);
      }
    } catch (error) {
      if (aborted(error) || signal.aborted) return;
      if (error instanceof Refused && error.status < 500 && error.status !== 429) throw error;
    }
    state("lost");
    await pause(wait * (0.75 + Math.random() / 2), signal);
  }
}

export function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

/** Puts the pieces of a stream together to events. */
class Lines {
  #rest = "";
  #event = { id: "", type: "message", data: [] };

  *take(text) {
    this.#rest += text;
    if (this.#rest.length > LONGEST) throw new Error("an event is longer than any may be");
    // A carriage return at the very end may be half of a line's end.
    const whole = this.#rest.endsWith("\r") ? this.#rest.slice(0, -1) : this.#rest;
    const lines = whole.split(/\r\n|\n|\r/);
    this.#rest = lines.pop() + this.#rest.slice(whole.length);
    for (const line of lines) {
      const event = this.#line(line);
      if (event) yield event;
    }
  }

  #line(line) {
    if (line === "") return this.#end();
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#event.data.push(value);
    else if (name === "event") this.#event.type = value;
    else if (name === "id") this.#event.id = value;
    return null;
  }

  #end() {
    const { id, type, data } = this.#event;
    this.#event = { id: "", type: "message", data: [] };
    return data.length ? { id, type, data: data.join("\n") } : null;
  }
}
