"""What the families `units` and `routes` are worth, scheme by scheme: trees with them against trees without.

    python benchmarks/schemes.py            # simulated worlds, every declaration against the truth

It prints a Markdown table (comparing.py says how figures are compared): of all that is illicit, and of each planted
scheme, the share that the tenth with the highest scores holds.
"""

from benchmarks import comparing
from benchmarks.comparing import Comparison, Slices
from benchmarks.worlds import World
from features.matrix.matrix import CATALOGUE
from models.evaluation import schemes
from models.policy import Policy, load

BEFORE = "without both"
WITHOUT = {BEFORE: ("units", "routes"), "without routes": ("routes",), "without units": ("units",), "with both": ()}
FIGURES = {"average_precision": "average precision", "recall_at_10pct_by_score": "found in the top tenth"}


def found_schemes(policy: Policy) -> Comparison:
    ways = {
        way: comparing.trees([feature for feature in CATALOGUE if feature.family not in without], policy)
        for way, without in WITHOUT.items()
    }
    return Comparison("schemes", ways, BEFORE, FIGURES, slices)


def slices(world: World) -> Slices:
    """Return all rows, and as often as there are schemes the same rows with the hits of one scheme alone."""
    every, is_hit = comparing.whole(world)["all"]
    scheme = world.judged["scheme"]
    planted = sorted(set(scheme.unique()) - {schemes.NONE})
    return {"all": (every, is_hit), **{name: (every, (scheme == name).to_numpy()) for name in planted}}


if __name__ == "__main__":
    comparing.main(__doc__, found_schemes(load()))
