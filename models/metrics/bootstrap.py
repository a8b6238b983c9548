"""Percentile bootstrap: how far each figure would move if chance had brought other rows.

All scorers are measured on the same resamples, so the differences of their draws are a paired bootstrap. Resampling
blurs calibration bins, so intervals of the expected calibration error lean upwards.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Self

import numpy as np

from features.arrays import Floats
from models.document import Document
from models.metrics.ranking import Measures

_CELLS = 400_000  # counts held at a time, few enough for the processor's cache to help


class Estimate(Document):
    """A figure and its interval. Where the rows do not define the figure, all three are null and `reason` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None

    def times(self, by: float) -> Self:
        """Return the figure and its interval multiplied by a number that is not negative.

        >>> Estimate(value=0.5, low=0.25, high=0.75).times(100)
        Estimate(value=50.0, low=25.0, high=75.0, reason=None)
        """
        scaled = {name: None if one is None else one * by for name, one in self if name != "reason"}
        return self.model_copy(update=scaled)

    def text(self, form: str, unknown: str, layout: str = "{value} ({low} to {high})", alone: str = "{value}") -> str:
        """Return the figure and its interval, each written in the format `form`, in this `layout`.

        Without an interval it is the value `alone`, and `unknown` where the figure is not defined.

        >>> Estimate(value=0.5, low=0.25, high=0.75).text(".2f", "-"), Estimate(value=0.5).text(".0%", "-")
        ('0.50 (0.25 to 0.75)', '50%')
        >>> Estimate(value=None, reason="no hits").text(".2f", "unknown")
        'unknown'
        """
        if self.value is None:
            return unknown
        if self.low is None or self.high is None:
            return alone.format(value=format(self.value, form))
        ends = {"low": format(self.low, form), "high": format(self.high, form)}
        return layout.format(value=format(self.value, form), **ends)


def counts(rows: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield how often each row is drawn, in blocks of resamples x rows; the same blocks for the same arguments.

    >>> [block.sum(axis=1).tolist() for block in counts(rows=4, resamples=3, seed=1)]
    [[4.0, 4.0, 4.0]]
    """
    generator = np.random.default_rng(seed)
    block = max(1, _CELLS // max(rows, 1))
    for start in range(0, resamples, block):
        lines = min(block, resamples - start)
        drawn = generator.integers(0, max(rows, 1), size=(lines, rows))
        cells = (drawn + rows * np.arange(lines)[:, None]).ravel()
        yield np.bincount(cells, minlength=lines * rows).reshape(lines, rows).astype(np.float64)


def draw(scorers: Mapping[str, Measures], rows: int, resamples: int, seed: int) -> dict[str, Floats]:
    """Return each scorer's figures in each resample: resamples x the scorer's `names`, all on the same resamples."""
    blocks: dict[str, list[Floats]] = {name: [] for name in scorers}
    for block in counts(rows, resamples, seed):
        for name, measures in scorers.items():
            blocks[name].append(measures(block))
    return {name: np.concatenate(parts) for name, parts in blocks.items()}


def estimates(
    names: Sequence[str], values: Floats, draws: Floats, confidence: float, why_undefined: Callable[[str], str]
) -> dict[str, Estimate]:
    """Return values with their percentile intervals, by name; `why_undefined(name)` gives the reason where one is NaN.

    Resamples in which a figure is not defined (all their hits were left out, say) do not count towards its interval.
    """
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    found: dict[str, Estimate] = {}
    for name, value, drawn in zip(names, values, draws.T, strict=True):
        defined = drawn[~np.isnan(drawn)]
        if np.isnan(value):
            found[name] = Estimate(value=None, reason=why_undefined(name))
        elif len(defined):
            low, high = np.quantile(defined, tails)
            found[name] = Estimate(value=float(value), low=float(low), high=float(high))
        else:
            found[name] = Estimate(value=float(value), reason="no resample defines it")
    return found
