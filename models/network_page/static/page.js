import { ask } from "./api.js";
import { showDetails } from "./details.js";
import { $, make, settled } from "./dom.js";
import { savePicture, saveTable } from "./export.js";
import { searchBox } from "./find.js";
import { Graph, RISK } from "./graph.js";
import { showList } from "./list.js";
import { Network, tally } from "./model.js";
import { showPaths } from "./paths.js";
import { LANGUAGES, count, language, languageChooser, number, say, speak, title } from "./words.js";

const FIRST_LIMIT = 120;
const EXPAND_LIMIT = 60;
const WEEK = 7 * 24 * 3600 * 1000;
const VIEWS = ["graph", "list"];

const hidden = { kinds: new Set(), relations: new Set() };
let sources = [];
let source; // the one chosen
let asked = {}; // what the page was asked for: {source, id, since, until, expanded}
let network = null; // what is to be seen, of what was asked for when it came
let paths = null; // until they are there, nothing is said of offenders
let selected = null;
let view = "graph";
let pending = new AbortController();

const actions = { select, expand, open: (id) => open({ ...asked, id, expanded: [] }) };
const graph = new Graph($("#graph"), actions);
window.network = { cy: graph.cy };

// ---- what is fetched

/** The neighbourhood of a company and of those expanded, as known at one time; until it is there, the old one stays. */
async function fetchNetwork(wanted, { whole, how }) {
  pending.abort();
  pending = new AbortController();
  const { signal } = pending;
  const { source: name, id, since, until, expanded } = wanted;
  const time = { source: name, since, until };
  $("#picture").ariaBusy = "true";
  try {
    const ways = ask("path", { ...time, id }, signal).catch((error) => error);
    const others = expanded.map((other) =>
      ask("company", { ...time, id: other, limit: EXPAND_LIMIT }, signal).catch((error) => {
        if (error.status === 404) return null; // not known yet at that time
        throw error;
      }),
    );
    const [answer, ...more] = await Promise.all([
      ask("company", { ...time, id, limit: FIRST_LIMIT }, signal),
      ...others,
    ]);
    const next = new Network(wanted, answer);
    more.filter(Boolean).forEach((other) => next.merge(other));
    [network, asked, paths] = [next, wanted, null];
    if (!next.nodes.has(selected) && !next.edges.has(selected)) selected = null;
    fail(null);
    render(whole);
    write(how);
    const found = await ways;
    if (found instanceof Error) throw found;
    paths = found.paths;
    const before = network.nodes.size;
    network.mergePaths(paths);
    render(false);
    if (whole && network.nodes.size > before) graph.fit();
  } catch (error) {
    if (error.name === "AbortError") return;
    fail(error);
    controls();
  } finally {
    if (pending.signal === signal) $("#picture").ariaBusy = "false";
  }
}

const open = (wanted) => fetchNetwork(wanted, { whole: true, how: "pushState" });
const reopen = (wanted) => fetchNetwork(wanted, { whole: false, how: "replaceState" });

async function expand(id) {
  if (network.isWhole(id)) return;
  const here = network;
  const { signal } = pending;
  $("#picture").ariaBusy = "true";
  try {
    const { source: name, since, until } = asked;
    const answer = await ask("company", { source: name, since, until, id, limit: EXPAND_LIMIT }, signal);
    if (network !== here) return;
    asked = network.asked = { ...asked, expanded: [...asked.expanded, id] };
    network.merge(answer);
    selected = id;
    fail(null);
    render(false);
    write("replaceState");
  } catch (error) {
    if (error.name !== "AbortError") fail(error);
  } finally {
    if (pending.signal === signal) $("#picture").ariaBusy = "false";
  }
}

function fail(error) {
  $("#error").textContent = error?.message ?? "";
  $("#error").hidden = !error;
}

// ---- what is shown

function select(id) {
  const within = $("#facts").contains(document.activeElement);
  selected = id;
  graph.mark(id);
  showDetails(network, id, actions);
  if (within) $("#details").focus();
  const node = network.nodes.get(id);
  if (node) $("#said").textContent = say("selected", { kind: say(`kind.${node.kind}`), node: title(node) });
  for (const row of document.querySelectorAll("#list tbody tr")) {
    row.classList.toggle("chosen", row.dataset.id === id);
    row.ariaCurrent = row.dataset.id === id ? "true" : null;
  }
}

function render(whole) {
  const { key } = document.activeElement.dataset;
  controls();
  $("#hint").hidden = Boolean(network);
  showDetails(network, selected, actions);
  if (!network) return;
  const shown = network.shown(hidden.kinds, hidden.relations);
  if (view === "list") showList(network, shown, selected, actions);
  filters("#kinds", "kind", network.nodes.values(), hidden.kinds);
  filters("#relations", "relation", network.edges.values(), hidden.relations);
  showPaths(network.company, paths, (id, way) => {
    choose("graph");
    select(id);
    graph.fit(way);
  });
  const left = network.nodes.size - shown.nodes.length;
  $("#status").textContent = [
    count("status.nodes", shown.nodes.length),
    count("status.edges", shown.edges.length),
    ...(left ? [count("status.filtered", left)] : []),
    ...(network.notShown ? [count("status.more", network.notShown)] : []),
  ].join(say("status.and"));
  $("#company").textContent = say("picture.title", { node: title(network.company) });
  $("#caption").textContent = say("caption", network.asked);
  $("#graph").ariaLabel = say("graph.of", { node: title(network.company), status: $("#status").textContent });
  document.title = `${title(network.company)} – ${say("title")}`;
  graph.show(network, shown, selected, whole);
  if (key) ($(`[data-key="${CSS.escape(key)}"]`) ?? $("#details")).focus();
}

/** The inputs say what is shown, whatever was asked in vain. */
function controls() {
  const { from, until, version } = source;
  const last = weeks(from, until);
  const at = asked.until ?? until;
  const since = asked.since ?? source.since;
  Object.assign($("#until"), { min: 0, max: last, value: weeks(from, at), ariaValueText: at });
  $("#at").textContent = at;
  Object.assign($("#since"), { min: from, max: until, value: since });
  $("#source").value = source.source;
  $("#version").textContent = say("version", { source: source.source, version });
  for (const button of document.querySelectorAll("#save button")) button.disabled = !network;
}

function filters(where, group, things, off) {
  const boxes = [...tally(things)]
    .sort(([one], [other]) => say(`${group}.${one}`).localeCompare(say(`${group}.${other}`), language))
    .map(([kind, n]) => {
      const change = ({ target }) => {
        if (target.checked) off.delete(kind);
        else off.add(kind);
        render(false);
      };
      const checked = !off.has(kind);
      const box = make("input", {
        type: "checkbox",
        value: kind,
        checked,
        onchange: change,
        "data-key": `${group} ${kind}`,
      });
      const mark =
        group === "kind"
          ? make("img", { src: `/network/kinds/${kind}.svg`, alt: "" })
          : make("span", { className: `line ${kind}` });
      return make(
        "label",
        {},
        box,
        mark,
        `${say(`${group}.${kind}`)} `,
        make("span", { className: "count" }, `(${number(n)})`),
      );
    });
  $(where).replaceChildren(...boxes);
}

function legend() {
  $("#risk").replaceChildren(
    ...RISK.map(({ from, colour }, i) => {
      const swatch = make("span", { className: "swatch" });
      swatch.style.background = colour;
      const to = RISK[i + 1]?.from;
      const range = { from: number(from), to: number(to ?? 0) };
      return make("li", {}, swatch, say(i === 0 ? "legend.below" : to ? "legend.between" : "legend.above", range));
    }),
  );
}

function choose(name) {
  view = name;
  $("main").dataset.view = name;
  for (const each of VIEWS) {
    $(`#${each}-panel`).hidden = each !== name;
    $(`#${each}-tab`).ariaSelected = String(each === name);
    $(`#${each}-tab`).tabIndex = each === name ? 0 : -1;
  }
  graph.cy.resize();
  if (network) render(false);
}

// ---- the address

const weeks = (from, to) => Math.round((Date.parse(to) - Date.parse(from)) / WEEK);
const monday = (week) => new Date(Date.parse(source.from) + week * WEEK).toISOString().slice(0, 10);

function write(how) {
  const address = new URLSearchParams({ source: source.source });
  if (network) {
    const { kind, identity } = network.company;
    address.set("company", `${kind}:${identity}`);
    address.set("since", asked.since);
    address.set("until", asked.until);
  }
  address.set("lang", language);
  const url = `/network?${address}`;
  history[how]({ id: asked.id, expanded: asked.expanded }, "", url);
}

/** Goes where the address says. */
async function read() {
  const address = new URLSearchParams(location.search);
  source = sources.find((each) => each.source === address.get("source")) ?? sources[0];
  const company = address.get("company");
  if (!company) {
    clear();
    return;
  }
  try {
    const id = history.state?.id ?? (await identify(company));
    const wanted = {
      source: source.source,
      id,
      since: address.get("since") || source.since,
      until: address.get("until") || source.until,
      expanded: history.state?.expanded ?? [],
    };
    await fetchNetwork(wanted, { whole: true, how: "replaceState" });
  } catch (error) {
    fail(error);
    render(false);
  }
}

async function identify(company) {
  const [kind, ...rest] = company.split(":");
  const identity = rest.join(":");
  const { found } = await ask("search", { source: source.source, text: identity });
  const match = found.find((each) => each.kind === kind && each.identity === identity);
  if (!match) throw new Error(say("unknown", { company: identity }));
  return match.id;
}

function clear() {
  pending.abort();
  [network, paths, selected, asked] = [null, null, null, {}];
  graph.clear();
  for (const part of ["#kinds", "#relations", "#paths", "#list tbody"]) $(part).replaceChildren();
  $("#no-paths").hidden = true;
  for (const part of ["#status", "#company", "#caption"]) $(part).textContent = "";
  document.title = say("title");
  fail(null);
  render(false);
}

// ---- what the user does

function wire() {
  searchBox({
    look: (text) => ask("search", { source: source.source, text }),
    open: ({ id }) =>
      open({
        source: source.source,
        id,
        since: asked.since ?? source.since,
        until: asked.until ?? source.until,
        expanded: [],
      }),
    fail,
  });
  $("#source").append(...sources.map((each) => make("option", { value: each.source }, each.source)));
  $("#source-chooser").hidden = sources.length < 2;
  $("#source").addEventListener("change", ({ target }) => {
    source = sources.find((each) => each.source === target.value);
    clear();
    write("pushState");
  });
  const move = settled((until) => network && reopen({ ...asked, until }), 150);
  $("#until").addEventListener("input", ({ target }) => {
    const until = monday(Number(target.value));
    $("#at").textContent = target.ariaValueText = until;
    move(until);
  });
  $("#since").addEventListener("change", ({ target }) => {
    if (network && target.value) reopen({ ...asked, since: target.value });
  });
  for (const name of VIEWS) {
    $(`#${name}-tab`).addEventListener("click", () => choose(name));
    $(`#${name}-tab`).addEventListener("keydown", ({ key }) => {
      if (key !== "ArrowLeft" && key !== "ArrowRight") return;
      choose(name === "graph" ? "list" : "graph");
      $(`#${view}-tab`).focus();
    });
  }
  $("#graph").addEventListener("keydown", ({ key }) => {
    if (key === "Enter" && network) {
      select(selected ?? asked.id);
      $("#details").focus();
    }
  });
  $("#fit").addEventListener("click", () => graph.fit());
  $("#save-png").addEventListener("click", () => savePicture(graph, network).catch(fail));
  $("#save-csv").addEventListener("click", () =>
    saveTable(network, network.shown(hidden.kinds, hidden.relations).edges),
  );
  window.addEventListener("popstate", read);
}

async function change(to) {
  await speak(to);
  $("#language").value = to;
  legend();
  if (source) {
    graph.redraw();
    render(false);
    write("replaceState");
  }
}

async function begin() {
  const wishes = [
    new URLSearchParams(location.search).get("lang"),
    localStorage.getItem("network.language"),
    navigator.language.slice(0, 2),
  ];
  const asking = ask("sources").catch((error) => error);
  languageChooser(change);
  await change(wishes.find((wish) => wish in LANGUAGES) ?? "en");
  try {
    const answer = await asking;
    if (answer instanceof Error) throw answer;
    sources = answer.sources;
    if (!sources.length) throw new Error(say("sources.none"));
    wire();
    await read();
  } catch (error) {
    fail(error);
  }
}

begin();
