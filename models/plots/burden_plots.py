"""The pictures of a burden: whom inspections fall upon, and when they stop paying. The figures are from burden.py."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, MaxNLocator, PercentFormatter

from models.burden import BurdenReport, Group
from models.metrics import Estimate, Sample, Scores, ranking
from models.plots.plots import COLOURS, TITLES, styled

_HIT_COLOUR, _GAP = COLOURS["champion"], 1.6  # lines between dimensions; one of them is for the title


def by_group(path: Path, report: BurdenReport) -> None:
    """Draw every group's selection rate and hit rate with intervals, dotted for everyone; hollow if not judged."""
    places, titles = _places(report.groups)
    lines = max([*places, *titles.values()], default=0.0)
    with styled(path, height=1.6 + 0.23 * lines) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, name, colour in ((left, "selection_rate", COLOURS["model"]), (right, "hit_rate", _HIT_COLOUR)):
            for place, group in zip(places, report.groups, strict=True):
                _point(axes, place, getattr(group, name), colour, is_hollow=group.rows < report.min_rows)
            overall = getattr(report.everyone, name).value
            if overall is not None:
                axes.axvline(overall, color="#444444", linewidth=1, linestyle=":", label=f"everyone: {overall:.1%}")
                axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderpad=0)
            axes.set(xlim=(0, None), ylim=(lines + 1, -1))
            axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
            axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=None))
            axes.grid(visible=False, axis="y")
        left.set_title("Inspected", pad=22)
        right.set_title("Hits", pad=22)
        hollow = f"\nhollow: under {report.min_rows} rows, not judged"
        has_hollow = any(group.rows < report.min_rows for group in report.groups)
        left.set_xlabel(f"inspected, share of the group's rows{hollow if has_hollow else ''}")
        right.set_xlabel("hits, share of its inspections")
        left.set_yticks(
            [*titles.values(), *places],
            [*(f"{title}:" for title in titles), *(f"{group.value} ({group.rows:,})" for group in report.groups)],
        )
        for tick in left.get_yticklabels()[: len(titles)]:
            tick.set_fontweight("bold")
        left.tick_params(axis="y", length=0)
        right.tick_params(axis="y", length=0)


def returns(path: Path, report: BurdenReport, sample: Sample, scorers: Mapping[str, Scores]) -> None:
    """Draw revenue and cost of inspecting more and more, each at the mean inspection, by priority or else by score.

    What the report has no figures for is left out, and the reason is written below.
    """
    each, revenue = report.inspection, report.selections[0].total.revenue
    with styled(path) as figure:
        axes = figure.subplots()
        for name, scores in scorers.items() if revenue.value is not None else ():
            key = scores.score if scores.priority is None else scores.priority
            curve = ranking.Ranking(sample, key).curve(sample.ones)
            share = curve.rows[0] / max(curve.rows[0, -1], 1)
            axes.plot(share, curve.revenue[0], color=COLOURS.get(name), label=TITLES.get(name, name))
        if each.cost.value is not None:
            cost = [0, each.cost.value * report.rows]
            axes.plot([0, 1], cost, color="#111111", linestyle="--", label="cost of inspecting")
        selected = report.everyone.selection_rate.value
        if selected is not None:
            axes.axvline(selected, color="#444444", linewidth=1, linestyle=":", label=f"selected: {selected:.0%}")
        reasons = {"revenue": revenue.reason if revenue.value is None else None, "cost": each.cost.reason}
        notes = [f"\n{name} is not shown: {reason}" for name, reason in reasons.items() if reason]
        axes.set(
            title="Revenue and cost of inspecting more",
            xlabel=f"share of all rows inspected, highest priority first{''.join(notes)}",
            ylabel=f"sum so far, {report.currency or 'currency of the rows'}",
            xlim=(0, 1),
            ylim=(0, None),
        )
        axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
        axes.yaxis.set_major_formatter(EngFormatter())
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))


def _places(groups: Sequence[Group]) -> tuple[list[float], dict[str, float]]:
    """Return the line of each group, and that of each dimension's title above its groups, counted from the top."""
    places: list[float] = []
    titles: dict[str, float] = {}
    line = 0.0
    for group in groups:
        if group.dimension not in titles:
            titles[group.dimension] = line + (_GAP - 1 if titles else 0)
            line = titles[group.dimension] + 1
        places.append(line)
        line += 1
    return places, titles


def _point(axes: Axes, place: float, estimate: Estimate, colour: str, is_hollow: bool) -> None:
    if estimate.value is None:
        return
    if estimate.low is not None and estimate.high is not None:
        axes.plot([estimate.low, estimate.high], [place, place], color=colour, linewidth=1.4)
    axes.plot(estimate.value, place, "o", color=colour, markersize=5, markerfacecolor="white" if is_hollow else colour)
