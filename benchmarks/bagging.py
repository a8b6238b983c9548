"""What bags of seeds are worth: the same training with one seed, with three and with five.

    python benchmarks/bagging.py --worlds 201 202 203 204 205
    python benchmarks/bagging.py kcs         # after `make run SOURCE=kcs INPUT=...`

It prints a Markdown table (comparing.py says how figures are compared). What they cost: bagging_price.py.
"""

from benchmarks import comparing
from benchmarks.comparing import Comparison, Way
from features.matrix.matrix import CATALOGUE
from models.policy import Policy, load

SIZES = (1, 3, 5)
APART = 100  # between seeds of training, so that no two bags have a member in common


def bags(policy: Policy) -> Comparison:
    ways = {_name(size): _bag(size, policy) for size in SIZES}
    return Comparison("bagging", ways, _name(1), comparing.FIGURES)


def _name(size: int) -> str:
    return f"bag of {size}"


def _bag(size: int, policy: Policy) -> Way:
    training = policy.training.model_copy(update={"bag": size})
    trained = comparing.trees(CATALOGUE, policy.model_copy(update={"training": training}))
    return lambda world, seed: trained(world, APART * seed)


if __name__ == "__main__":
    comparing.main(__doc__, bags(load()))
