"""What the families `units` and `routes` are worth, scheme by scheme, on worlds that are simulated for it.

    python benchmarks/slices.py --folder FOLDER             # five worlds, each with and without them, three seeds
    python benchmarks/slices.py --folder FOLDER --worlds 201

Judged is every declaration of the test window against the truth: average precision, and of each scheme the share that
the tenth with the highest scores holds. What was measured before is kept in FOLDER, so a run that was stopped goes on.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import measuring
import numpy as np
import worlds
from sklearn.metrics import average_precision_score

from features.disk import atomic
from features.families import Feature
from features.matrix.matrix import CATALOGUE
from models.policy import Policy, load
from models.training.fitting import train

WORLDS, ROWS, SEEDS, SHARE = (201, 202, 203, 204, 205), 200_000, (1, 2, 3), 0.1
BEFORE = "without both"
WITHOUT = {BEFORE: ("units", "routes"), "without routes": ("routes",), "without units": ("units",), "with both": ()}

Figures = Mapping[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where worlds and what was measured are kept")
    parser.add_argument("--worlds", type=int, nargs="+", default=WORLDS)
    parser.add_argument("--rows", type=int, default=ROWS, help="of a world")
    asked, policy = parser.parse_args(), load()
    found = {str(seed): _measured(seed, asked.rows, asked.folder, policy) for seed in asked.worlds}
    told = {way: _over(found, lambda each, way=way: each[way]) for way in WITHOUT}
    gains = {way: _gains(found, way) for way in WITHOUT if way != BEFORE} if len(found) > 1 else {}
    print(json.dumps(gains or told, indent=1))
    measuring.save("slices", rows=asked.rows, seeds=SEEDS, means=told, gains=gains, by_world=found)


def _measured(seed: int, rows: int, folder: Path, policy: Policy) -> dict[str, dict[str, float]]:
    """Return the figures of a world, way by way, averaged over seeds of training."""
    file = folder / str(seed) / f"slices-{rows}.json"
    known: dict[str, dict[str, float]] = json.loads(file.read_text()) if file.exists() else {}
    if missing := [way for way in WITHOUT if way not in known]:
        world = worlds.world(seed, rows, folder / str(seed), policy)
        for way in missing:
            features = tuple(feature for feature in CATALOGUE if feature.family not in WITHOUT[way])
            known[way] = _trained(world, features, policy)
            atomic.write_atomically(file, lambda path: path.write_text(json.dumps(known)))
            print(seed, way, known[way], flush=True)
    return known


def _trained(world: worlds.World, features: tuple[Feature, ...], policy: Policy) -> dict[str, float]:
    split, judged = world.split, world.judged
    is_hit, scheme = judged["is_hit"].to_numpy(), judged["scheme"].to_numpy()
    tried = []
    for seed in SEEDS:
        training = policy.training.model_copy(update={"seed": seed})
        parts = split.train, split.validation, features, training, policy.targeting
        score = train(*parts, final_frame=split.before_test).predict(judged)["score"].to_numpy()
        is_first = np.zeros(len(score), np.bool_)
        is_first[np.argsort(-score, kind="stable")[: int(SHARE * len(score))]] = True
        of_schemes = {each: is_first[scheme == each].mean() for each in np.unique(scheme[is_hit])}
        tried.append({"average precision": average_precision_score(is_hit, score), **of_schemes})
    return {figure: float(np.mean([each[figure] for each in tried])) for figure in tried[0]}


def _over(found: Mapping[str, Mapping[str, Figures]], of: Callable[[Mapping[str, Figures]], Figures]) -> Figures:
    """Return means over worlds."""
    tried = [of(each) for each in found.values()]
    return {figure: float(np.mean([each[figure] for each in tried])) for figure in tried[0]}


def _gains(found: Mapping[str, Mapping[str, Figures]], way: str) -> dict[str, dict[str, float]]:
    """Return what a way gains over `BEFORE`, with its interval over worlds."""
    both = [(each[way], each[BEFORE]) for each in found.values()]
    return {
        figure: worlds.interval([with_it[figure] - without[figure] for with_it, without in both])
        for figure in both[0][0]
    }


if __name__ == "__main__":
    main()
