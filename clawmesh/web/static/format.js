// How figures, times and addresses are written.

const WHOLE = new Intl.NumberFormat("en");
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const DATE = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const CLOCK = new Intl.DateTimeFormat("en", { timeStyle: "medium", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", timeZone: "UTC" });
const UNITS = ["B", "KB", "MB", "GB", "TB"];

export function number(value) {
  return WHOLE.format(value ?? 0);
}

export function compact(value) {
  return Math.abs(value ?? 0) < 10000 ? WHOLE.format(Math.round(value ?? 0)) : SHORT.format(value);
}

export function rate(value) {
  return value >= 100 ? number(Math.round(value)) : value >= 10 ? value.toFixed(1) : value.toFixed(2).replace(/\.?0+$/, "");
}

export function count(value, noun, several = `${noun}s`) {
  return `${number(value)} ${value === 1 ? noun : several}`;
}

export function size(bytes) {
  let value = bytes ?? 0;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

export function span(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 0.9995) return `${digits(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${digits(seconds)} s`;
  const [large, small, names] = steps(seconds);
  return small ? `${large} ${names[0]} ${small} ${names[1]}` : `${large} ${names[0]}`;
}

function digits(value) {
  if (value === 0) return "0";
  if (value < 0.01) return "< 0.01";
  return value >= 100 ? String(Math.round(value)) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function steps(seconds) {
  const whole = Math.round(seconds);
  if (whole < 3600) return [Math.floor(whole / 60), whole % 60, ["min", "s"]];
  if (whole < 86400) return [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), ["h", "min"]];
  return [Math.floor(whole / 86400), Math.floor((whole % 86400) / 3600), ["d", "h"]];
}

export function ago(time, now = Date.now() / 1000) {
  if (!time) return "";
  const passed = now - time;
  if (Math.abs(passed) < 1) return "just now";
  const whole = Math.abs(passed) < 60 ? `${Math.round(Math.abs(passed))} s` : steps(Math.abs(passed));
  const text = typeof whole === "string" ? whole : `${whole[0]} ${whole[2][0]}`;
  return passed < 0 ? `in ${text}` : `${text} ago`;
}

export function moment(time) {
  return time ? DATE.format(time * 1000) : "";
}

export function clock(time) {
  return time ? CLOCK.format(time * 1000) : "";
}

export function day(text) {
  const time = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(time) ? text : DAY.format(time);
}

/** The agent of an address; a word for the outside is its own. */
export function agentOf(address) {
  return String(address).split("/", 1)[0];
}

export function cut(text, most) {
  const flat = String(text ?? "").replace(/\s+/g, " ").trim();
  return flat.length > most ? `${flat.slice(0, most - 1)}…` : flat;
}

/** JSON as people read it; what is no JSON, or fits on a line, stays as it is. */
export function pretty(text) {
  if (text.length <= 76) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** The arguments of a call on one line: name: value, name: value. */
export function inline(text, most = 90) {
  try {
    const pairs = Object.entries(JSON.parse(text)).map(
      ([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`,
    );
    return cut(pairs.join(", "), most);
  } catch {
    return cut(text, most);
  }
}
