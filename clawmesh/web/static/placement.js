// Where agents stand in the picture: from left to right as messages reach them, apart from each other.

const ROUNDS = 160;
const ROOM = { x: 104, y: 88 }; // what a node with its name takes

/** Give every node an x and y within the frame; links are {from, to} of nodes. */
export function place(nodes, links, { width, height, margin }) {
  const columns = rank(nodes, links, Math.max(2, Math.floor((width - 2 * margin.x) / ROOM.x)));
  const last = Math.max(1, ...columns.values());
  const gap = (width - 2 * margin.x) / last;
  for (const node of nodes) {
    node.home = margin.x + columns.get(node) * gap;
    node.ties = links.filter((link) => link.from === node || link.to === node).length;
  }
  spread(nodes, links, height, margin);
  for (let round = 0; round < ROUNDS; round += 1) settle(nodes, links, 1 - round / ROUNDS, { width, height, margin });
}

/** The column of each node: the longest way from the outside to it, squeezed into `most` columns. */
function rank(nodes, links, most) {
  const forward = acyclic(nodes, links);
  const columns = new Map();
  for (const { node, before } of forward) columns.set(node, Math.max(-1, ...before.map((each) => columns.get(each))) + 1);
  const last = Math.max(...columns.values(), 0);
  if (last > most) for (const [node, column] of columns) columns.set(node, Math.round((column * most) / last));
  const silent = nodes.filter((node) => !links.some((link) => link.from === node || link.to === node));
  const width = Math.max(1, Math.min(last, most));
  silent.forEach((node, index) => columns.set(node, index % (width + 1)));
  return columns;
}

/** Nodes, each after those that write to it; what would lead back in a ring is left out. */
function acyclic(nodes, links) {
  const next = Map.groupBy(links, (link) => link.from);
  const reached = new Set(links.map((link) => link.to));
  const entry = (node) => (node.outside ? 0 : reached.has(node) ? 2 : 1);
  const done = [];
  const state = new Map();
  const visit = (node) => {
    state.set(node, "open");
    for (const { to } of next.get(node) ?? []) if (!state.has(to)) visit(to);
    state.set(node, "done");
    done.push(node);
  };
  for (const node of [...nodes].sort((a, b) => entry(a) - entry(b))) if (!state.has(node)) visit(node);
  const order = new Map(done.reverse().map((node, index) => [node, index]));
  return done.map((node) => ({ node, before: links.filter((link) => link.to === node && order.get(link.from) < order.get(node)).map((link) => link.from) }));
}

/** Begin with each column in the order of those that write to it, over the whole height. */
function spread(nodes, links, height, margin) {
  const columns = Map.groupBy([...nodes].sort((a, b) => a.home - b.home), (node) => node.home);
  for (const [home, column] of columns) {
    for (const node of column) {
      const before = links.filter((link) => link.to === node && link.from.home < home).map((link) => link.from.y);
      node.pull = before.length ? before.reduce((sum, y) => sum + y, 0) / before.length : height / 2;
    }
    column.sort((a, b) => a.pull - b.pull || (a.name < b.name ? -1 : 1));
    const step = (height - 2 * margin.y) / column.length;
    column.forEach((node, index) => {
      // Where there is no room for all below each other, every other one stands aside.
      node.x = home + (step < ROOM.y * 0.8 ? ((index % 3) - 1) * ROOM.x * 0.3 : 0);
      node.home = node.x;
      node.y = node.shelf = margin.y + step * (index + 0.5);
    });
  }
}

function settle(nodes, links, heat, frame) {
  for (const node of nodes) node.force = { x: (node.home - node.x) * 0.4, y: (node.shelf - node.y) * 0.06 };
  for (const { from, to } of links) {
    // Shared by all that pull, or whoever talks to many would draw them all to its own height.
    const pull = (to.y - from.y) * 0.05;
    from.force.y += pull / from.ties;
    to.force.y -= pull / to.ties;
  }
  for (let first = 0; first < nodes.length; first += 1) {
    for (let second = first + 1; second < nodes.length; second += 1) part(nodes[first], nodes[second]);
  }
  for (const node of nodes) {
    node.x = within(node.x + limited(node.force.x, 24 * heat + 1), frame.margin.x, frame.width - frame.margin.x);
    node.y = within(node.y + limited(node.force.y, 24 * heat + 1), frame.margin.y, frame.height - frame.margin.y);
  }
}

/** Push two nodes away from each other, the harder the more they overlap. */
function part(a, b) {
  const x = (a.x - b.x) / ROOM.x;
  const y = (a.y - b.y) / ROOM.y;
  const distance = Math.hypot(x, y);
  if (distance > 1.7) return;
  const push = distance < 1 ? (1 - distance) * 30 + 2 : 2 / distance ** 4;
  // Of two at the same height the first goes up.
  const up = Math.abs(y) < 0.02 ? -0.02 : y;
  a.force.x += x * push * 0.3;
  b.force.x -= x * push * 0.3;
  a.force.y += (up / (distance || 0.02)) * push;
  b.force.y -= (up / (distance || 0.02)) * push;
}

function limited(value, most) {
  return Math.max(-most, Math.min(most, value));
}

function within(value, least, most) {
  return Math.max(least, Math.min(Math.max(least, most), value));
}
