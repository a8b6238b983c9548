const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));
const LINK = 80;
const REPULSION = 350;
const GRAVITY = 0.03;
const GAP = 22;
const FRICTION = 0.6;

/**
 * Places for the nodes without one, by forces, from a start that depends on nothing but the network: the same network
 * gives the same picture, and what has a place keeps it.
 * nodes: [{id, size}], edges: [{a, b}], places: Map of id to {x, y}, which is filled.
 */
export function place(nodes, edges, places, centre) {
  const news = nodes.filter((node) => !places.has(node.id));
  if (!news.length) return;
  const count = nodes.length;
  const index = new Map(nodes.map((node, i) => [node.id, i]));
  const links = [...new Set(edges.map(({ a, b }) => [index.get(a), index.get(b)].sort((i, j) => i - j).join()))].map(
    (pair) => pair.split(",").map(Number),
  );
  const degree = new Float64Array(count);
  const neighbours = nodes.map(() => []);
  for (const [i, j] of links) {
    degree[i]++;
    degree[j]++;
    neighbours[i].push(j);
    neighbours[j].push(i);
  }
  const x = new Float64Array(count);
  const y = new Float64Array(count);
  const free = nodes.map((node) => !places.has(node.id));
  const middle = index.get(centre);
  start(nodes, neighbours, places, middle, x, y);

  const vx = new Float64Array(count);
  const vy = new Float64Array(count);
  const rounds = Math.max(60, Math.min(300, Math.round(2.5e7 / (count * count))));
  for (let round = 0; round < rounds; round++) {
    const heat = Math.pow(0.001, round / rounds);
    for (let i = 0; i < count; i++) {
      for (let j = i + 1; j < count; j++) {
        if (!free[i] && !free[j]) continue;
        const ex = x[i] - x[j];
        const ey = y[i] - y[j];
        const squared = Math.max(ex * ex + ey * ey, 1);
        const touching = (nodes[i].size + nodes[j].size) / 2 + GAP;
        let push = (REPULSION * heat) / squared;
        if (squared < touching * touching) push += (touching / Math.sqrt(squared) - 1) / 4;
        vx[i] += ex * push;
        vy[i] += ey * push;
        vx[j] -= ex * push;
        vy[j] -= ey * push;
      }
    }
    for (const [i, j] of links) {
      const ex = x[j] + vx[j] - x[i] - vx[i];
      const ey = y[j] + vy[j] - y[i] - vy[i];
      const length = Math.hypot(ex, ey) || 1;
      const pull = ((length - LINK) / length / Math.min(degree[i], degree[j])) * heat;
      const yields = degree[j] / (degree[i] + degree[j]);
      vx[i] += ex * pull * yields;
      vy[i] += ey * pull * yields;
      vx[j] -= ex * pull * (1 - yields);
      vy[j] -= ey * pull * (1 - yields);
    }
    for (let i = 0; i < count; i++) {
      if (!free[i]) {
        vx[i] = vy[i] = 0;
        continue;
      }
      vx[i] = (vx[i] - (x[i] - x[middle]) * GRAVITY * heat) * FRICTION;
      vy[i] = (vy[i] - (y[i] - y[middle]) * GRAVITY * heat) * FRICTION;
      x[i] += vx[i];
      y[i] += vy[i];
    }
  }
  nodes.forEach((node, i) => free[i] && places.set(node.id, { x: x[i], y: y[i] }));
}

/** Outwards from the centre, each new node beside the neighbour it was reached from, by the golden angle. */
function start(nodes, neighbours, places, centre, x, y) {
  const reached = new Set();
  const queue = [];
  const reach = (i, from, turn) => {
    if (reached.has(i)) return;
    reached.add(i);
    queue.push(i);
    const known = places.get(nodes[i].id);
    const away = from === null ? 0 : LINK * (1 + Math.sqrt(turn) / 4);
    x[i] = known ? known.x : (x[from] ?? 0) + away * Math.cos(turn * GOLDEN_ANGLE);
    y[i] = known ? known.y : (y[from] ?? 0) + away * Math.sin(turn * GOLDEN_ANGLE);
  };
  const spread = () => {
    for (let at = 0; at < queue.length; at++) neighbours[queue[at]].forEach((i) => reach(i, queue[at], reached.size));
  };
  reach(centre, null, 0);
  spread();
  nodes.forEach((node, i) => places.has(node.id) && reach(i, null, 0));
  spread();
  nodes.forEach((_, i) => reach(i, centre, reached.size));
}
