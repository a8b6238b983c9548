"""What the network of companies is worth: the model without its features against the model with all.

    python benchmarks/network.py simulator

The source must have been ingested (`make run`). It prints a Markdown table by slice: average precision and precision at
1, 2 and 5 % without the family and with it, and a 95 % interval of the difference by paired bootstrap; where it is
above 0, the family helps. If the source has a truth (as the simulator does), every declaration of the test window
counts, inspected or not; otherwise only the inspected ones do. `phoenix` looks for the rows of companies risen again,
among all that are not otherwise illicit.
"""

import argparse

import measuring
import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score

from features.contract import KEY
from features.facts.asof import outcome_versions
from features.families import relations
from features.matrix.matrix import CATALOGUE
from features.store.store import Store
from models.policy import Policy, load
from models.training.fitting import train
from models.training.splits import accepted_between

SHARES, RESAMPLES = (0.01, 0.02, 0.05), 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="name of an ingested source: simulator, kcs, files")
    source = parser.parse_args().source
    policy = load()
    store, dataset, split = measuring.ingested(source, policy)
    without = tuple(feature for feature in CATALOGUE if feature.family != relations.NAME)
    rows, scheme = _rows(store, split, dataset)
    scores = []
    for features in (without, CATALOGUE):
        parts = split.train, split.validation, features, policy.training, policy.targeting
        scores.append(train(*parts, final_frame=split.before_test).predict(rows)["score"].to_numpy())
    results = {}
    heads = ("average precision", *(f"precision at {100 * share:.0f} %" for share in SHARES))
    print(
        f"{source}: {rows.height} rows\n\n| rows | hits | {' | '.join(heads)} |\n| --- | --- |{' --- |' * len(heads)}"
    )
    for name, (kept, is_hit) in _slices(rows, scheme, _never_inspected(store, rows, policy)).items():
        results[name] = found = _compared(is_hit[kept], *(score[kept] for score in scores))
        cells = (f"{a:.3f} -> {b:.3f} ({low:+.3f} to {high:+.3f})" for a, b, low, high in found["figures"])
        print(f"| {name} ({found['rows']}) | {found['hits']} | {' | '.join(cells)} |")
    measuring.save(f"network-{source}", slices=results)


def _rows(store: Store, split, dataset) -> tuple[pl.DataFrame, pl.Series | None]:
    """Return the rows to be judged, with `is_hit`, and the planted scheme of each where it is known."""
    truth = store.scan("truth").select(*KEY, "scheme", is_hit="is_illicit").collect()
    if truth.is_empty():
        return split.test.with_columns(is_hit="is_illicit"), None
    rows = accepted_between(dataset, split.windows["test"]).join(truth, on=KEY, how="inner", maintain_order="left")
    return rows, rows["scheme"]


def _never_inspected(store: Store, rows: pl.DataFrame, policy: Policy) -> np.ndarray:
    """Tell for each row whether no inspection of the importer was ever known before the day of acceptance."""
    found = outcome_versions(
        store.scan("outcomes"), store.scan("outcomes_superseded"), policy.features.label_delay_days
    ).filter("is_inspected")
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


def _slices(
    rows: pl.DataFrame, scheme: pl.Series | None, never_inspected: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    is_hit = rows["is_hit"].to_numpy()
    every = np.ones(rows.height, np.bool_)
    is_new = rows["importer_declarations_365d"].to_numpy() == 0
    slices = {
        "all": (every, is_hit),
        "importer never inspected before": (never_inspected, is_hit),
        "importer's first declaration in a year": (is_new, is_hit),
    }
    if scheme is not None:
        risen = (scheme == "phoenix").to_numpy()
        slices["phoenix"] = (risen | ~is_hit, risen)
    return slices


def _compared(is_hit: np.ndarray, without: np.ndarray, whole: np.ndarray) -> dict:
    def figures(drawn: np.ndarray, score: np.ndarray) -> list[float]:
        hits, score = is_hit[drawn], score[drawn]
        order = np.argsort(-score, kind="stable")
        shares = [hits[order[: max(1, int(share * len(hits)))]].mean() for share in SHARES]
        return [average_precision_score(hits, score) if hits.any() else np.nan, *shares]

    every = np.arange(len(is_hit))
    random = np.random.default_rng(1)
    differences = []
    for _ in range(RESAMPLES):
        drawn = random.integers(0, len(every), len(every))
        differences.append(np.subtract(figures(drawn, whole), figures(drawn, without)))
    bounds = np.nanquantile(differences, (0.025, 0.975), axis=0).T
    pairs = zip(figures(every, without), figures(every, whole), bounds, strict=True)
    told = [[float(a), float(b), float(low), float(high)] for a, b, (low, high) in pairs]
    return {"rows": len(every), "hits": int(is_hit.sum()), "figures": told}


if __name__ == "__main__":
    main()
