import { $, make } from "./dom.js";
import { say, title } from "./words.js";

/** The ways to known offenders, one sentence each. */
export function showPaths(company, paths, show) {
  const lines = (paths ?? []).map((path) =>
    make(
      "li",
      {},
      sentence(company, path),
      " ",
      make(
        "button",
        {
          type: "button",
          className: "link",
          ariaLabel: say("path.show.of", { node: title(path.offender) }),
          onclick: () => show(path.offender.id, new Set([company.id, ...path.steps.map(({ node }) => node.id)])),
        },
        say("path.show"),
      ),
    ),
  );
  $("#paths").replaceChildren(...lines);
  $("#no-paths").hidden = paths?.length !== 0;
}

function sentence(company, { offender, steps }) {
  const clauses = [];
  let from = company;
  for (let i = 0; i < steps.length; i++) {
    const { edge, node } = steps[i];
    const next = steps[i + 1];
    const subject = clauses.length ? say("path.which") : title(from);
    if (next && edge.b === node.id && next.edge.b === node.id && edge.kind === next.edge.kind) {
      clauses.push(say(`path.shared.${edge.kind}`, { x: subject, v: title(node), y: title(next.node) }));
      from = next.node;
      i++;
    } else {
      const way = edge.kind === "same" ? "same" : `${edge.b === node.id ? "to" : "from"}.${edge.kind}`;
      clauses.push(say(`path.${way}`, { x: subject, y: title(node) }));
      from = node;
    }
  }
  const end = offender.last_hit ? "path.caught.on" : "path.caught";
  return say(end, { clauses: clauses.join(say("path.then")), date: offender.last_hit });
}
