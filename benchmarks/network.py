"""What the network of companies is worth: trees with its features against trees without them.

    python benchmarks/network.py            # simulated worlds, every declaration against the truth
    python benchmarks/network.py kcs        # after `make run SOURCE=kcs INPUT=...`; what was inspected

It prints a Markdown table by slice (comparing.py says how figures are compared): average precision and precision at 1,
2 and 5 %. Where a difference is above 0, the family helps. `phoenix` looks for the rows of companies risen again, among
all that are not otherwise illicit.
"""

from functools import partial

import polars as pl

from benchmarks import comparing
from benchmarks.comparing import Comparison, Slices
from benchmarks.worlds import World
from features.arrays import Flags
from features.contract import KEY
from features.facts.asof import outcome_versions
from features.families import relations
from features.matrix.matrix import CATALOGUE
from features.store.store import Store
from models.policy import Policy, load

WITHOUT = tuple(feature for feature in CATALOGUE if feature.family != relations.NAME)
FIGURES = {"average_precision": "average precision"} | {
    f"precision_at_{share}pct_by_score": f"precision at {share} %" for share in (1, 2, 5)
}


def network(policy: Policy) -> Comparison:
    ways = {"without": comparing.trees(WITHOUT, policy), "with": comparing.trees(CATALOGUE, policy)}
    return Comparison("network", ways, "without", FIGURES, partial(slices, policy.features.label_delay_days))


def slices(label_delay_days: int, world: World) -> Slices:
    rows, (every, is_hit) = world.judged, comparing.whole(world)["all"]
    told = {
        "all": (every, is_hit),
        "importer never inspected before": (_never_inspected(world.store, rows, label_delay_days), is_hit),
        "importer's first declaration in a year": (rows["importer_declarations_365d"].to_numpy() == 0, is_hit),
    }
    if "scheme" in rows.columns:
        risen = (rows["scheme"] == "phoenix").to_numpy()
        told["phoenix"] = (risen | ~is_hit, risen)
    return told


def _never_inspected(store: Store, rows: pl.DataFrame, label_delay_days: int) -> Flags:
    """Tell for each row whether no inspection of the importer was ever known before the day of acceptance."""
    versions = outcome_versions(store.scan("outcomes"), store.scan("outcomes_superseded"), label_delay_days)
    found = versions.filter("is_inspected")
    importers = store.scan("declarations").select(*KEY, "importer_id")
    first = found.join(importers, on=KEY).group_by("importer_id").agg(first=pl.col("known_on").min())
    asked = (
        rows.lazy()
        .select(*KEY, day=pl.col("accepted_at").dt.date())
        .join(importers, on=KEY, how="left", maintain_order="left")
    )
    seen = asked.join(first, on="importer_id", how="left", maintain_order="left").select(
        pl.col("first") < pl.col("day")
    )
    return ~seen.collect().to_series().fill_null(value=False).to_numpy()


if __name__ == "__main__":
    comparing.main(__doc__, network(load()))
