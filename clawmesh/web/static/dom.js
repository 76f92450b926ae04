// Elements are made here and nowhere else: text is always text, and no string is ever read as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: `class`, `on` (listeners) and `data` (dataset) are special, other properties are attributes. */
export function el(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(node, { class: classes, on = {}, data = {}, ...attributes }, children) {
  if (classes) node.setAttribute("class", classes);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  Object.assign(node.dataset, data);
  for (const [name, listener] of Object.entries(on)) node.addEventListener(name, listener);
  node.append(...present(children));
  return node;
}

function present(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

export function replace(node, ...children) {
  node.replaceChildren(...present(children));
  return node;
}

/** Change text only where it differs, so that nothing is laid out or read aloud in vain. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Return a function that does its work at most once a frame, however often it is called. */
export function oncePerFrame(work) {
  let asked = 0;
  return () => {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      work();
    });
  };
}

/** Say something to people who hear the page. */
export function announce(text) {
  const place = document.getElementById("said");
  place.textContent = "";
  requestAnimationFrame(() => {
    place.textContent = text;
  });
}

export function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
