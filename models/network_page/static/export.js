import { cell } from "./cell.js";
import { make } from "./dom.js";
import { RISK } from "./graph.js";
import { say, title } from "./words.js";

const CAPTION = 120;
const ENDS = ["kind", "identity", "name"];
const MEASURES = ["declared", "value", "inspected", "hits", "weight", "first", "last"];

/** The picture with what it shows and how to read it. */
export async function savePicture(graph, network) {
  const drawn = await createImageBitmap(await graph.picture());
  const canvas = make("canvas", { width: Math.max(drawn.width, 1400), height: drawn.height + 2 * CAPTION });
  const brush = canvas.getContext("2d");
  const write = (text, x, y, font) => Object.assign(brush, { fillStyle: "#1b1f24", font }).fillText(text, x, y);
  brush.fillStyle = "#ffffff";
  brush.fillRect(0, 0, canvas.width, canvas.height);
  brush.drawImage(drawn, (canvas.width - drawn.width) / 2, CAPTION);
  write(say("picture.title", { node: title(network.company) }), 30, 50, "600 34px system-ui, sans-serif");
  write(say("caption", network.asked), 30, 95, "24px system-ui, sans-serif");
  const below = canvas.height - CAPTION;
  RISK.forEach(({ colour }, i) => {
    Object.assign(brush, { fillStyle: colour, strokeStyle: "#6b7480" });
    brush.fillRect(30 + 50 * i, below + 20, 50, 26);
    brush.strokeRect(30 + 50 * i, below + 20, 50, 26);
  });
  write(say("legend.risk"), 300, below + 41, "24px system-ui, sans-serif");
  write(say("note"), 30, below + 90, "22px system-ui, sans-serif");
  save(await new Promise((done) => canvas.toBlob(done)), network, "png");
}

/** The relations shown, a line each. */
export function saveTable(network, edges) {
  const header = [
    "relation",
    "known_from",
    ...ENDS.map((key) => `a_${key}`),
    ...ENDS.map((key) => `b_${key}`),
    ...MEASURES,
  ];
  const lines = edges.map((edge) => [
    edge.kind,
    edge.source,
    ...[edge.a, edge.b].flatMap((id) => ENDS.map((key) => network.nodes.get(id)[key])),
    ...MEASURES.map((key) => edge[key]),
  ]);
  const text = [header, ...lines].map((cells) => cells.map(cell).join(",") + "\r\n").join("");
  save(new Blob(["\ufeff", text], { type: "text/csv" }), network, "csv");
}

function save(blob, { company, asked }, ending) {
  const identity = company.identity.replace(/[^\p{L}\p{N}.-]+/gu, "_");
  const link = make("a", {
    href: URL.createObjectURL(blob),
    download: `network-${company.kind}-${identity}-${asked.until}.${ending}`,
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
