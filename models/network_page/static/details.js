import { $, make } from "./dom.js";
import { edgeId } from "./model.js";
import { day, number, say, share, title } from "./words.js";

/** What the other end of a relation is, where that is not the same word. */
const BACK = { predecessor: "successor", parent: "subsidiary" };

/** All that is known of the selected node or relation. */
export function showDetails(network, selected, actions) {
  const node = network?.nodes.get(selected);
  const edge = network?.edges.get(selected);
  const shown = node ? ofNode(network, node, actions) : edge ? ofEdge(network, edge, actions) : [];
  $("#facts").replaceChildren(...shown);
  $("#no-facts").hidden = shown.length > 0;
}

function facts(pairs) {
  return make("dl", {}, ...pairs.flatMap(([key, text]) => [make("dt", {}, say(`fact.${key}`)), make("dd", {}, text)]));
}

function ofNode(network, node, { select, expand, open }) {
  const edges = network.edgesOf(node.id);
  const button = (word, does) =>
    make(
      "button",
      { type: "button", onclick: () => does(node.id), ariaLabel: say(`${word}.of`, { node: title(node) }) },
      say(word),
    );
  const relations = edges.map((edge) => {
    const other = network.nodes.get(edge.a === node.id ? edge.b : edge.a);
    const way = (edge.b === node.id && BACK[edge.kind]) || edge.kind;
    return make(
      "li",
      {},
      make(
        "button",
        { type: "button", className: "link", onclick: () => select(edgeId(edge)) },
        say(`relation.${way}`),
      ),
      " ",
      make("button", { type: "button", className: "link", onclick: () => select(other.id) }, title(other)),
    );
  });
  return [
    make("h3", {}, make("img", { src: `/network/kinds/${node.kind}.svg`, alt: "" }), title(node)),
    make("p", { className: "kind" }, say(`kind.${node.kind}`)),
    node.hits > 0
      ? make("p", { className: "caught" }, say(node.last_hit ? "caught.on" : "caught", { date: node.last_hit }))
      : "",
    make(
      "p",
      { className: "buttons" },
      network.isWhole(node.id) ? "" : button("expand", expand),
      node.id === network.asked.id ? "" : button("open", open),
    ),
    facts([
      ["declared", number(node.declared)],
      ["value", number(node.value)],
      ["first", day(node.first)],
      ["last", day(node.last)],
      ["inspected", number(node.inspected)],
      ["hits", number(node.hits)],
      ["last_hit", day(node.last_hit)],
      ["risk", share(node.risk)],
      ["usual", share(network.usual)],
      ["distance", number(node.distance)],
      ["degree", say("degree.shown", { all: number(node.degree), shown: number(edges.length) })],
    ]),
    make("h4", {}, say("relations.shown")),
    make("ul", { className: "relations" }, ...relations),
  ];
}

function ofEdge(network, edge, { select }) {
  const end = (id) =>
    make("button", { type: "button", className: "link", onclick: () => select(id) }, title(network.nodes.get(id)));
  const measures = ["declared", "value", "inspected", "hits"].filter((key) => edge[key] !== null);
  return [
    make("h3", {}, say(`relation.${edge.kind}`)),
    make("p", {}, end(edge.a), " – ", end(edge.b)),
    facts([
      ["known_from", say(`source.${edge.source}`)],
      ...measures.map((key) => [key, number(edge[key])]),
      ...(edge.weight === null ? [] : [["weight", say("bits", { n: number(edge.weight) })]]),
      ["first", day(edge.first)],
      ["last", day(edge.last)],
    ]),
  ];
}
