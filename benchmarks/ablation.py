"""What each feature family is worth: trees without it against trees with all.

    python benchmarks/ablation.py            # simulated worlds, every declaration against the truth
    python benchmarks/ablation.py kcs        # after `make run SOURCE=kcs INPUT=...`; what was inspected

It prints a Markdown table (comparing.py says how figures are compared): each figure without the family less that with
all. Where it is below 0, the family helps; where its interval holds 0, nothing is shown. `never seen` are rows of goods
that no training row holds.
"""

from benchmarks import comparing
from benchmarks.comparing import Comparison, Slices
from benchmarks.worlds import World
from features.families import FAMILIES, Feature
from features.matrix.matrix import CATALOGUE
from models.evaluation.repeats import has_identical_earlier_row
from models.policy import Policy, load

ALL = "all families"
FIGURES = {
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
    "revenue_at_10pct_by_priority": "revenue at 10 %",
}


def families(policy: Policy) -> Comparison:
    without = {family.NAME: tuple(f for f in CATALOGUE if f.family != family.NAME) for family in FAMILIES}
    # The duty at stake stays, because the revenue head cannot do without it.
    without["declared"] += tuple(f for f in CATALOGUE if f.name == "duty_at_stake")
    ways: dict[str, tuple[Feature, ...]] = {ALL: CATALOGUE} | {
        f"without {name}": features for name, features in without.items()
    }
    trained = {name: comparing.trees(features, policy) for name, features in ways.items()}
    return Comparison("families", trained, ALL, FIGURES, slices)


def slices(world: World) -> Slices:
    told = dict(comparing.whole(world))
    if "scheme" not in world.judged.columns:  # simulated goods are hardly ever the same
        never_seen = ~has_identical_earlier_row(world.split.before_test, world.judged).to_numpy()
        told["never seen"] = (never_seen, told["all"][1])
    return told


if __name__ == "__main__":
    comparing.main(__doc__, families(load()))
