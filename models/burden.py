"""Whom inspections fall upon, and what they cost and bring in: the burden of a selection, on labelled rows.

A selection is each row's chance to be inspected, see ranking.chance_in_top. How well a ranking finds is in ranking.py,
where places go is in lanes.py, and what would be found among rows that nobody inspected is in off_policy.py.

Groups are measured by what labels say, so that a hit rate is that of the goods, whatever the lane. Costs are those of
the policy's lanes. Labels already miss what inspections miss, so the mean lane finds what they say, and another one so
much more or less as its `detects` is above or below the mean's. Where a row's lane is not known, the row takes the mean
of the lanes, weighted by their places. Intervals are from resampled rows, each with its
chance: they show how far figures would move if other declarations had come, not if the selection had been made again.
Places are not given by chance, so every resample is scaled to as many inspections as the sample has.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import sparse

from features.arrays import Floats
from features.contract import KEY
from features.facts import asof
from features.matrix import feature_of
from models.document import Document
from models.evaluation import Gate, figures, gates
from models.metrics import Estimate, Sample, bootstrap
from models.policy import LANES, Burden, Cost, Lanes, Policy

RANDOM = "random"
OTHER, UNKNOWN = "other", "unknown"
_ORDERED = {"importer size": ("new", "1-10", "11-100", ">100"), "importer": ("new", "known")}
_IMPORTS = feature_of(("importer_id",), "declarations", asof.YEAR_DAYS).name
_COLUMNS = (*KEY, "office", "origin_country", _IMPORTS, "is_illicit", "recovered_revenue")
_RATES = ("detects", "officer_hours", "delay_hours")  # properties of a lane, in this order
_NAMED_GROUPS = 3  # the card lists them all


class Group(Document):
    """A selection on the rows whose `dimension` has this `value`.

    - selection_rate: the share of the group's rows that is inspected; selection_ratio: that over everyone's.
    - hit_rate: the share of the group's inspections that hit.
    - wasted_rate: the share of the group's rows that is inspected for nothing.
    - inspected_share, wasted_share: the group's share of all inspections, and of those for nothing; wasted_ratio: the
      latter over the former.
    """

    dimension: str
    value: str
    rows: int
    hits: int
    selection_rate: Estimate
    selection_ratio: Estimate
    hit_rate: Estimate
    wasted_rate: Estimate
    inspected_share: Estimate
    wasted_share: Estimate
    wasted_ratio: Estimate


class Effort(Document):
    """Tells what inspections find and what they take.

    Money is in the report's currency; the return is revenue over cost.
    """

    inspected: Estimate
    hits: Estimate
    revenue: Estimate
    officer_hours: Estimate
    delay_hours: Estimate
    officer_hours_per_hit: Estimate
    officer_cost: Estimate
    delay_cost: Estimate
    cost: Estimate
    cost_per_hit: Estimate
    return_on_inspection: Estimate


class Selection(Document):
    """One selection's effort, and that of each lane if the rows say which lane they take."""

    name: str
    total: Effort
    lanes: dict[str, Effort]


class Inspection(Document):
    """The mean inspection: each lane's share of all inspections, the share of illicit goods found, hours and cost."""

    lane_shares: dict[str, float]
    detects: float
    officer_hours: float
    delay_hours: float
    cost: Estimate


class BurdenReport(Document):
    """The model's selection by group, and the effort of every selection: the model's comes first, chance last.

    `currency` is null where the rows have none, or several. Groups of fewer than `min_rows` are not judged.
    """

    rows: int
    min_rows: int
    confidence: float
    resamples: int
    everyone: Group
    groups: tuple[Group, ...]
    currency: str | None
    inspection: Inspection
    selections: tuple[Selection, ...]

    def metrics(self) -> dict[str, float]:
        """Return flat names to values for a metrics store: what each selection costs and brings in, if defined.

        For example `burden.model.officer_hours_per_hit`.
        """
        named = (
            (f"burden.{selection.name}.{name}", estimate)
            for selection in self.selections
            for name, estimate in selection.total
        )
        return {name: estimate.value for name, estimate in named if estimate.value is not None}


def measure(rows: pl.DataFrame, selections: Mapping[str, Floats], policy: Policy) -> BurdenReport:
    """Return the burden of the first of `selections`, and the effort of each and of as many inspections at random.

    `selections` are chances, 0 to 1, one a row, by name. `rows` are labelled: key, `office`, `origin_country`,
    `importer_declarations_365d`, `is_illicit`, `recovered_revenue`; with `currency`, costs are known. With `lane`, rows
    that the first selection may inspect state their lane: red, yellow or blue. An inspection of the other selections
    then costs what the first's costs on average. Codes with fewer rows than `burden.min_rows` are one group, 'other'.
    The order of rows does not matter. ValueError says what is missing or not allowed.
    """
    _check(rows, selections)
    order = rows.select(pl.arg_sort_by(*KEY)).to_series().to_numpy()
    rows, chances = rows[order], {name: chance.astype(np.float64)[order] for name, chance in selections.items()}
    first = next(iter(chances.values()))
    chances[RANDOM] = np.full(rows.height, first.sum() / max(rows.height, 1))

    sample, price = figures.sample_of(rows), _Price.of(rows, policy.costs)
    labels = label(rows, policy.burden.min_rows)
    groups = _groups_of(labels)
    efforts, inspection = _efforts(chances, sample, rows, policy.targeting.lanes, price)
    columns = sparse.hstack([_memberships(labels, groups, first, sample), *efforts.values()], format="csr")
    settings = policy.evaluation
    draws = bootstrap.counts(rows.height, settings.bootstrap_resamples, policy.training.seed)
    sums = np.concatenate([block @ columns for block in (sample.ones, *draws)])  # the sample's own come first

    by_group, by_effort = np.split(sums, [4 * len(groups)], axis=1)
    summed = dict(zip(efforts, np.split(by_effort, len(efforts), axis=1), strict=True))
    spent = {
        (name, lane): _effort(of * _to_size(summed[name, None][:, 0]), price, settings.confidence)
        for (name, lane), of in summed.items()
    }
    everyone, *parts = _measured(groups, by_group.reshape(len(sums), 4, len(groups)), settings.confidence)
    return BurdenReport(
        rows=rows.height,
        min_rows=policy.burden.min_rows,
        confidence=settings.confidence,
        resamples=settings.bootstrap_resamples,
        everyone=everyone,
        groups=tuple(parts),
        currency=price.currency,
        inspection=inspection,
        selections=tuple(
            Selection(
                name=name,
                total=spent[name, None],
                lanes={lane: spent[name, lane] for lane in LANES if (name, lane) in spent},
            )
            for name in chances
        ),
    )


def label(rows: pl.DataFrame, min_rows: int) -> pl.DataFrame:
    """Return each row's group in every dimension; an importer's size is in declarations of the 365 days before.

    >>> label(pl.DataFrame({"origin_country": ["CN", "CN", "DE"], "office": ["010", None, "010"],
    ...     "importer_declarations_365d": [0.0, 11.0, None]}), min_rows=2).rows()
    [('CN', 'new', 'new', '010'), ('CN', '11-100', 'known', 'other'), ('other', 'unknown', 'unknown', '010')]
    """
    before = pl.col(_IMPORTS).cast(pl.Float64).fill_nan(None)
    # The bands are fixed, because terciles would mean something else for every version.
    is_new = pl.when(before == 0).then(pl.lit("new"))
    size = is_new.when(before <= 10).then(pl.lit("1-10")).when(before <= 100).then(pl.lit("11-100"))
    size = size.when(before > 100).then(pl.lit(">100")).otherwise(pl.lit(UNKNOWN))
    origin, office = (pl.col(name).fill_null(UNKNOWN) for name in ("origin_country", "office"))
    return rows.select(
        origin=pl.when(pl.len().over(origin) >= min_rows).then(origin).otherwise(pl.lit(OTHER)),
        **{"importer size": size},
        importer=is_new.when(before > 0).then(pl.lit("known")).otherwise(pl.lit(UNKNOWN)),
        office=pl.when(pl.len().over(office) >= min_rows).then(office).otherwise(pl.lit(OTHER)),
    )


def judge(report: BurdenReport, bounds: Burden) -> tuple[Gate, ...]:
    """Return verdicts on the greatest disparities among groups of at least `min_rows`, by the lower interval ends.

    Point estimates, which other gates use, would not do: where nearly all inspections hit, the few that do not fall
    into some group by chance, and the worst of many groups would fail a selection that treats all alike.

    Where no group is large enough, or nothing is inspected, there is no disparity, and the gates pass.
    """

    def selected(group: Group) -> str:
        return f"inspected {gates.said(group.selection_rate, '.1%')} of {group.rows:,} rows"

    def wasted(group: Group) -> str:
        shares = [gates.said(share, ".1%") for share in (group.wasted_share, group.inspected_share)]
        return f"{shares[0]} of those for nothing, {shares[1]} of all"

    large = [group for group in report.groups if group.rows >= bounds.min_rows]
    selection = [(group.selection_ratio, group) for group in large]
    waste = [(group.wasted_ratio, group) for group in large]
    return (
        _within("selection_ratio", "selection rate over everyone's", selection, bounds.max_selection_ratio, selected),
        _within(
            "wasted_ratio", "share of inspections for nothing over share of all", waste, bounds.max_wasted_ratio, wasted
        ),
    )


def _within(
    name: str, what: str, ratios: Sequence[tuple[Estimate, Group]], bound: float, details: Callable[[Group], str]
) -> Gate:
    judged = [
        (ratio.value if ratio.low is None else ratio.low, ratio, group)
        for ratio, group in ratios
        if ratio.value is not None
    ]
    if not judged:
        return gates.entered(
            name, True, None, bound, f"{what}: no group is large enough and inspected, so none is judged"
        )
    judged.sort(key=lambda entry: -entry[0])
    above = [entry for entry in judged if entry[0] > bound]
    named = "; ".join(
        f"{group.dimension} {group.value}, {gates.said(ratio, '.2f')}, {details(group)}"
        for _, ratio, group in (above[:_NAMED_GROUPS] or judged[:1])
    )
    if above:
        found = f"{len(above)} of {len(judged)} groups judged"
        sentence = f"{what} surely exceeds {bound:g} in {found}, highest first: {named}"
    else:
        sentence = f"{what} surely exceeds {bound:g} in none of {len(judged)} groups judged; highest: {named}"
    return gates.entered(name, not above, judged[0][0], bound, sentence)


def _groups_of(labels: pl.DataFrame) -> list[tuple[str, str]]:
    """Return everyone, then the dimension and value of every group.

    Bands come in their order, codes by size, and rows without a code of their own last.
    """
    groups = [("everyone", "all")]
    for dimension in labels.columns:
        sizes = dict(labels[dimension].value_counts().iter_rows())
        in_order = {value: place for place, value in enumerate(_ORDERED.get(dimension, ()))}
        groups += [
            (dimension, value)
            for value in sorted(sizes, key=lambda v: (v in (OTHER, UNKNOWN), in_order.get(v, 0), -sizes[v], v))
        ]
    return groups


def _memberships(
    labels: pl.DataFrame, groups: Sequence[tuple[str, str]], chance: Floats, sample: Sample
) -> sparse.csr_array:
    """Return rows x (4 x groups): what a row adds to a group's rows, hits, inspections, and inspections for nothing."""
    everyone = np.ones(labels.height, np.bool_)
    parts = [(labels[dimension] == value).to_numpy() for dimension, value in groups[1:]]
    member = sparse.csr_array(np.stack([everyone, *parts], axis=1).astype(np.float64))
    adds = (np.ones(labels.height), sample.is_hit, chance, chance * ~sample.is_hit)
    return sparse.hstack([sparse.diags_array(each.astype(np.float64)) @ member for each in adds], format="csr")


def _measured(groups: Sequence[tuple[str, str]], sums: Floats, confidence: float) -> list[Group]:
    """Return groups from their sums, lines x 4 x groups: the first line is the sample's, the first group everyone."""
    rows, _, inspected, wasted = np.moveaxis(sums, 1, 0)
    rate = _ratio(inspected, rows)
    inspected_share, wasted_share = (_ratio(part, part[:, :1]) for part in (inspected, wasted))
    figures = {
        "selection_rate": rate,
        "selection_ratio": _ratio(rate, rate[:, :1]),
        "hit_rate": _ratio(inspected - wasted, inspected),
        "wasted_rate": _ratio(wasted, rows),
        "inspected_share": inspected_share,
        "wasted_share": wasted_share,
        "wasted_ratio": _ratio(wasted_share, inspected_share),
    }

    def why(place: int) -> Callable[[str], str]:
        own, all_ = sums[0, :, place], sums[0, :, 0]

        def reason(name: str) -> str:
            if not own[0]:
                return "no rows"
            if not all_[2]:
                return "nothing is inspected"
            if not own[2] and name in ("hit_rate", "wasted_ratio"):
                return f"none of {own[0]:.0f} rows is inspected"
            return "no inspection is for nothing"

        return reason

    return [
        Group(
            dimension=dimension,
            value=value,
            rows=int(sums[0, 0, place]),
            hits=int(sums[0, 1, place]),
            **_estimates({name: each[:, place] for name, each in figures.items()}, confidence, why(place)),
        )
        for place, (dimension, value) in enumerate(groups)
    ]


@dataclass(frozen=True)
class _Price:
    """Tells what an hour costs, and in which currency; if that is null, `reason` says why.

    `adds_up` is for one currency only.
    """

    currency: str | None
    cost: Cost | None
    reason: str
    adds_up: bool = True

    @classmethod
    def of(cls, rows: pl.DataFrame, costs: Mapping[str, Cost]) -> "_Price":
        if "currency" not in rows.columns:
            return cls(None, None, "the rows have no currency")
        found = rows["currency"].fill_null(UNKNOWN).unique().sort().to_list()
        if not found:
            return cls(None, None, "no rows")
        if len(found) > 1:
            named = f"{len(found)} currencies, {found[0]} and {found[1]} among them"
            return cls(None, None, f"amounts do not add up: {named}", adds_up=False)
        if found[0] not in costs:
            return cls(found[0], None, f"the policy has no costs in {found[0]}, only in {', '.join(sorted(costs))}")
        return cls(found[0], costs[found[0]], "")

    def hours(self, officer: Floats, delay: Floats) -> tuple[Floats, Floats]:
        """Return the cost of officers' hours and that of delay; NaN where it is not known."""
        if self.cost is None:
            return np.full(officer.shape, np.nan), np.full(delay.shape, np.nan)
        return officer * self.cost.officer_hour, delay * self.cost.delay_hour


def _efforts(
    chances: Mapping[str, Floats], sample: Sample, rows: pl.DataFrame, lanes: Lanes, price: _Price
) -> tuple[dict[tuple[str, str | None], Floats], Inspection]:
    """Return what each row adds to the sums of each selection and its lanes (if known), and the mean inspection."""
    rates = np.array([[getattr(getattr(lanes, lane), name) for name in _RATES] for lane in LANES])
    places = np.array([getattr(lanes, lane).capacity_share for lane in LANES])
    model, first = next(iter(chances.items()))
    takes = None
    if "lane" in rows.columns:
        takes = np.stack([(rows["lane"] == lane).fill_null(value=False).to_numpy() for lane in LANES], axis=1)
        places = first @ takes if first.any() else places
    if not places.any():
        raise ValueError("capacity_share is 0 in every lane; allowed: one above 0, or rows with a column lane")
    shares = places / places.sum()
    mean = shares @ rates
    finds = np.array([mean[0], 1.0, 1.0])  # of what labels say, the mean lane finds all

    efforts = {(name, None): _adds(chance, sample, mean / finds) for name, chance in chances.items()}
    if takes is not None:
        efforts[model, None] = _adds(first, sample, takes @ rates / finds)
        efforts |= {(model, lane): _adds(first * takes[:, i], sample, rates[i] / finds) for i, lane in enumerate(LANES)}
    cost = float(sum(price.hours(*mean[1:])))
    inspection = Inspection(
        lane_shares=dict(zip(LANES, shares.tolist(), strict=True)),
        cost=Estimate(value=None, reason=price.reason) if price.cost is None else Estimate(value=cost),
        **dict(zip(_RATES, mean.tolist(), strict=True)),
    )
    return efforts, inspection


def _adds(chance: Floats, sample: Sample, rates: Floats) -> Floats:
    """Return rows x 5: inspections, hits, revenue, officer and delay hours.

    `rates` are what is found of what labels say, officer and delay hours of an inspection: one of each, or one a row.
    """
    finds, officer_hours, delay_hours = rates.T
    found = finds * chance
    return np.stack(
        [chance, found * sample.is_hit, found * sample.revenue, chance * officer_hours, chance * delay_hours], axis=1
    )


def _to_size(inspected: Floats) -> Floats:
    """Return the factors that make each line's inspections as many as the first's, lines x 1; NaN for none."""
    scale = _ratio(np.full(inspected.shape, inspected[0]), inspected) if inspected[0] else np.ones(inspected.shape)
    return scale[:, None]


def _effort(sums: Floats, price: _Price, confidence: float) -> Effort:
    """Return an effort from its five sums, lines x 5, of which the sample's comes first."""
    inspected, hits, revenue, officer_hours, delay_hours = sums.T
    officer_cost, delay_cost = price.hours(officer_hours, delay_hours)
    cost = officer_cost + delay_cost
    revenue = revenue if price.adds_up else np.full(revenue.shape, np.nan)
    figures = {
        "inspected": inspected,
        "hits": hits,
        "revenue": revenue,
        "officer_hours": officer_hours,
        "delay_hours": delay_hours,
        "officer_hours_per_hit": _ratio(officer_hours, hits),
        "officer_cost": officer_cost,
        "delay_cost": delay_cost,
        "cost": cost,
        "cost_per_hit": _ratio(cost, hits),
        "return_on_inspection": _ratio(revenue, cost),
    }

    def why(name: str) -> str:
        if price.cost is None and name != "officer_hours_per_hit":
            return price.reason
        if not inspected[0]:
            return "nothing is inspected"
        return "inspections cost nothing" if name == "return_on_inspection" else "no hits"

    return Effort(**_estimates(figures, confidence, why))


def _estimates(figures: Mapping[str, Floats], confidence: float, why: Callable[[str], str]) -> dict[str, Estimate]:
    """Return figures with intervals; in each array the sample's own value comes first, then those of the resamples."""
    lines = np.stack(list(figures.values()), axis=1)
    return bootstrap.estimates(list(figures), lines[0], lines[1:], confidence, why)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Return part / whole; NaN where there is nothing to divide by."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _check(rows: pl.DataFrame, selections: Mapping[str, Floats]) -> None:
    missing = [name for name in _COLUMNS if name not in rows.columns]
    if missing:
        raise ValueError(f"columns {missing} are not in the rows")
    if not selections:
        raise ValueError("selections is empty; allowed: one or more, the model's first")
    if RANDOM in selections:
        raise ValueError(f"selections has {RANDOM!r}, which is computed here; allowed: any other name")
    for name, chance in selections.items():
        if chance.shape != (rows.height,):
            raise ValueError(f"selection {name!r} has shape {chance.shape}; allowed: ({rows.height},), one a row")
        wrong = np.flatnonzero(~((chance >= 0) & (chance <= 1)))
        if wrong.size:
            raise ValueError(f"selection {name!r} is {chance[wrong[0]]} at row {wrong[0]}; allowed: 0 to 1")
    if "lane" in rows.columns:
        is_lane = rows["lane"].is_in(LANES).fill_null(value=False).to_numpy()
        wrong = np.flatnonzero((next(iter(selections.values())) > 0) & ~is_lane)
        if wrong.size:
            lane = rows["lane"][int(wrong[0])]
            raise ValueError(f"lane is {lane!r} at row {wrong[0]}, which may be inspected; allowed: {', '.join(LANES)}")
