"""Boosters that differ in their seed alone, as a single one: the bag, which predicts the mean of its members.

A raw score is a sum over trees. So the mean of the members' raw scores is the sum over the trees of all, each leaf
divided by the number of members, and that is a booster again. Whatever takes a booster takes a bag: the forest kernel,
exact TreeSHAP, MLflow, a file. It costs as much as that many trees do.

The mean is taken of raw scores and not of probabilities, because contributions of features add up to a raw score.
"""

from collections.abc import Sequence

import lightgbm as lgb

_SCALED = ("leaf_value", "internal_value", "shrinkage")


def mean(members: Sequence[lgb.Booster]) -> lgb.Booster:
    """Return the booster whose raw scores are the mean of those of `members`, each with its best rounds.

    What else it says of itself, as names of features and parameters, is what the first member says. ValueError without
    members.

    >>> mean([])
    Traceback (most recent call last):
    ...
    ValueError: a bag of 0 boosters; allowed: 1 or more
    """
    if not members:
        raise ValueError("a bag of 0 boosters; allowed: 1 or more")
    header, _, rest = _parts(members[0])
    trees = "".join(_divided(_parts(member)[1], len(members)) for member in members)
    return lgb.Booster(model_str=header + trees + rest)


def _parts(member: lgb.Booster) -> tuple[str, str, str]:
    """Return what LightGBM's text of a model has before its trees, the trees, and what it has after them."""
    text = member.model_to_string()
    first, end = text.index("\nTree=") + 1, text.index("\nend of trees") + 1
    # The sizes of trees would be others in a bag. Without them, LightGBM reads one tree after another.
    header = (line for line in text[:first].splitlines(keepends=True) if not line.startswith("tree_sizes="))
    return "".join(header), text[first:end], text[end:]


def _divided(trees: str, by: int) -> str:
    return "\n".join(_divided_line(line, by) for line in trees.split("\n"))


def _divided_line(line: str, by: int) -> str:
    name, _, values = line.partition("=")
    if name not in _SCALED:
        return line
    return f"{name}={' '.join(repr(float(value) / by) for value in values.split())}"
