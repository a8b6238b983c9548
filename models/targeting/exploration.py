"""Which declarations would teach the model most, and how many places to give them: weights, chances, an adaptive share.

What a place is worth to a selection, and how many each office has, belongs to targeting. Here every row has some
chance, and the chance is known to the last digit, because honest estimates divide by it.

The ideas are those of customs' own research, carried over from neural embeddings to LightGBM's leaves:
- BADGE (Ash et al., ICLR 2020) draws by k-means++, in proportion to the squared length of a row's gradient embedding,
  away from what is there already. For a log loss the expected squared gradient of a row is p(1 - p). How far a row lies
  from what was inspected is measured here by how seldom its leaves were inspected.
- bATE and gATE (Kim et al., "Active learning for human-in-the-loop customs inspection", TKDE 2022): the embedding times
  the benefit, and a gate that leaves the choice to chance where the model has shown that it cannot be trusted.
- APT and ADAPT (Mai et al., "Customs fraud detection in the presence of concept drift", ICDMW 2021): the share of
  places that explores is itself learned online, from what it brought in and from drift.
"""

import math
from dataclasses import dataclass

import numpy as np

from features.arrays import Floats, Ints
from models import policy
from models.metrics import ranking

# A new scheme may look like the dullest of declarations: surely harmless, in leaves inspected a thousand times. So this
# share of the weight goes to all rows alike, and no row's weight is below this share of the mean.
BLIND_SHARE = 0.1
STRATEGIES = ("badge", "bate", "gate")


def weights(strategy: str, score: Floats, revenue_if_illicit: Floats, rarity: Floats) -> Floats:
    """Return the weight of each candidate row, with mean 1 and never below `BLIND_SHARE`.

    `score` is P(illicit), `revenue_if_illicit` an amount in any currency, `rarity` from `Familiarity`. badge: p(1 - p)
    times the squared rarity, as k-means++ draws by squared distance. bate: that times the benefit, which is the
    logarithm of the revenue in units of the candidates' median; the revenue itself would leave nothing to small
    consignments.

    gate: the paper asks once for all rows whether the model did well enough, and leaves everything to chance if not.
    Here each row has a gate, and it opens by how familiar the row is: 1 for the candidate whose leaves were inspected
    most often, 0 for the one whose leaves were inspected least. Where it is open, the weight is bATE's. Where it is
    shut, a score and an amount say little, and the weight is BADGE's for p = 1/2, without money: that is chance, led by
    rarity alone.

    >>> weights("badge", np.array([0.5, 0.1]), np.array([9.0, 9.0]), np.array([0.2, 0.2])).round(2).tolist()
    [1.42, 0.58]
    >>> weights("random", np.array([0.5]), np.array([9.0]), np.array([0.2]))
    Traceback (most recent call last):
    ...
    ValueError: strategy is 'random'; allowed: badge, bate, gate
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy is {strategy!r}; allowed: {', '.join(STRATEGIES)}")
    ranking.check_amounts("score", score, len(score), highest=1)
    ranking.check_amounts("revenue_if_illicit", revenue_if_illicit, len(score))
    ranking.check_amounts("rarity", rarity, len(score), highest=1)
    if not len(score):
        return np.zeros(0)
    uncertainty, unlike = 4 * score * (1 - score), rarity**2  # 1 at p = 1/2
    if strategy == "badge":
        wanted = uncertainty
    elif strategy == "bate":
        wanted = uncertainty * _benefit(revenue_if_illicit)
    else:
        is_shut = (_ranks(rarity) - 0.5) / len(rarity)
        wanted = (1 - is_shut) * uncertainty * _benefit(revenue_if_illicit) + is_shut
    return partly_blind(wanted * unlike)


def partly_blind(wanted: Floats) -> Floats:
    """Return weights in proportion to `wanted` (from 0), but for `BLIND_SHARE`, which all rows have alike; mean 1.

    >>> partly_blind(np.array([0.0, 4.0])).round(2).tolist()
    [0.1, 1.9]
    """
    # Where no row is wanted, all are equally worth a look. Below `tiny`, a quotient is not exact any more.
    relative = wanted / wanted.mean() if wanted.mean() > np.finfo(np.float64).tiny else np.ones(len(wanted))
    return (1 - BLIND_SHARE) * relative + BLIND_SHARE


@dataclass(frozen=True)
class Familiarity:
    """Knows how often each leaf was inspected; counted once, it answers for any number of candidates.

    `bonuses` has 1 / sqrt(1 + rows inspected in that leaf) for the leaves of each tree, one tree after another, and a 1
    behind each tree's last one, for all leaves beyond it. `first` (trees + 1) says where a tree's begin.
    """

    bonuses: Floats
    first: Ints

    @classmethod
    def of(cls, leaves_of_inspected: Ints) -> "Familiarity":
        """Count the leaves (rows x trees, from `booster.predict(matrix, pred_leaf=True)`) of rows that were inspected.

        A tree sends a value that it has never seen down some familiar branch. So columns of codes that are new now and
        then (origin, heading) may stand beside the trees' columns, if the candidates' leaves number them alike.
        """
        _check_leaves("leaves_of_inspected", leaves_of_inspected)
        seen = [np.append(np.bincount(tree), 0) for tree in leaves_of_inspected.T]
        first = np.cumsum([0, *(len(tree) for tree in seen)])
        return cls(1 / np.sqrt(1 + np.concatenate(seen)), first)

    def rarity(self, leaves_of_candidates: Ints) -> Floats:
        """Return how rare a candidate's leaves are: 1 if none was ever inspected, towards 0 for many.

        It is the mean bonus over trees, like that of count-based exploration (Bellemare et al., NeurIPS 2016). Trees
        are added up in their order, so that a candidate's rarity is the same to the last bit whoever else is asked
        about.

        >>> Familiarity.of(np.array([[1, 2], [1, 2], [1, 2]])).rarity(np.array([[0, 7], [1, 2]])).tolist()
        [1.0, 0.5]
        """
        _check_leaves("leaves_of_candidates", leaves_of_candidates)
        trees = len(self.first) - 1
        if leaves_of_candidates.shape[1] != trees:
            raise ValueError(
                f"leaves_of_candidates has shape {leaves_of_candidates.shape}, and {trees} trees were counted; "
                "allowed: rows x trees, with the same trees"
            )
        found = self.bonuses[np.minimum(self.first[:-1] + leaves_of_candidates, self.first[1:] - 1)]
        return found.cumsum(axis=1)[:, -1] / trees


def _check_leaves(name: str, leaves: Ints) -> None:
    if leaves.ndim != 2 or not leaves.shape[1]:
        raise ValueError(f"{name} has shape {leaves.shape}; allowed: rows x trees, with at least one tree")
    if leaves.size and leaves.min() < 0:
        raise ValueError(f"{name} holds {leaves.min()}; allowed: leaf numbers from 0")


def inclusion(weights: Floats, places: float) -> Floats:
    """Return each row's chance to be drawn: in proportion to its weight, at most 1, `places` in all.

    Rows whose share would exceed 1 are certain, and the others share what is left, until none exceeds 1 (Särndal,
    Swensson and Wretman, "Model assisted survey sampling", 1992). Where fewer rows than `places` have any weight, those
    are certain and the sum is their number.

    >>> inclusion(np.array([8.0, 1.0, 1.0, 0.0]), places=2).tolist()
    [1.0, 0.5, 0.5, 0.0]
    """
    ranking.check_amounts("weights", weights, len(weights))
    if not (math.isfinite(places) and places >= 0):
        raise ValueError(f"places is {places}; allowed: a finite number from 0")
    positive = weights > 0
    if places >= positive.sum():
        return positive.astype(np.float64)
    order = np.argsort(-weights, kind="stable")
    ordered = weights[order]
    left = np.cumsum(ordered[::-1])[::-1]
    # The k heaviest rows are certain; k is the first number with which the next row's chance is at most 1.
    certain = int(np.argmax((places - np.arange(len(ordered))) * ordered <= left))
    chances = np.ones(len(ordered))
    chances[certain:] = np.minimum((places - certain) * (ordered[certain:] / left[certain]), 1.0)
    found = np.empty(len(ordered))
    found[order] = chances
    return found


@dataclass(frozen=True)
class Share:
    """The share of places that explores.

    >>> from models.policy import load
    >>> Share(0.1).updated(load().exploration, gain_explored=0.1, gain_exploited=0.5, drift=0.0).value
    0.0693...
    """

    value: float

    def __post_init__(self) -> None:
        if not 0 <= self.value <= 1:
            raise ValueError(f"value is {self.value}; allowed: a share from 0 to 1")

    def updated(
        self, exploration: policy.Exploration, gain_explored: float, gain_exploited: float, drift: float
    ) -> "Share":
        """Return the share of the next period, between the policy's `min_share` and `max_share`.

        `gain_explored` and `gain_exploited` are what one place of either kind brought in, in hits or in money; only
        their ratio counts. `drift` runs from 0 (nothing changed) to 1 (nothing is as it was).

        Exploring and exploiting are two experts with multiplicative weights, like APT's arms: the odds of exploring are
        multiplied by exp(learning_rate * r), where r is the difference of the gains over the larger gain (-1 to 1). By
        itself that would end at the minimum, because what exploring finds pays later. ADAPT lets drift raise the share.
        Here, as in Fixed-Share (Herbster and Warmuth, Machine Learning 1998; EXP3.S, which APT's code offers, does the
        same), a part `drift` of the weight is dealt out anew, in halves: the more has changed, the less past gains
        decide.
        """
        for name, gain in (("gain_explored", gain_explored), ("gain_exploited", gain_exploited)):
            if not (math.isfinite(gain) and gain >= 0):
                raise ValueError(f"{name} is {gain}; allowed: a finite amount from 0")
        if not 0 <= drift <= 1:
            raise ValueError(f"drift is {drift}; allowed: 0 to 1")
        larger = max(gain_explored, gain_exploited)
        advantage = gain_explored / larger - gain_exploited / larger if larger > 0 else 0.0
        explore = self.value * math.exp(exploration.learning_rate * advantage)
        learned = explore / (explore + 1 - self.value)
        shared = (1 - drift) * learned + drift / 2
        return Share(min(max(shared, exploration.min_share), exploration.max_share))


def _ranks(values: Floats) -> Floats:
    """Return ranks from 1, the mean one for equal values, as scipy.stats.rankdata does in twice the time."""
    ordered = np.sort(values)
    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right") + 1) / 2


def _benefit(revenue: Floats) -> Floats:
    """Return the logarithmic benefit with mean 1; by log(2 + x), as in bATE's code, rows without revenue keep some."""
    positive = revenue[revenue > 0]
    benefit = np.log(2 + revenue / np.median(positive)) if positive.size else np.ones(len(revenue))
    return benefit / benefit.mean()
