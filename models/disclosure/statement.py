"""What a paper says: statements with the files that they rest on, and blanks that people have to fill in."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.metrics import Estimate
from models.site import Words

DASH = "-"  # in a table, for a figure that there is not


@dataclass(frozen=True)
class Table:
    """A table: heads and rows of text, each as long as the heads."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Statement:
    """Something that is said, and the names of the files that say so.

    `is_open` marks what could not be told, since nothing was measured or recorded; `by_people` an answer of people.
    """

    text: str
    files: Sequence[str]
    table: Table | None = None
    is_open: bool = False
    by_people: bool = False


def estimate(say: Words, value: Estimate, places: int = 3) -> str:
    """Return a figure with its interval, as "0.778 [0.749, 0.805]"; a dash where the rows do not define it."""
    if value.value is None:
        return DASH
    if value.low is None or value.high is None:
        return say.number(value.value, places)
    return f"{say.number(value.value, places)} [{say.number(value.low, places)}; {say.number(value.high, places)}]"


def share(say: Words, value: Estimate) -> str:
    """Return a share with its interval, in per cent; a dash where the rows do not define it."""
    if value.value is None:
        return DASH
    if value.low is None or value.high is None:
        return say.share(value.value)
    return f"{say.share(value.value)} [{say.share(value.low)}; {say.share(value.high)}]"
