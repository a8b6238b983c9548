/** What is known of a company's surroundings at one time: one answer of the server, and those merged into it. */
export class Network {
  nodes = new Map();
  edges = new Map();
  path = new Set();
  notShown = 0;

  constructor(asked, answer) {
    this.asked = asked;
    this.usual = answer.usual;
    this.merge(answer);
  }

  get company() {
    return this.nodes.get(this.asked.id);
  }

  merge({ id, nodes, edges, not_shown }) {
    const away = this.nodes.get(id)?.distance ?? 0;
    for (const node of nodes) {
      if (!this.nodes.has(node.id)) this.nodes.set(node.id, { ...node, distance: away + node.distance });
    }
    for (const edge of edges) this.edges.set(edgeId(edge), edge);
    this.notShown += not_shown;
  }

  /** Paths bring what they lead through, even where it was too far away to be shown. */
  mergePaths(paths) {
    for (const { steps } of paths) {
      steps.forEach(({ edge, node }, index) => {
        if (!this.nodes.has(node.id)) this.nodes.set(node.id, { ...node, distance: index + 1 });
        this.edges.set(edgeId(edge), edge);
        this.path.add(edgeId(edge)).add(node.id);
      });
    }
  }

  /** Whether its own surroundings were fetched. */
  isWhole(id) {
    return id === this.asked.id || this.asked.expanded.includes(id);
  }

  edgesOf(id) {
    return [...this.edges.values()].filter((edge) => edge.a === id || edge.b === id);
  }

  /** What the filters leave; a node that loses all its relations by them is left out too. */
  shown(hiddenKinds, hiddenRelations) {
    const kept = (id) => this.nodes.has(id) && (id === this.asked.id || !hiddenKinds.has(this.nodes.get(id).kind));
    const edges = [...this.edges.values()].filter(
      (edge) => !hiddenRelations.has(edge.kind) && kept(edge.a) && kept(edge.b),
    );
    const ends = (some) => new Set([...some].flatMap(({ a, b }) => [a, b]));
    const [tied, left] = [ends(this.edges.values()).add(this.asked.id), ends(edges).add(this.asked.id)];
    const nodes = [...this.nodes.values()].filter(({ id }) => kept(id) && (left.has(id) || !tied.has(id)));
    return { nodes, edges };
  }
}

export const edgeId = ({ a, b, kind, source }) => `${a} ${b} ${kind} ${source}`;

export const tally = (things) => {
  const counts = new Map();
  for (const { kind } of things) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
};
