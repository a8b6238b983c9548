"""What a criterion would have meant on past weeks, and what criteria in force have found, beside the model.

Rates are of items that were inspected and have a result. A preview says what people found where they looked, for
whatever reason they did; what they would find where nobody did, it cannot say.
"""

from datetime import date

import polars as pl
from scipy.stats import binomtest

from features.contract import KEY
from models.criteria.criterion import Criterion
from models.criteria.in_force import InForce
from models.criteria.register import Register, Standing
from models.document import Document
from models.metrics import Estimate

MOST_OF_ALL = 0.5  # a criterion that a larger share of declarations meets is none
CONFIDENCE = 0.95


class Rate(Document):
    """Counts hits among inspections with a result; `rate` is their share with Wilson's interval.

    >>> Rate.of(2, 8).rate.text(".0%", "-")
    '25% (7% to 59%)'
    """

    hits: int
    inspected: int
    rate: Estimate

    @classmethod
    def of(cls, hits: int, inspected: int) -> "Rate":
        """Return the rate with its interval; without inspections, it says why there is none."""
        if not inspected:
            return cls(hits=0, inspected=0, rate=Estimate(value=None, reason="no inspection has a result"))
        ends = binomtest(hits, inspected).proportion_ci(CONFIDENCE, method="wilson")
        return cls(
            hits=hits,
            inspected=inspected,
            rate=Estimate(value=hits / inspected, low=float(ends.low), high=float(ends.high)),
        )


class Load(Document):
    """Tells what an office would have had of a criterion: items that meet it, on its busiest day, and places used."""

    office: str
    met: int
    most_a_day: int
    places: int


class Displaced(Document):
    """Tells of the places that a criterion would have given to items that were released.

    Of these `places`, so many `displaced` items that were chosen for value, those of the least priority on the same day
    at the same office; `found` is what was found among them. The other places would have been on top of what was used.
    """

    places: int
    displaced: int
    found: Rate


class Preview(Document):
    """Tells what a criterion would have meant from `begins_on` to `ends_on`, by day, office and result.

    `met` items of `declared` meet it. `found` is of those that were inspected, `others` of all others that were, and
    `by_value` of those that the model chose for value. `displaced` is None where no selection of these days is known.
    """

    begins_on: date
    ends_on: date
    declared: int
    met: int
    met_a_day: float
    offices: tuple[Load, ...]
    found: Rate
    others: Rate
    by_value: Rate
    displaced: Displaced | None


class Beside(Document):
    """Tells what a criterion has found, beside the model on the same days: from `begins_on` to `ends_on`.

    `own` is of the items that it placed, `waiting` of which have no result yet. `by_value` is of what the model chose
    for value on these days, and `by_chance` of what was drawn. A criterion that placed nothing has no days.
    """

    name: str
    state: str
    begins_on: date | None
    ends_on: date | None
    placed: int
    waiting: int
    own: Rate
    by_value: Rate
    by_chance: Rate


def preview(criterion: Criterion, declared: pl.DataFrame, labels: pl.DataFrame, selections: pl.DataFrame) -> Preview:
    """Return what a criterion would have meant on past days.

    `declared` has rows of the contract: the key, `accepted_at`, `office` and the criterion's columns. `labels` has the
    key and `is_illicit` of inspections with a result, and `selections` is the log (models/targeting/selection_log.py).
    ValueError if nothing was declared, or if more than MOST_OF_ALL of it meets the criterion.
    """
    if declared.is_empty():
        raise ValueError("nothing was declared in the weeks asked about, so there is nothing to try a criterion on")
    met = [bool(each) for each in InForce((criterion,)).matching(declared)]
    if sum(met) > MOST_OF_ALL * declared.height:
        raise ValueError(
            f"{criterion.name} is met by {sum(met):,} of {declared.height:,} declared items; allowed: at most "
            f"{MOST_OF_ALL:.0%}, since a criterion says what is unlike the rest"
        )
    place = pl.int_range(pl.len()).over("office", "day")
    rows = (
        declared.select(*KEY, "office", "accepted_at", day=pl.col("accepted_at").dt.date(), met=pl.Series(met))
        .sort("accepted_at", *KEY)
        .join(labels.select(*KEY, "is_illicit"), on=KEY, how="left", maintain_order="left")
    )
    days: list[date] = rows["day"].to_list()
    ours = rows.filter("met").with_columns(takes=place < criterion.places)
    chosen = rows.join(selections.select(*KEY, "lane", "reason", "priority"), on=KEY, how="inner")
    return Preview(
        begins_on=min(days),
        ends_on=max(days),
        declared=rows.height,
        met=ours.height,
        met_a_day=ours.height / len(set(days)),
        offices=_loads(ours),
        found=_rate(ours),
        others=_rate(rows.filter(~pl.col("met"))),
        by_value=_rate(chosen.filter(reason="value")),
        displaced=None if chosen.is_empty() else _displaced(ours, chosen),
    )


def beside(register: Register, labels: pl.DataFrame, selections: pl.DataFrame, today: date) -> list[Beside]:
    """Return what each criterion that was ever proposed has found, beside the model; arguments as for `preview`."""
    known = selections.join(labels.select(*KEY, "is_illicit"), on=KEY, how="left")
    return [_beside(each, known, today) for each in register]


def _beside(standing: Standing, known: pl.DataFrame, today: date) -> Beside:
    name = standing.criterion.name
    own = known.filter(pl.col("criterion") == name)
    days: list[date] = own["accepted_on"].to_list()
    begins_on, ends_on = (min(days), max(days)) if days else (None, None)
    same_days = known.filter(pl.col("accepted_on").is_between(begins_on, ends_on)) if own.height else own
    return Beside(
        name=name,
        state=standing.words(today),
        begins_on=begins_on,
        ends_on=ends_on,
        placed=own.height,
        waiting=own["is_illicit"].null_count(),
        own=_rate(own),
        by_value=_rate(same_days.filter(reason="value")),
        by_chance=_rate(same_days.filter(reason="random")),
    )


def _loads(ours: pl.DataFrame) -> tuple[Load, ...]:
    by_day = ours.group_by("office", "day").agg(met=pl.len(), places=pl.col("takes").sum())
    by_office = by_day.group_by("office").agg(
        pl.col("met").sum(), most_a_day=pl.col("met").max(), places=pl.col("places").sum()
    )
    return tuple(Load(**row) for row in by_office.sort("office").iter_rows(named=True))


def _displaced(ours: pl.DataFrame, chosen: pl.DataFrame) -> Displaced:
    """Return what the criterion's places would have cost, on the days and at the offices of which the choice is known.

    An item that was inspected anyway costs nothing. Each other one takes the place of the least of those chosen for
    value, as long as there are any that do not meet the criterion themselves.
    """
    released = ours.filter("takes").join(chosen.filter(lane="green"), on=KEY, how="semi")
    takes = released.group_by("office", "day").len("takes")
    valued = chosen.filter(~pl.col("met"), reason="value").join(takes, on=("office", "day"), how="inner")
    least = valued.sort("priority", *KEY).filter(pl.int_range(pl.len()).over("office", "day") < pl.col("takes"))
    return Displaced(places=released.height, displaced=least.height, found=_rate(least))


def _rate(rows: pl.DataFrame) -> Rate:
    """Return the rate of hits among rows, those of which have a result whose `is_illicit` is not null."""
    known = rows["is_illicit"].drop_nulls()
    return Rate.of(int(known.sum()), len(known))
