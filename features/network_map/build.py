"""Builds the network for people from a store, beside the present one, and puts it in that one's place.

    <folder>/network.json   which of the folders counts, and what it is of
    <folder>/clusters.csv   companies that are probably one, for people to review
    <folder>/<digest>/      see files.py

Each build checks the checksums of the present files: if a file is spoilt, the log names it and all are built again. The
checksums are also checked when a network is opened: see queries.py.

Settled sums (features/history/preaggregated.py) are not computed again: a new day costs its own declarations, and
putting all sums in order.
"""

import hashlib
import logging
import shutil
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from features.code_digest import code_version
from features.codes import PARTY_ROLES
from features.disk import PARTIAL, atomic, checksums, write_atomically
from features.history import change_index
from features.matrix import cache
from features.network import entries, links, matching
from features.network_map import files
from features.presentation import spreadsheet
from features.store import Store

_log = logging.getLogger(__name__)
CLUSTERS, _DESCRIPTION = "clusters.csv", "network.json"


@dataclass(frozen=True)
class Description:
    """Describes a network: its files' folder, declared companies, first and last Monday, and the data's version."""

    digest: str
    companies: int
    first: date
    last: date
    version: str


def described(folder: Path) -> Description | None:
    """Return the network that counts in `folder`; None if none was built. SpoiltError if that cannot be told."""
    path = folder / _DESCRIPTION
    if not path.exists():
        return None
    found = checksums.read_json(path)
    ends: dict[str, Any] = {end: date.fromisoformat(found[end]) for end in ("first", "last")}
    return Description(**found | ends)


def build(store: Store, label_delay_days: int, features_folder: Path, folder: Path, version: str) -> Description:
    """Bring the network in `folder` up to date with `store`, whose data have `version`; return what it is of.

    `features_folder` is where the source's features are kept, see cache.py: the settled sums are shared with them.
    Raises ValueError if the store holds no declarations.
    """
    digest = _digest(store, label_delay_days)
    if before := _standing(folder, digest):
        return before
    past = cache.past(store, label_delay_days, features_folder)
    blocks, latest = past.settled.blocks, past.latest()
    pairs = links.joined([*(block.links() for block in blocks), links.summed(latest)])
    parties = links.distinct([*(block.parties() for block in blocks), links.parties(latest)])
    told = entries.read(store.scan("register"), store.scan("register_superseded"))
    matches = matching.matches(told)
    partial = folder / f"{digest}{PARTIAL}"
    for left in (partial, folder / digest):  # left by a build that was killed
        shutil.rmtree(left, ignore_errors=True)
    partial.mkdir(parents=True)
    files.write(partial, parties, pairs, told, matches)
    atomic.flush([*partial.iterdir(), partial])
    partial.replace(folder / digest)
    companies = parties.filter(pl.col("role").is_in(list(PARTY_ROLES))).height
    built = Description(digest, companies, *_mondays(pairs, told), version)
    clusters = _clusters(told, matches, built.last)
    write_atomically(folder / CLUSTERS, lambda path: spreadsheet.write(path, clusters))
    ends = {"first": built.first.isoformat(), "last": built.last.isoformat()}
    checksums.write_json(folder / _DESCRIPTION, asdict(built) | ends)
    for other in folder.iterdir():
        if other.is_dir() and other.name != digest:
            shutil.rmtree(other)
    return built


def _standing(folder: Path, digest: str) -> Description | None:
    """Return the network of `digest` if it counts in `folder` and is whole; log a file that is spoilt."""
    try:
        before = described(folder)
        if before is None or before.digest != digest:
            return None
        checksums.check(folder / digest)
    except checksums.SpoiltError as error:
        _log.warning("%s; the network is built again", error)
        return None
    return before


def _clusters(told: pl.DataFrame, matches: pl.DataFrame, on: date) -> pl.DataFrame:
    """Return companies that are probably one on a day, see matching.py, with the names that registers told last."""
    company = ("party_role", "party_id")
    named = told.filter(attribute="name").sort("enter", "entry_id").select(*company, name="value")
    names = named.unique(company, keep="last", maintain_order=True)
    return matching.clusters(matches, change_index.number(on)).join(
        names, on=company, how="left", maintain_order="left"
    )


def _mondays(pairs: pl.DataFrame, told: pl.DataFrame) -> tuple[date, date]:
    weeks = [pairs["week"].cast(pl.Int64), told.select(week=links.next_monday(pl.col("enter")))["week"]]
    ends = pl.concat(weeks).to_frame().select(first=pl.col("week").min(), last=pl.col("week").max())
    first, last = (change_index.EPOCH + timedelta(days=each) for each in ends.row(0))
    return first, last


def _digest(store: Store, label_delay_days: int) -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    text = f"{code_version()} {label_delay_days} {store.manifest().to_json()}"
    return hashlib.sha256(b"".join([text.encode(), *(each.read_bytes() for each in sources)])).hexdigest()[:16]
