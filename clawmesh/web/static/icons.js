// Line drawings of 16 by 16, one a view.

import { svg } from "./dom.js";

const PATHS = {
  mesh: "M8 4.2 4 10.6M8 4.2l4 6.4M4.6 11.8h6.8M8 4a1.6 1.6 0 1 0 0-.1M3.6 13.4a1.6 1.6 0 1 0 0-.1M12.4 13.4a1.6 1.6 0 1 0 0-.1",
  agents: "M8 8.2a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.4ZM2.8 13.6c.6-2.4 2.6-3.6 5.2-3.6s4.6 1.2 5.2 3.6",
  sessions: "M2.5 4h11M2.5 8h11M2.5 12h7",
  why: "M3 3v7.5a2 2 0 0 0 2 2h3M3 6.5h5M11 12.5h2.5M11 6.5h2.5",
  chat: "M3.5 3h9a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1H8l-3.2 2.6V11H3.5a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1Z",
  dead: "M2.5 4.5h11v8h-11zM2.8 4.8 8 9l5.2-4.2",
  cost: "M3 13V8.5M6.4 13V4.5M9.7 13V7M13 13V3",
  health: "M2 8.5h2.8l1.7-4.2 2.7 7.6 1.7-3.4H14",
  configuration: "M5.5 3 2.5 8l3 5M10.5 3l3 5-3 5",
};

export function icon(name) {
  return svg("svg", { viewBox: "0 0 16 16", width: 16, height: 16, class: "icon", "aria-hidden": "true", focusable: "false" }, svg("path", { d: PATHS[name] }));
}
