"""Which features of a model say the same thing, by the group that each feature states for itself."""

from collections.abc import Iterable
from functools import cache

from features.families import Feature
from features.matrix import CATALOGUE
from models.reasons.sentences import NAMED


@cache
def features_of(names: tuple[str, ...]) -> dict[str, Feature]:
    """Return catalogued features by name; ValueError names one that is not catalogued, or has unknown sentences."""
    catalogued = {feature.name: feature for feature in CATALOGUE}
    unknown = [name for name in names if name not in catalogued]
    if unknown:
        raise ValueError(
            f"feature {unknown[0]!r} is not in the catalogue, so nothing tells what it means ({len(unknown)} of "
            f"{len(names)} unknown); allowed: the features of features.matrix.matrix.CATALOGUE"
        )
    found = {name: catalogued[name] for name in names}
    for feature in found.values():
        check(feature)
    return found


def check(feature: Feature) -> None:
    """Raise ValueError unless something states `feature`.

    >>> from dataclasses import replace
    >>> check(replace(CATALOGUE[0], sentences="omens"))
    Traceback (most recent call last):
    ...
    ValueError: feature 'office' of family 'declared' is stated by 'omens'; allowed: its own Sentences, or code, ...
    """
    if isinstance(feature.sentences, str) and feature.sentences not in NAMED:
        raise ValueError(
            f"feature {feature.name!r} of family {feature.family!r} is stated by {feature.sentences!r}; allowed: its "
            f"own Sentences, or {', '.join(sorted(NAMED))}"
        )


def groups(names: Iterable[str]) -> dict[str, list[str]]:
    """Return names of features by group, with groups in alphabetical order.

    >>> groups(("importer_hs6_hit_rate_90d", "weekday", "hit_rate_hs6_x_importer_id"))
    {'calendar': ['weekday'], 'importer_x_goods': ['importer_hs6_hit_rate_90d', 'hit_rate_hs6_x_importer_id']}
    """
    found: dict[str, list[str]] = {}
    for name, feature in features_of(tuple(names)).items():
        found.setdefault(feature.group, []).append(name)
    return dict(sorted(found.items()))
