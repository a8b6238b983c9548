import { $, make } from "./dom.js";
import { day, language, number, say, share, title } from "./words.js";

const RELATIONS_NAMED = 3;
const COLUMNS = ["kind", "identity", "name", "relations", "declared", "value", "inspected", "hits", "last_hit", "risk"];
const NUMERIC = new Set(["declared", "value", "inspected", "hits", "risk"]);
const order = { column: null, down: false };

/** The same network as a table; everything the graph offers is offered by its buttons. */
export function showList(network, shown, selected, actions) {
  const rows = shown.nodes.map((node) => ({ node, ...node, kind: say(`kind.${node.kind}`) }));
  const relations = relationsOf(network, shown.edges);
  for (const row of rows) row.relations = relations.get(row.id) ?? "";
  if (order.column) rows.sort((one, other) => (order.down ? -1 : 1) * compare(one[order.column], other[order.column]));
  const again = () => showList(network, shown, selected, actions);
  $("#list thead").replaceChildren(make("tr", {}, ...COLUMNS.map((column) => heading(column, again)), make("td")));
  $("#list tbody").replaceChildren(...rows.map((row) => line(network, row, row.id === selected, actions)));
}

function heading(column, again) {
  const sorted = order.column === column;
  const sort = () => {
    Object.assign(order, { column, down: sorted ? !order.down : NUMERIC.has(column) });
    again();
    $(`#list th[data-column=${column}] button`).focus();
  };
  return make(
    "th",
    {
      scope: "col",
      "data-column": column,
      className: NUMERIC.has(column) ? "number" : "",
      ariaSort: sorted ? (order.down ? "descending" : "ascending") : "none",
    },
    make("button", { type: "button", onclick: sort }, say(`fact.${column}`)),
  );
}

function line(network, row, chosen, { select, expand, open }) {
  const cell = (column, text) => make("td", { className: NUMERIC.has(column) ? "number" : column }, text);
  const button = (word, does, text, className) => {
    const ariaLabel = say(`${word}.of`, { node: title(row.node) });
    const onclick = () => does(row.id);
    return make("button", { type: "button", onclick, ariaLabel, className, "data-key": `${word} ${row.id}` }, text);
  };
  return make(
    "tr",
    { "data-id": row.id, className: chosen ? "chosen" : "", ariaCurrent: chosen ? "true" : null },
    cell("kind", row.kind),
    make("th", { scope: "row" }, button("details", select, row.identity, "link")),
    cell("name", row.name ?? ""),
    cell("relations", make("div", { title: row.relations }, row.relations)),
    cell("declared", number(row.declared)),
    cell("value", number(row.value)),
    cell("inspected", number(row.inspected)),
    cell("hits", number(row.hits)),
    cell("last_hit", day(row.last_hit)),
    cell("risk", share(row.risk)),
    make(
      "td",
      { className: "actions" },
      network.isWhole(row.id) ? "" : button("expand", expand, say("expand"), ""),
      row.id === network.asked.id ? "" : button("open", open, say("open"), ""),
    ),
  );
}

function relationsOf(network, edges) {
  const others = new Map();
  for (const { a, b, kind } of edges) {
    for (const [one, other] of [
      [a, b],
      [b, a],
    ]) {
      if (!others.has(one)) others.set(one, new Map());
      const kinds = others.get(one);
      kinds.set(kind, [...(kinds.get(kind) ?? []), network.nodes.get(other).identity]);
    }
  }
  const named = ([kind, all]) =>
    say("relation.with", {
      relation: say(`relation.${kind}`),
      others:
        all.slice(0, RELATIONS_NAMED).join(", ") +
        (all.length > RELATIONS_NAMED ? ` +${all.length - RELATIONS_NAMED}` : ""),
    });
  return new Map([...others].map(([id, kinds]) => [id, [...kinds].map(named).join("; ")]));
}

function compare(one, other) {
  if (one === null || other === null) return (one === null ? 0 : 1) - (other === null ? 0 : 1);
  return typeof one === "number" ? one - other : one.localeCompare(other, language, { numeric: true });
}
