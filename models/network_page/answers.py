"""What the page is told of a network, as JSON: sources, found nodes, a company's neighbours, and ways to offenders.

Nodes are 16 hexadecimal digits, since they are larger than a browser's numbers; days are ISO 8601.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from features.disk import checksums
from features.history import change_index
from features.network import WINDOW_DAYS, links, measures
from features.network_map import build, neighbourhood, queries
from models.access import Refused

MOST_FOUND, MOST_NODES, MOST_WAYS = 20, 500, 3
_USUAL_NODES = 120
_DAYS = ("first", "last", "last_hit")
_NODE = ("kind", "identity", "name", "declared", "value", "inspected", "hits", *_DAYS, "degree", "risk")


@dataclass(frozen=True)
class Asked:
    """A question about a node: what it is, and about which Mondays."""

    source: str
    graph: queries.Graph
    node: int
    kind: str
    identity: str
    since: int
    until: int
    most: int

    @property
    def day(self) -> str:
        """Return the Monday that is looked at."""
        return (change_index.EPOCH + timedelta(days=self.until)).isoformat()


@dataclass
class Answers:
    """The answers about the networks in `folder`, one for each source, opened once, and again when it is rebuilt."""

    folder: Path
    _open: dict[str, tuple[tuple[str, int], queries.Graph]] = field(
        default_factory=dict
    )  # by source; the digest has its time
    _lock: Lock = field(default_factory=Lock)

    def sources(self) -> dict[str, Any]:
        """Return the sources that have a network, its Mondays, and since when to look at it, as the model does."""
        found = {path.name: _described(path) for path in sorted(self.folder.glob("*")) if path.is_dir()}
        return {
            "sources": [
                {
                    "source": name,
                    "from": of.first.isoformat(),
                    "until": of.last.isoformat(),
                    "since": max(of.first, of.last - timedelta(days=WINDOW_DAYS)).isoformat(),
                    "version": of.version,
                }
                for name, of in found.items()
                if of
            ]
        }

    def search(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return companies, and what they share, by a part of identity or name."""
        text = query.get("text", "").strip()
        if not text:
            raise Refused("text is empty; allowed: a part of an identity or a name", 400)
        _, graph = self._network(query)
        found = graph.find(text, MOST_FOUND + 1)
        rows = found.head(MOST_FOUND).select("node", "kind", "identity", "name").iter_rows(named=True)
        return {"found": [_named(row) for row in rows], "more": found.height > MOST_FOUND}

    def asked(self, query: Mapping[str, str]) -> Asked:
        """Return a question about a node, from source, id, until, since and limit; Refused if it makes no sense."""
        network, graph = self._network(query)
        text = query.get("id", "")
        try:
            node = int(text, 16)
        except ValueError:
            raise Refused(f"id is {text!r}; allowed: 16 hexadecimal digits, as search gives them", 400) from None
        named = graph.named(np.array([node % 2**64], np.uint64))
        if named.is_empty() or not 0 <= node < 2**64:
            raise Refused(f"nothing in the network has id {text!r}", 404)
        until = _day(query, "until", network.last)
        if not network.first <= until <= network.last:
            raise Refused(f"until is {until}; allowed: from {network.first} to {network.last}", 400)
        monday = int(links.last_monday(np.array([change_index.number(until)]))[0])
        since = _day(query, "since", change_index.EPOCH + timedelta(days=monday - WINDOW_DAYS))
        most = query.get("limit", str(_USUAL_NODES))
        if not (most.isascii() and most.isdigit() and 1 <= int(most) <= MOST_NODES):
            raise Refused(f"limit is {most!r}; allowed: from 1 to {MOST_NODES}", 400)
        _, kind, identity, *_ = named.row(0)
        return Asked(query["source"], graph, node, kind, identity, change_index.number(since), monday, int(most))

    def company(self, asked: Asked) -> dict[str, Any]:
        """Return the nodes around a node."""
        found = neighbourhood.around(asked.graph, asked.node, asked.since, asked.until, asked.most)
        return {
            "id": _id(asked.node),
            "since": _iso(asked.since),
            "until": _iso(asked.until),
            "usual": found.usual,
            "nodes": [_node(row) for row in found.nodes.iter_rows(named=True)],
            "edges": [_edge(row) for row in found.edges.iter_rows(named=True)],
            "not_shown": found.not_shown,
        }

    def ways(self, asked: Asked) -> dict[str, Any]:
        """Return the shortest ways from a node to known offenders."""
        ways = neighbourhood.ways_to_offenders(asked.graph, asked.node, asked.since, asked.until, MOST_WAYS)
        on_them = np.unique(np.array([node for way in ways for node in way.nodes], np.uint64))
        rows = neighbourhood.details(asked.graph, on_them, asked.since, asked.until).iter_rows(named=True)
        nodes = {row["node"]: _node(row) for row in rows}
        return {
            "paths": [
                {
                    "offender": nodes[way.nodes[-1]],
                    "steps": [
                        {"edge": _edge(edge), "node": nodes[node]}
                        for edge, node in zip(way.edges, way.nodes[1:], strict=True)
                    ],
                }
                for way in ways
            ]
        }

    def _network(self, query: Mapping[str, str]) -> tuple[build.Description, queries.Graph]:
        source = query.get("source", "")
        # The disk is not asked for whatever name is given.
        folder = next((path for path in self.folder.glob("*") if path.name == source), None)
        network = _described(folder) if folder else None
        if folder is None or network is None:
            raise Refused(f"there is no network of source {source!r}: `tidewaiter network` builds it", 404)
        with self._lock:
            files = folder / network.digest
            try:
                built = network.digest, files.stat().st_mtime_ns
                if source not in self._open or self._open[source][0] != built:
                    self._open[source] = built, queries.Graph.open(files)
            except (FileNotFoundError, checksums.SpoiltError) as error:
                raise _unusable(source, error) from error
            return network, self._open[source][1]


def _described(folder: Path) -> build.Description | None:
    try:
        return build.described(folder)
    except checksums.SpoiltError as error:
        raise _unusable(folder.name, error) from error


def _unusable(source: str, error: Exception) -> Refused:
    return Refused(f"{error}: `tidewaiter network --source {source}` builds the network of {source} again", 503)


def _day(query: Mapping[str, str], name: str, usual: date) -> date:
    try:
        return date.fromisoformat(query[name]) if query.get(name) else usual
    except ValueError:
        raise Refused(f"{name} is {query[name]!r}; allowed: a day, such as {usual}", 400) from None


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": _id(row["node"]), "kind": row["kind"], "identity": row["identity"], "name": row["name"]}


def _node(row: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: row[name] for name in _NODE} | {name: _iso(row[name]) for name in _DAYS}
    return {"id": _id(row["node"]), **told, **({"distance": row["distance"]} if "distance" in row else {})}


def _edge(row: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: row[name] for name in queries.EDGES} | {name: _iso(row[name]) for name in ("first", "last")}
    return told | {"a": _id(row["a"]), "b": _id(row["b"])}


def _id(node: int) -> str:
    return f"{node:016x}"


def _iso(day: int | None) -> str | None:
    """Return a day, counted since 1970-01-01, in ISO 8601; None for none."""
    return (
        None if day is None or abs(day) >= -measures.NEVER else (change_index.EPOCH + timedelta(days=day)).isoformat()
    )
