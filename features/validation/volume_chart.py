"""Rows by day as bars: the geometry of the validation page's chart. The template draws it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil

from features.validation.verdicts import DayVolume

WIDTH, HEIGHT = 900.0, 180.0
MOST_BARS = 450
WIDEST_BAR = 24.0
GRID_LINES = 4
MOST_DATES = 10


@dataclass(frozen=True)
class Bar:
    """One bar, of a day or, in long batches, of several days: new rows on top of those stored before, and the usual."""

    x: float
    width: float
    y: float
    height: float
    stored_y: float
    stored_height: float
    usual_y: float | None
    state: str  # usual, quiet or busy
    label: str


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """Bars and axes in a box of WIDTH by HEIGHT, y downwards; a legend explains `states` and the flags."""

    bars: tuple[Bar, ...]
    dates: tuple[Tick, ...]
    grid: tuple[Tick, ...]
    days_a_bar: int
    states: frozenset[str]
    has_stored: bool
    has_usual: bool


def chart(days: Sequence[DayVolume]) -> Chart:
    """Return the chart of at least one day; `days` ascend. Days without rows leave a gap."""
    first, last = days[0].day, days[-1].day
    span = (last - first).days + 1
    days_a_bar = ceil(span / MOST_BARS)
    slots = ceil(span / days_a_bar)
    by_slot: dict[int, list[DayVolume]] = {}
    for day in days:
        by_slot.setdefault((day.day - first).days // days_a_bar, []).append(day)
    top = max(_top(group) for group in by_slot.values())
    step = _round_up(max(top, 1) / GRID_LINES)
    highest = step * ceil(max(top, 1) / step)
    slot_width = WIDTH / slots
    bars = tuple(_bar(slot, group, slot_width, highest) for slot, group in by_slot.items())
    return Chart(
        bars,
        tuple(
            Tick((slot + 0.5) * slot_width, f"{first + timedelta(days=slot * days_a_bar)}")
            for slot in range(0, slots, ceil(slots / MOST_DATES))
        ),
        tuple(Tick(_y(rows, highest), f"{rows:,}") for rows in range(0, highest + 1, step)),
        days_a_bar,
        frozenset(bar.state for bar in bars),
        any(day.stored for day in days),
        any(bar.usual_y is not None for bar in bars),
    )


def _top(group: Sequence[DayVolume]) -> float:
    usual = group[0].usual if len(group) == 1 else None
    return max(sum(day.rows + day.stored for day in group), usual or 0)


def _round_up(step: float) -> int:
    """Return the least of 1, 2, 5, 10, 20, 50, ... that is not below `step`."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if factor * power >= step:
                return factor * power
        power *= 10


def _y(rows: float, highest: int) -> float:
    return round(HEIGHT * (1 - rows / highest), 2)


def _bar(slot: int, group: Sequence[DayVolume], slot_width: float, highest: int) -> Bar:
    rows, stored = sum(day.rows for day in group), sum(day.stored for day in group)
    width = min(slot_width * 0.8, WIDEST_BAR)
    usual = group[0].usual if len(group) == 1 else None
    states = ["busy"] * any(day.is_busy for day in group) + ["quiet"] * any(day.is_quiet for day in group)
    stored_y, y = _y(stored, highest), _y(stored + rows, highest)
    return Bar(
        round((slot + 0.5) * slot_width - width / 2, 2),
        round(width, 2),
        y,
        round(stored_y - y, 2),
        stored_y,
        round(HEIGHT - stored_y, 2),
        None if usual is None else _y(usual, highest),
        states[0] if states else "usual",
        _label([day.day for day in group], rows, stored, usual),
    )


def _label(days: Sequence[date], rows: int, stored: int, usual: float | None) -> str:
    when = f"{days[0]:%A} {days[0]}" if len(days) == 1 else f"{days[0]} to {days[-1]}"
    parts = [f"{rows:,} new rows"]
    if stored:
        parts.append(f"{stored:,} stored before")
    if usual is not None:
        parts.append(f"usual {usual:,.0f}")
    return f"{when}: {', '.join(parts)}"
