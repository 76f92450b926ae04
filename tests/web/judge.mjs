// Judges of a page: they run in it, and say what is wrong.

/** Text in sight whose contrast is below WCAG's AA, over the grounds that it stands on. */
export function poorContrast() {
  const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const light = (colour) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, index) => sum + weight * linear(colour[index] / 255), 0);
  const ground = (node) => {
    for (let each = node; each; each = each.parentElement) {
      const colour = rgba(getComputedStyle(each).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return rgba("white");
  };
  const poor = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    const text = texts.currentNode.data.trim();
    if (!text || !node.checkVisibility({ visibilityProperty: true }) || node.closest("noscript, .hidden, .skip, :disabled")) continue;
    const [less, more] = [light(rgba(getComputedStyle(node).color)), light(ground(node))].sort((a, b) => a - b);
    const contrast = (more + 0.05) / (less + 0.05);
    if (contrast < 4.5) poor.add(`${node.tagName}.${node.className}: ${text.slice(0, 40)} ${contrast.toFixed(2)}`);
  }
  return [...poor];
}

/** What can be used but has no name, ids that are there twice, missing landmarks, a page wider than its window. */
export function unnamed() {
  const named = (node) => node.getAttribute("aria-label") || node.getAttribute("aria-labelledby") || node.textContent.trim() || node.labels?.length;
  const usable = [...document.querySelectorAll("a[href], button, input, select, textarea, [role=grid], dialog, summary, [tabindex='0']")];
  const found = usable.filter((node) => node.checkVisibility() && !named(node)).map((node) => node.outerHTML.slice(0, 120));
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  found.push(...ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `twice: ${id}`));
  found.push(...["main", "nav", "header", "h1"].filter((mark) => !document.querySelector(mark)).map((mark) => `no ${mark}`));
  for (const node of [document.documentElement, document.querySelector("main")]) {
    if (node.scrollWidth > node.clientWidth) found.push(`${node.localName} is wider than there is room: ${node.scrollWidth}`);
  }
  return found;
}

/** Traces of what somebody wrote having become more than text. */
export function infected() {
  const attributes = [...document.querySelectorAll("*")].flatMap((node) => [...node.attributes].map((each) => each.name));
  return {
    ran: window.ran,
    foreign: document.querySelectorAll("main :is(img, script, iframe, form:not(.composer, .search), style, math, object, embed, link)").length,
    handlers: attributes.filter((name) => name.startsWith("on")),
    links: [...document.querySelectorAll("a[href]")].map((each) => each.href).filter((each) => !/^(http|https|mailto):/.test(each)),
    styled: document.querySelectorAll(".prose :is([style], [class]:not(.wide-table), [id])").length,
  };
}

export function whereFocusIs() {
  const node = document.activeElement;
  const shown = node.matches(".choice input") ? node.nextSibling : node;
  const seen = getComputedStyle(shown).outlineStyle !== "none" || node.localName === "main";
  return { text: (node.getAttribute("aria-label") ?? node.textContent).trim().slice(0, 60), tag: node.localName, seen };
}

/** Scroll a list to its end, and tell what that took. */
export async function scrollThrough() {
  const body = document.querySelector(".sessions-list .body");
  const shown = document.querySelector(".heading [role=status]");
  const gaps = [];
  let [most, before] = [0, performance.now()];
  for (let frame = 0; frame < 4000; frame += 1) {
    body.scrollTop += 260;
    await new Promise(requestAnimationFrame);
    gaps.push(performance.now() - before);
    before = performance.now();
    most = Math.max(most, document.querySelectorAll("*").length);
    if (shown.textContent === "10,000 sessions" && body.scrollTop + body.clientHeight >= body.scrollHeight - 2) break;
  }
  gaps.sort((a, b) => a - b);
  await new Promise(requestAnimationFrame);
  return { most, frames: gaps.length, p50: gaps[gaps.length >> 1], p95: gaps[Math.floor(gaps.length * 0.95)], last: body.querySelector(".row:last-child").getAttribute("aria-rowindex") };
}

/** Count frames and elements for six seconds. */
export async function atEase() {
  let frames = 0;
  const until = performance.now() + 6000;
  while (performance.now() < until) {
    await new Promise(requestAnimationFrame);
    frames += 1;
  }
  const rate = Number(document.querySelector(".tile .value").textContent.replaceAll(",", ""));
  return { frames: frames / 6, rate, nodes: document.querySelectorAll("*").length, failures: document.querySelectorAll(".feed li").length };
}
