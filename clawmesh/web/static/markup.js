// Sanitised Markdown from the server, sanitised once more: what is not on these lists does not get into the page.

import { el } from "./dom.js";

const KEPT = new Set(
  "a b blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i kbd li ol p pre s span strong sub sup table tbody td tfoot th thead tr ul".split(" "),
);
const DROPPED = new Set(
  "applet audio base embed form frame frameset head iframe input link math meta noscript object script select style svg template textarea title video".split(" "),
);
const SCHEMES = new Set(["http:", "https:", "mailto:"]);
const DEEPEST = 60;

/** Return HTML as a fragment of harmless elements. The parser's document is inert: nothing in it loads or runs. */
export function markup(html) {
  const parsed = new DOMParser().parseFromString(String(html), "text/html");
  const fragment = document.createDocumentFragment();
  copy(parsed.body, fragment, 0);
  return fragment;
}

function copy(from, to, depth) {
  for (const child of from.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) to.append(child.data);
    else if (child.nodeType === Node.ELEMENT_NODE) element(child, to, depth);
  }
}

function element(child, to, depth) {
  const name = child.localName;
  if (DROPPED.has(name) || depth > DEEPEST) return;
  if (name === "img") {
    to.append(child.getAttribute("alt") ?? ""); // no picture is loaded, from wherever it may be
  } else if (KEPT.has(name)) {
    const kept = name === "a" ? link(child) : el(name, { start: name === "ol" ? start(child) : null });
    copy(child, kept, depth + 1);
    to.append(name === "table" ? el("div", { class: "wide-table", tabindex: "0", role: "group", "aria-label": "Table" }, kept) : kept);
  } else {
    copy(child, to, depth + 1);
  }
}

function link(anchor) {
  const target = address(anchor.getAttribute("href") ?? "");
  return target ? el("a", { href: target, target: "_blank", rel: "noopener noreferrer nofollow" }) : el("span");
}

/** Only absolute addresses of harmless schemes: a relative one would lead into this dashboard. */
function address(text) {
  try {
    const url = new URL(text);
    return SCHEMES.has(url.protocol) ? url.href : "";
  } catch {
    return "";
  }
}

function start(list) {
  const first = Number.parseInt(list.getAttribute("start") ?? "", 10);
  return Number.isSafeInteger(first) ? first : null;
}
