import cytoscape from "./vendor/cytoscape.esm.min.js";
import { edgeId } from "./model.js";
import { place } from "./layout.js";
import { say, title } from "./words.js";

/** Multiples of what is usual from which the next colour begins; no blue or green, so that all eyes see the order. */
export const RISK = [
  { from: 0, colour: "#f7f4e6" },
  { from: 0.8, colour: "#fee391" },
  { from: 1.5, colour: "#fec44f" },
  { from: 3, colour: "#fe9929" },
  { from: 6, colour: "#d95f0e" },
];
const SHAPES = {
  importer: "ellipse",
  seller: "diamond",
  declarant: "hexagon",
  courier: "octagon",
  container: "rectangle",
  transport_document: "cut-rectangle",
  address: "pentagon",
  person: "round-rectangle",
  phone: "tag",
  bank_account: "barrel",
};
const LINES = { declarations: "solid", register: "dashed", matching: "dotted" };
const LABEL = 11;
const THICK = 5;
const LONGEST = 18;
const MARGIN = 160;
const MOST_NAMED = 12;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** The colour of a risk; white where none is known, and the first where nobody's inspections hit. */
const colour = ({ risk }, usual) => {
  if (risk === null) return "#ffffff";
  return RISK.findLast(({ from }) => from === 0 || (usual > 0 && risk >= from * usual)).colour;
};
const size = ({ value }) => Math.max(26, 12 + 5 * Math.log10(1 + (value ?? 0)));
const width = ({ declared, weight }) => Math.min(7, 1.2 + 0.6 * Math.log2(1 + (declared ?? (weight ?? 0) / 4)));

const ofNode = (node, usual) => ({
  hits: node.hits,
  label: node.identity.length > LONGEST ? `${node.identity.slice(0, LONGEST)}…` : node.identity,
  title: title(node),
  font: LABEL,
  shape: SHAPES[node.kind],
  icon: `/network/kinds/${node.kind}.svg`,
  size: size(node),
  colour: colour(node, usual),
});
const ofEdge = (edge) => ({
  source: edge.a,
  target: edge.b,
  kind: edge.kind,
  label: say(`relation.${edge.kind}`),
  width: width(edge),
  thick: THICK,
  line: LINES[edge.source],
});

const STYLE = [
  {
    selector: "node",
    style: {
      shape: "data(shape)",
      width: "data(size)",
      height: "data(size)",
      "background-color": "data(colour)",
      "border-width": 1,
      "border-color": "#6b7480",
      label: "data(label)",
      color: "#1b1f24",
      "font-family": "system-ui, sans-serif",
      "font-size": LABEL,
      "min-zoomed-font-size": 7,
      "text-valign": "bottom",
      "text-margin-y": 3,
      "text-background-color": "#ffffff",
      "text-background-opacity": 0.8,
    },
  },
  // Shapes and colours are read first; icons come when they are there.
  {
    selector: "node.icon",
    style: { "background-image": "data(icon)", "background-width": "55%", "background-height": "55%" },
  },
  { selector: "node[hits > 0]", style: { "border-width": 5, "border-color": "#1b1b1b" } },
  {
    selector: "edge",
    style: {
      width: "data(width)",
      "line-color": "#a9b1bb",
      "line-style": "data(line)",
      "curve-style": "bezier",
      "control-point-step-size": 18,
      "font-size": 9,
      "min-zoomed-font-size": 7,
      "text-rotation": "autorotate",
      "text-background-color": "#ffffff",
      "text-background-opacity": 0.9,
    },
  },
  {
    selector: "edge[kind = 'predecessor'], edge[kind = 'parent']",
    style: { "source-arrow-shape": "triangle", "source-arrow-color": "#5b6470", "line-color": "#5b6470" },
  },
  { selector: "edge.near", style: { "line-color": "#4d5763", "z-index": 2 } },
  { selector: "edge.named", style: { label: "data(label)" } },
  {
    selector: "edge.way",
    style: { "line-color": "#1559b3", "source-arrow-color": "#1559b3", width: "data(thick)", "z-index": 3 },
  },
  { selector: "edge:selected", style: { "line-color": "#0b3d91", label: "data(label)" } },
  {
    selector: "node.key",
    style: {
      "font-size": "data(font)",
      "min-zoomed-font-size": 0,
      "font-weight": 600,
      "z-index": 4,
    },
  },
  {
    selector: "node.asked, node.over, node:selected",
    style: { label: "data(title)", "text-wrap": "wrap", "text-max-width": 130, "text-background-opacity": 0.95 },
  },
  {
    selector: "node.asked",
    style: { "outline-width": 4, "outline-color": "#1559b3", "outline-offset": 4, "z-index": 5 },
  },
  {
    selector: "node:selected",
    style: {
      "underlay-color": "#1559b3",
      "underlay-opacity": 0.25,
      "underlay-padding": 10,
      "underlay-shape": "ellipse",
    },
  },
];

export class Graph {
  places = new Map();

  constructor(container, { select, expand }) {
    this.container = container;
    this.select = select;
    this.cy = cytoscape({ container, style: STYLE, minZoom: 0.05, maxZoom: 4, boxSelectionEnabled: false });
    this.cy.on("tap", "node, edge", ({ target }) => select(target.id()));
    this.cy.on("dbltap", "node", ({ target }) => expand(target.id()));
    this.cy.on("mouseover", "node", ({ target }) => {
      target.addClass("key over");
      this.sizeMarks();
    });
    this.cy.on("mouseout", "node", ({ target }) => {
      measure(target.removeClass("over").toggleClass("key", this.isKey(target)));
    });
    this.cy.on("dragfree", "node", ({ target }) => this.places.set(target.id(), { ...target.position() }));
    this.cy.on("zoom", () => this.sizeMarks());
    container.addEventListener("keydown", (event) => this.key(event));
  }

  isKey(node) {
    return node.hasClass("asked") || node.hasClass("way") || node.selected();
  }

  /** Draws what is to be seen; whatever was ever drawn comes back where it was. */
  show(network, { nodes, edges }, selected, whole) {
    if (whole) this.clear();
    this.cy.resize();
    place(
      nodes.map((node) => ({ id: node.id, size: size(node) })),
      edges,
      this.places,
      network.asked.id,
    );
    const wanted = [
      ...edges.map((fact) => ({ id: edgeId(fact), fact, group: "edges", looks: ofEdge })),
      ...nodes.map((fact) => ({
        id: fact.id,
        fact,
        group: "nodes",
        looks: ofNode,
        position: this.places.get(fact.id),
      })),
    ];
    const ids = new Set(wanted.map(({ id }) => id));
    this.cy.batch(() => {
      this.cy
        .elements()
        .filter((element) => !ids.has(element.id()))
        .remove();
      const added = [];
      for (const { id, fact, group, looks, position } of wanted) {
        const marks = {
          way: network.path.has(id),
          asked: id === network.asked.id,
          icon: group === "nodes" && !whole,
        };
        const classes = Object.keys(marks).filter((mark) => marks[mark]);
        const drawn = this.cy.getElementById(id);
        if (drawn.empty()) added.push({ group, data: { id, fact, ...looks(fact, network.usual) }, classes, position });
        else {
          if (drawn.data("fact") !== fact) drawn.data({ fact, ...looks(fact, network.usual) });
          drawn.classes(classes);
        }
      }
      this.cy.add(added);
    });
    this.mark(selected);
    if (!whole) return;
    this.fit();
    this.cy.one("render", () => {
      this.container.dataset.painted = performance.now();
      this.cy.nodes().addClass("icon");
    });
  }

  clear() {
    this.cy.elements().remove();
    this.places.clear();
  }

  /** Labels are in the language they were drawn in. */
  redraw() {
    this.cy.elements().remove();
  }

  mark(selected) {
    const before = this.cy.elements(".key, .near");
    this.cy.batch(() => {
      this.cy.elements().unselect().removeClass("near named");
      const element = this.cy.getElementById(selected ?? "");
      element.select();
      const near = element.connectedEdges();
      near.addClass(near.length > MOST_NAMED ? "near" : "near named");
      for (const node of this.cy.nodes()) node.toggleClass("key", this.isKey(node));
    });
    measure(before.union(this.cy.edges(".near")));
    this.sizeMarks();
  }

  /** From the places alone: the library would first measure every label. */
  fit(ids) {
    const nodes = this.cy.nodes().filter((node) => !ids || ids.has(node.id()));
    if (nodes.empty()) return;
    const [xs, ys] = ["x", "y"].map((axis) => nodes.map((node) => node.position(axis)));
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const [width, height] = [this.cy.width(), this.cy.height()];
    const zoom = Math.min(1.3, width / (right - left + MARGIN), height / (bottom - top + MARGIN));
    const pan = { x: (width - zoom * (left + right)) / 2, y: (height - zoom * (top + bottom)) / 2 };
    this.cy.viewport({ zoom, pan });
  }

  /** The names of what matters are read at any zoom, and the ways seen. */
  sizeMarks() {
    this.cy.edges(".way").data("thick", Math.max(THICK, THICK / 2 / this.cy.zoom()));
    measure(this.cy.nodes(".key").data("font", Math.max(LABEL, LABEL / this.cy.zoom())));
  }

  /** All of it on white, with labels in proportion to it and not to the window. */
  async picture() {
    measure(this.cy.nodes(".key").data("font", LABEL));
    const options = { full: true, bg: "#ffffff", scale: 2, maxWidth: 6000, maxHeight: 6000 };
    const picture = await this.cy.png({ output: "blob-promise", ...options });
    this.sizeMarks();
    return picture;
  }

  key(event) {
    const zoom = { "+": 1.25, "-": 0.8 }[event.key];
    if (event.key in ARROWS) this.step(...ARROWS[event.key]);
    else if (zoom) this.cy.zoom({ level: this.cy.zoom() * zoom, position: centreOf(this.cy.extent()) });
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
  }

  /** From the selected node to the nearest in that direction. */
  step(right, down) {
    const chosen = this.cy.nodes(":selected");
    const from = (chosen.nonempty() ? chosen : this.cy.nodes(".asked"))[0];
    let [next, least] = [null, Infinity];
    for (const node of this.cy.nodes()) {
      const dx = node.position("x") - from.position("x");
      const dy = node.position("y") - from.position("y");
      const ahead = dx * right + dy * down;
      const cost = ahead + 2 * Math.abs(dx * down + dy * right);
      if (ahead > 0 && cost < least) [next, least] = [node, cost];
    }
    if (next) this.select(next.id());
  }
}

/** The library takes the room of a label that changed by its class for what it was, unless told. */
const measure = (elements) => elements.emit("dirty");
const centreOf = ({ x1, x2, y1, y2 }) => ({ x: (x1 + x2) / 2, y: (y1 + y2) / 2 });
