"""What a visitor is shown: a version that waits for signatures, and a company worth looking at."""

import time
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from features.network_map import build, queries
from models import policy
from models.ledger import Keys, reading
from models.places import Places

_OPENED_S = 180.0  # the promotion flow looks for new versions each minute


def waits(models: Mapping[str, str]) -> bool:
    """Whether a version waits for signatures, by the version of each alias.

    >>> waits({"champion": "1", "challenger": "1"}), waits({"champion": "1", "challenger": "2"})
    (False, True)
    """
    return models.get("challenger") not in (None, models.get("champion"))


def until_opened(places: Places, version: str) -> None:
    """Wait until the server has verified a version and opened it for signatures; TimeoutError if it does not."""
    deadline = time.monotonic() + _OPENED_S
    while (
        int(version) not in reading.signed_book(places.tracking_uri, Keys(places.signoff), policy.load().signoff).cases
    ):
        if time.monotonic() > deadline:
            raise TimeoutError(f"version {version} was not opened for signatures within {_OPENED_S:.0f} s")
        time.sleep(1)


def successor(networks: Path) -> str:
    """Return a company that a register calls another one's successor, in a source's folder of networks."""
    found = build.described(networks)
    if found is None:
        raise LookupError(f"{networks} has no network; allowed: one that `tidewaiter network` has built")
    graph = queries.Graph.open(networks / found.digest)
    succeeded = graph.ties.filter(pl.col("kind") == "predecessor", pl.col("is_first"))["node"]
    return graph.nodes.filter(pl.col("node").is_in(succeeded.implode()), kind="importer")["identity"][0]
