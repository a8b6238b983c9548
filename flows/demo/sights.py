"""What a visitor is shown: a version that waits for signatures, and a company worth looking at."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from features.network_map import build, queries


def waits(models: Mapping[str, str]) -> bool:
    """Whether a version waits for signatures, by the version of each alias.

    >>> waits({"champion": "1", "challenger": "1"}), waits({"champion": "1", "challenger": "2"})
    (False, True)
    """
    return models.get("challenger") not in (None, models.get("champion"))


def successor(networks: Path) -> str:
    """Return a company that a register calls another one's successor, in a source's folder of networks."""
    found = build.described(networks)
    if found is None:
        raise LookupError(f"{networks} has no network; allowed: one that `tidewaiter network` has built")
    graph = queries.Graph.open(networks / found.digest)
    succeeded = graph.ties.filter(pl.col("kind") == "predecessor", pl.col("is_first"))["node"]
    return graph.nodes.filter(pl.col("node").is_in(succeeded.implode()), kind="importer")["identity"][0]
