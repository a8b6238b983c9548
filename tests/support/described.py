"""Features of the catalogue, by name."""

from features.families.feature import Feature
from features.matrix.matrix import CATALOGUE

BY_NAME = {feature.name: feature for feature in CATALOGUE}


def catalogued(*names: str) -> tuple[Feature, ...]:
    """Return the features of these names, in this order."""
    return tuple(BY_NAME[name] for name in names)
