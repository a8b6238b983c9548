"""How kind the presets of the simulator are: what is in their worlds, and how well a model learns from each of them.

    python benchmarks/presets.py --folder /somewhere    # stopped at any point and run again, it goes on

The model is trained with several seeds on the results that customs knows, and judged on all declarations of the test
window against the truth, inspected or not.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks import comparing, measuring, worlds
from features.contract import KEY
from features.disk import write_atomically
from features.matrix.matrix import CATALOGUE
from features.simulator import Preset
from features.store.store import Store
from models.policy import Policy, load

WORLDS, ROWS, SEEDS = (201,), 200_000, (1, 2, 3)
SHARE = 0.1
MISTAKE = "honest_mistake"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where worlds and their figures are kept")
    parser.add_argument("--rows", type=int, default=ROWS, help="of a world")
    asked, policy = parser.parse_args(), load()
    by_preset = {
        preset.value: {str(seed): _measured(preset, seed, asked.rows, asked.folder, policy) for seed in WORLDS}
        for preset in Preset
    }
    measuring.save("presets", rows=asked.rows, worlds=WORLDS, seeds=SEEDS, by_preset=by_preset)


def _measured(preset: Preset, seed: int, rows: int, folder: Path, policy: Policy) -> dict[str, Any]:
    """Return the figures of one world; those that were measured before are read."""
    place = folder / f"{preset}-{seed}"
    file = place / "figures.json"
    if not file.exists():
        world = worlds.world(seed, rows, place, policy, preset)
        found = _held(Store(place / "data" / "simulator")) | _learned(world, policy)
        write_atomically(file, lambda draft: draft.write_text(json.dumps(found)))
    figures = json.loads(file.read_text())
    print(preset, seed, figures, flush=True)
    return figures


def _held(store: Store) -> dict[str, Any]:
    """Return what is in a world: shares of all declarations, and of inspections as inspectors put them down."""
    truth = store.scan("truth").select(*KEY, "scheme", truly="is_illicit").collect()
    now, replaced = (store.scan(f"outcomes{which}").collect() for which in ("", "_superseded"))
    first = pl.concat([replaced, now], how="diagonal").sort("known_at").unique(KEY, keep="first")
    first, now = (each.join(truth, on=KEY) for each in (first, now))
    return {
        "illicit": truth["truly"].mean(),
        "honest_mistakes": (truth["scheme"] == MISTAKE).mean(),
        "inspected": now.height / truth.height,
        "hits_as_found": first["is_illicit"].mean(),
        "hits_that_stand": now["is_illicit"].mean(),
        "wrong_among_hits_as_found": first.filter("is_illicit")["truly"].not_().mean(),
        "wrong_among_hits_that_stand": now.filter("is_illicit")["truly"].not_().mean(),
        "overturned": replaced.height / first["is_illicit"].sum(),
        "found_of_illicit_inspected": first.filter("truly")["is_illicit"].mean(),
        "without_probability": now["selection_probability"].null_count() / now.height,
    }


def _learned(world: worlds.World, policy: Policy) -> dict[str, Any]:
    """Return, for each seed of training, how well the model ranks the test window, and what its best tenth finds."""
    judged = world.judged
    is_hit, scheme = judged["is_hit"].to_numpy(), judged["scheme"].to_numpy()
    figures: dict[str, list[float]] = {"roc_auc": [], "average_precision": [], "precision_at_10pct": []}
    schemes: dict[str, list[float]] = {}
    trained = comparing.trees(CATALOGUE, policy)
    for seed in SEEDS:
        score = trained(world, seed).score
        first = np.argsort(-score, kind="stable")[: int(SHARE * len(score))]
        figures["roc_auc"].append(float(roc_auc_score(is_hit, score)))
        figures["average_precision"].append(float(average_precision_score(is_hit, score)))
        figures["precision_at_10pct"].append(float(is_hit[first].mean()))
        for name in sorted(set(scheme[is_hit])):
            schemes.setdefault(name, []).append(float((scheme[first] == name).sum() / (scheme == name).sum()))
    return figures | {"test_rows": len(is_hit), "test_illicit": float(is_hit.mean()), "found_at_10pct": schemes}


if __name__ == "__main__":
    main()
