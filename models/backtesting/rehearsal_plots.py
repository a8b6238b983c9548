"""The pictures of a rehearsal: what each strategy has found so far, how precise it is, and when it meets what is new.

The figures are those of the document, see result.py; the style is that of all plots.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, PercentFormatter

from models.backtesting.result import Rehearsal, Replayed
from models.backtesting.side_by_side import SideBySide
from models.metrics import Estimate
from models.plots import plots

FOUND, PRECISION, NOVELTIES = "found.png", "precision.png", "new-schemes.png"
_COLOURS = ("#8a8a8a", "#8e4b9e", "#38761d", "#b45f06", "#0b5394", "#a61c00", "#134f5c")
_SMOOTHED_WEEKS = 4


def draw(rehearsal: Rehearsal, folder: Path) -> tuple[Path, ...]:
    """Write the pictures into `folder` and return their paths; new schemes have a picture only if there are any."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / FOUND, folder / PRECISION]
    found(paths[0], rehearsal)
    precision(paths[1], rehearsal)
    if any(one.novelties for one in rehearsal.strategies):
        paths.append(folder / NOVELTIES)
        novelties(paths[-1], rehearsal)
    return tuple(paths)


def found(path: Path, rehearsal: Rehearsal) -> None:
    """Draw hits and revenue from the first week on, with bands if there are several seeds."""
    with plots.styled(path, width=10.5) as figure:
        left, right = figure.subplots(1, 2)
        for one, colour in zip(rehearsal.strategies, _cycled(rehearsal), strict=True):
            for axes, figure_name in ((left, "hits_so_far"), (right, "revenue_so_far")):
                _line(axes, one, [getattr(week, figure_name) for week in one.weeks], colour)
        left.set(title="Hits so far", xlabel="first day of the week", ylabel="hits")
        right.set(title="Revenue so far", xlabel="first day of the week", ylabel="evaded duty found, currency")
        right.yaxis.set_major_formatter(EngFormatter())
        left.legend()
        for axes in (left, right):
            axes.set_ylim(bottom=0)  # an interval of few seeds may reach below 0, but a sum cannot
            axes.tick_params(axis="x", rotation=30)


def precision(path: Path, rehearsal: Rehearsal) -> None:
    """Draw the share of inspections that hit, over the last weeks together: single weeks jump too much to read."""
    with plots.styled(path) as figure:
        axes = figure.subplots()
        for one, colour in zip(rehearsal.strategies, _cycled(rehearsal), strict=True):
            hits, inspected = (
                np.array([getattr(week, name).value for week in one.weeks]) for name in ("hits", "inspected")
            )
            last = np.ones(min(_SMOOTHED_WEEKS, len(hits)))
            together = np.convolve(hits, last, "valid") / np.maximum(np.convolve(inspected, last, "valid"), 1)
            days = _days(one)[len(last) - 1 :]
            axes.plot(days, together, color=colour, label=one.name)
        axes.set(
            title=f"Precision over {_SMOOTHED_WEEKS} weeks",
            xlabel="first day of the last of them",
            ylabel="share of inspections that hit",
        )
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
        axes.tick_params(axis="x", rotation=30)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))


def novelties(path: Path, rehearsal: Rehearsal) -> None:
    """Draw the weeks until a new scheme is first found, a dot a seed; at the right edge if it never was."""
    weeks = len(rehearsal.strategies[0].weeks)
    schemes = sorted({each.scheme for one in rehearsal.strategies for each in one.novelties})
    lines = [(scheme, place) for scheme in schemes for place in range(len(rehearsal.strategies))]
    colours = _cycled(rehearsal)
    with plots.styled(path, height=1.5 + 0.35 * len(lines)) as figure:
        axes = figure.subplots()
        for line, (scheme, place) in enumerate(lines):
            one = rehearsal.strategies[place]
            until = [each.weeks_until_first for each in one.novelties if each.scheme == scheme]
            axes.plot(
                [weeks + 2 if each is None else each for each in until],
                [line + 0.12 * (seed - (len(until) - 1) / 2) for seed in range(len(until))],
                linestyle="",
                marker="o",
                color=colours[place],
            )
        axes.axvline(weeks + 1, color="#444444", linewidth=1, linestyle=":")
        axes.set(
            title="Weeks until a new scheme is found",
            xlabel="weeks from its first declaration; right of the dotted line: never",
            yticks=range(len(lines)),
            yticklabels=[f"{scheme}, {rehearsal.strategies[place].name}" for scheme, place in lines],
        )
        axes.invert_yaxis()


def _line(axes: Axes, one: Replayed, estimates: Sequence[Estimate], colour: str) -> None:
    days = _days(one)
    axes.plot(days, [estimate.value for estimate in estimates], color=colour, label=one.name)
    if all(estimate.low is not None for estimate in estimates):
        low, high = ([getattr(estimate, end) for estimate in estimates] for end in ("low", "high"))
        axes.fill_between(days, low, high, color=colour, alpha=0.15, linewidth=0)


def _days(one: Replayed) -> np.ndarray:
    return np.array([week.first_day for week in one.weeks], "datetime64[D]")


def _cycled(rehearsal: Rehearsal) -> list[str]:
    return [_COLOURS[place % len(_COLOURS)] for place in range(len(rehearsal.strategies))]


def loads(path: Path, rehearsed: SideBySide) -> None:
    """Draw weekly inspections of the offices and chapters whose load changes most: hollow before, full after."""
    lines, colours = len(rehearsed.loads), (plots.COLOURS["champion"], plots.COLOURS["model"])
    with plots.styled(path, height=1.6 + 0.26 * max(lines, 3)) as figure:
        axes = figure.subplots()
        for place, load in enumerate(rehearsed.loads):
            before, after = load.inspections_a_week_against, load.inspections_a_week
            axes.plot([before, after], [place, place], color="#bbbbbb", linewidth=1.5, zorder=1)
            axes.plot(before, place, marker="o", markerfacecolor="white", color=colours[0])
            axes.plot(after, place, marker="o", color=colours[1])
        for label, colour, face in ((rehearsed.against.name, colours[0], "white"), ("challenger", *2 * colours[1:])):
            axes.plot([], [], marker="o", linestyle="", color=colour, markerfacecolor=face, label=label)
        axes.set_yticks(range(lines), [f"{load.kind} {load.code}" for load in rehearsed.loads])
        axes.set(title="Whose load changes most", xlabel="inspections a week", ylim=(lines - 0.4, -0.6), xlim=(0, None))
        axes.grid(visible=False, axis="y")
        axes.legend(loc="lower right")
