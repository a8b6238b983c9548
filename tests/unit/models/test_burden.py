"""Burden against plain sums over groups, and the gates and pictures made of it."""

import re

import numpy as np
import polars as pl
import pytest
from PIL import Image

from models import burden
from models.evaluation.figures import sample_of
from models.metrics.ranking import chance_in_top
from models.plots import burden_plots
from models.policy import LANES
from tests.support.scored import SMALL, rows, scores

POLICY = SMALL.model_copy(update={"burden": SMALL.burden.model_copy(update={"min_rows": 100})})
TEST = rows(600).with_columns(currency=pl.lit("USD"))
CHOSEN = chance_in_top(scores(TEST).priority, 0.1)
OTHERS = {"risk_profile": chance_in_top(scores(TEST, noise=2.0).priority, 0.1)}
LANE = pl.Series("lane", np.where(CHOSEN > 0, np.resize(LANES, 600), "green"))
IS_HIT = TEST["is_illicit"].to_numpy()


def measured(test=TEST, chosen=CHOSEN, policy=POLICY, **others):
    return burden.measure(test, {"model": chosen, **others}, policy)


def effort(report, name="model"):
    return next(one for one in report.selections if one.name == name)


def group(report, dimension, value):
    return next(one for one in report.groups if (one.dimension, one.value) == (dimension, value))


def test_a_groups_figures_are_sums_over_its_rows():
    report = measured()
    for part, mask in [
        (report.everyone, np.ones(600, bool)),
        (group(report, "office", "20"), (TEST["office"] == "20").to_numpy()),
        (group(report, "origin", "CN"), (TEST["origin_country"] == "CN").to_numpy()),
        (group(report, "importer", "new"), (TEST["importer_declarations_365d"] == 0).to_numpy()),
        (group(report, "importer size", "1-10"), (TEST["importer_declarations_365d"] > 0).to_numpy()),
    ]:
        own, wasted = CHOSEN[mask].sum(), (CHOSEN * ~IS_HIT)[mask].sum()
        all_wasted = (CHOSEN * ~IS_HIT).sum()
        assert (part.rows, part.hits) == (mask.sum(), IS_HIT[mask].sum())
        assert part.selection_rate.value == pytest.approx(own / mask.sum())
        assert part.selection_ratio.value == pytest.approx(own / mask.sum() / CHOSEN.mean())
        assert part.hit_rate.value == pytest.approx((CHOSEN * IS_HIT)[mask].sum() / own)
        assert part.wasted_rate.value == pytest.approx(wasted / mask.sum())
        assert part.inspected_share.value == pytest.approx(own / CHOSEN.sum())
        assert part.wasted_share.value == pytest.approx(wasted / all_wasted)
        assert part.wasted_ratio.value == pytest.approx(wasted / all_wasted / (own / CHOSEN.sum()))
    china = group(report, "origin", "CN")
    for figure in (china.selection_rate, china.selection_ratio, china.hit_rate, china.wasted_ratio):
        assert figure.low < figure.value < figure.high


def test_intervals_are_those_of_a_bootstrap_of_rows():
    """Against resamples drawn here, with their own generator; the number of inspections is not left to chance."""
    policy = POLICY.model_copy(
        update={"evaluation": POLICY.evaluation.model_copy(update={"bootstrap_resamples": 2000})}
    )
    report = measured(policy=policy)
    part, total = group(report, "office", "20"), effort(report).total
    generator, is_here = np.random.default_rng(77), (TEST["office"] == "20").to_numpy()
    ratios, hits = [], []
    for _ in range(2000):
        drawn = generator.integers(0, 600, 600)
        ratios.append(CHOSEN[drawn][is_here[drawn]].mean() / CHOSEN[drawn].mean())
        hits.append(60 * (CHOSEN * IS_HIT)[drawn].sum() / CHOSEN[drawn].sum())
    for figure, drawn, within in ((part.selection_ratio, ratios, 0.03), (total.hits, hits, 0.75)):
        low, high = np.quantile(drawn, [0.025, 0.975])
        assert figure.low == pytest.approx(low, abs=within)
        assert figure.high == pytest.approx(high, abs=within)
    for figure in (total.inspected, total.officer_hours, total.cost):
        assert figure.low == pytest.approx(figure.value) == pytest.approx(figure.high)


def test_small_codes_are_one_group_and_groups_come_in_order():
    declared = pl.Series([0.0, 1.0, 10.0, 11.0, 100.0, 101.0, None, np.nan] * 75, dtype=pl.Float32, strict=False)
    groups = measured(TEST.with_columns(importer_declarations_365d=declared)).groups
    found = {}
    for one in groups:
        found.setdefault(one.dimension, {})[one.value] = one.rows
    assert list(found) == ["origin", "importer size", "importer", "office"]
    assert list(found["importer size"].items()) == [
        ("new", 75), ("1-10", 150), ("11-100", 150), (">100", 75), ("unknown", 150)
    ]  # fmt: skip
    assert list(found["importer"].items()) == [("new", 75), ("known", 375), ("unknown", 150)]
    assert list(found["office"]) == ["10", "20", "other"]  # 30 has fewer than 100 rows
    pooled = TEST.filter(pl.len().over("office") < 100)
    assert 0 < found["office"]["other"] == pooled.height
    unknown = measured(TEST.with_columns(office=pl.lit(None, pl.String)))
    assert group(unknown, "office", "unknown").rows == 600


def test_effort_is_that_of_the_mean_lane_where_none_is_given():
    report, lanes, cost = measured(**OTHERS), POLICY.targeting.lanes, POLICY.costs["USD"]
    each = {
        name: 0.4 * getattr(lanes.red, name) + 0.4 * getattr(lanes.yellow, name) + 0.2 * getattr(lanes.blue, name)
        for name in ("detects", "officer_hours", "delay_hours")
    }
    price = each["officer_hours"] * cost.officer_hour + each["delay_hours"] * cost.delay_hour
    assert report.inspection.lane_shares == pytest.approx({"red": 0.4, "yellow": 0.4, "blue": 0.2})
    assert report.inspection.cost.value == pytest.approx(price)
    assert report.inspection.detects == pytest.approx(each["detects"])
    assert report.currency == "USD"
    assert [one.name for one in report.selections] == ["model", "risk_profile", "random"]
    revenue = TEST["recovered_revenue"].to_numpy()
    for name, chance in {"model": CHOSEN, **OTHERS, "random": np.full(600, 0.1)}.items():
        total = effort(report, name).total
        hits, money = chance @ IS_HIT, chance @ revenue  # as labels say: they miss what inspections miss
        assert total.inspected.value == pytest.approx(60)
        assert total.hits.value == pytest.approx(hits)
        assert total.revenue.value == pytest.approx(money)
        assert total.officer_hours.value == pytest.approx(60 * each["officer_hours"])
        assert total.delay_hours.value == pytest.approx(60 * each["delay_hours"])
        assert total.officer_hours_per_hit.value == pytest.approx(60 * each["officer_hours"] / hits)
        assert total.cost.value == pytest.approx(60 * price)
        assert total.officer_cost.value + total.delay_cost.value == pytest.approx(60 * price)
        assert total.cost_per_hit.value == pytest.approx(60 * price / hits)
        assert total.return_on_inspection.value == pytest.approx(money / (60 * price))
        assert total.return_on_inspection.low < total.return_on_inspection.value < total.return_on_inspection.high
        assert effort(report, name).lanes == {}


def test_effort_is_that_of_each_rows_lane_where_it_is_given():
    report, lanes = measured(TEST.with_columns(LANE), **OTHERS), POLICY.targeting.lanes
    own = effort(report)
    assert list(own.lanes) == list(LANES)
    revenue = TEST["recovered_revenue"].to_numpy()
    mean = sum(getattr(lanes, lane).detects * ((lane == LANE).to_numpy() * CHOSEN).sum() for lane in LANES) / 60
    for lane in LANES:
        is_here, rates = (lane == LANE).to_numpy() * CHOSEN, getattr(lanes, lane)
        assert own.lanes[lane].inspected.value == pytest.approx(is_here.sum())
        assert own.lanes[lane].hits.value == pytest.approx(rates.detects / mean * (is_here @ IS_HIT))
        assert own.lanes[lane].revenue.value == pytest.approx(rates.detects / mean * (is_here @ revenue))
        assert own.lanes[lane].officer_hours.value == pytest.approx(rates.officer_hours * is_here.sum())
        assert own.lanes[lane].delay_hours.value == pytest.approx(rates.delay_hours * is_here.sum())
        assert report.inspection.lane_shares[lane] == pytest.approx(is_here.sum() / 60)
    for name in ("inspected", "hits", "revenue", "officer_hours", "delay_hours", "officer_cost", "delay_cost", "cost"):
        assert getattr(own.total, name).value == pytest.approx(
            sum(getattr(part, name).value for part in own.lanes.values())
        )
    for name in ("risk_profile", "random"):
        assert effort(report, name).total.cost.value == pytest.approx(own.total.cost.value)
        assert effort(report, name).lanes == {}


@pytest.mark.parametrize(
    ("test", "currency", "reason"),
    [
        (TEST.with_columns(currency=pl.lit("XOF")), "XOF", "the policy has no costs in XOF, only in KRW, USD"),
        (TEST.drop("currency"), None, "the rows have no currency"),
        (
            TEST.with_columns(currency=pl.Series(np.resize(["USD", "EUR"], 600))),
            None,
            "amounts do not add up: 2 currencies, EUR and USD among them",
        ),
    ],
)
def test_without_costs_hours_are_known_and_money_is_not(test, currency, reason):
    report = measured(test)
    total = effort(report).total
    assert report.currency == currency
    assert report.inspection.cost.reason == reason
    for figure in (total.cost, total.officer_cost, total.delay_cost, total.cost_per_hit, total.return_on_inspection):
        assert (figure.value, figure.reason) == (None, reason)
    assert total.officer_hours.value == pytest.approx(60 * report.inspection.officer_hours)
    assert total.officer_hours_per_hit.value is not None
    assert (total.revenue.reason == reason) == ("add up" in reason)


def test_no_hits_is_said():
    report = measured(TEST.with_columns(is_illicit=pl.lit(value=False)))
    assert report.everyone.hit_rate.value == 0
    assert group(report, "office", "20").wasted_ratio.value == pytest.approx(1)
    total = effort(report).total
    assert (total.hits.value, total.cost_per_hit.value, total.cost_per_hit.reason) == (0, None, "no hits")
    assert total.officer_hours_per_hit.reason == "no hits"
    assert total.return_on_inspection.value == 0


def test_hits_only_leave_no_waste():
    report = measured(TEST.with_columns(is_illicit=pl.lit(value=True)))
    assert report.everyone.wasted_rate.value == 0
    assert group(report, "office", "20").wasted_ratio.reason == "no inspection is for nothing"


def test_a_group_that_is_never_inspected_has_a_rate_and_no_hit_rate():
    is_here = (TEST["office"] == "20").to_numpy()
    part = group(measured(chosen=CHOSEN * ~is_here), "office", "20")
    assert (part.selection_rate.value, part.wasted_share.value) == (0, 0)
    assert part.hit_rate.reason == part.wasted_ratio.reason == f"none of {is_here.sum()} rows is inspected"


def test_nothing_inspected_and_no_rows():
    report = measured(chosen=np.zeros(600))
    assert report.everyone.selection_ratio.reason == "nothing is inspected"
    assert effort(report).total.return_on_inspection.reason == "nothing is inspected"
    assert [gate.passed for gate in burden.judge(report, POLICY.burden)] == [True, True]

    empty = measured(TEST.clear(), np.zeros(0))
    assert (empty.rows, empty.groups, empty.currency) == (0, (), None)
    assert empty.everyone.selection_rate.reason == "no rows"
    assert effort(empty, "random").total.cost.reason == "no rows"
    assert [gate.observed for gate in burden.judge(empty, POLICY.burden)] == [None, None]


def test_one_group_is_like_everyone():
    alike = TEST.with_columns(office=pl.lit("10"), origin_country=pl.lit("CN"), importer_declarations_365d=pl.lit(3.0))
    report = measured(alike)
    assert [one.value for one in report.groups] == ["CN", "1-10", "known", "10"]
    for one in report.groups:
        assert one.model_dump(exclude={"dimension", "value"}) == report.everyone.model_dump(
            exclude={"dimension", "value"}
        )
    assert [gate.observed for gate in burden.judge(report, POLICY.burden)] == [1, 1]


def test_the_document_survives_json():
    report = measured(TEST.with_columns(LANE), **OTHERS)
    assert burden.BurdenReport.model_validate_json(report.model_dump_json()) == report


def judged(report, **changes):
    return {gate.name: gate for gate in burden.judge(report, POLICY.burden.model_copy(update=changes))}


def test_gates_pass_at_their_bound_and_name_the_worst_group():
    report = measured()
    large = [one for one in report.groups if one.rows >= 100]
    for name in ("selection_ratio", "wasted_ratio"):
        worst = max(large, key=lambda one: getattr(one, name).low)
        ratio = getattr(worst, name)
        bound = max(ratio.low, 1.0)  # the least that the policy allows
        gate = judged(report, **{f"max_{name}": bound})[name]
        assert (gate.passed, gate.observed, gate.bound) == (True, ratio.low, bound)
        assert f"in none of {len(large)} groups judged; highest: {worst.dimension} {worst.value}, " in gate.sentence
        assert f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})" in gate.sentence
        below = judged(report, **{f"max_{name}": ratio.low - 1e-9})[name]
        assert not below.passed
        assert re.search(rf"surely exceeds .* in 1 of {len(large)} groups judged, highest first: ", below.sentence)


def test_gates_say_what_share_of_whom():
    sentences = {name: gate.sentence for name, gate in judged(measured()).items()}
    number = r"\d+\.\d% \(\d+\.\d% to \d+\.\d%\)"
    assert re.match("Selection rate over everyone's surely exceeds 5 in none", sentences["selection_ratio"])
    assert re.search(rf"inspected {number} of \d+ rows\.$", sentences["selection_ratio"])
    assert re.match(
        "Share of inspections for nothing over share of all surely exceeds 2.5 in none", sentences["wasted_ratio"]
    )
    assert re.search(rf"{number} of those for nothing, {number} of all\.$", sentences["wasted_ratio"])


def test_a_disparity_is_caught_where_the_group_is_large_enough():
    is_here = (TEST["office"] == "20").to_numpy()
    all_of_one = measured(chosen=is_here.astype(float))
    size = int(is_here.sum())
    gate = judged(all_of_one, max_selection_ratio=3.0)["selection_ratio"]
    assert not gate.passed
    assert group(all_of_one, "office", "20").selection_ratio.value == pytest.approx(600 / size)
    assert 3 < gate.observed < 600 / size  # the lower end of its interval
    assert f"highest first: office 20, {600 / size:.2f}" in gate.sentence
    assert "inspected 100.0% (100.0% to 100.0%) of" in gate.sentence
    assert judged(all_of_one, max_selection_ratio=3.0, min_rows=size + 1)["selection_ratio"].passed
    nobody = judged(all_of_one, max_selection_ratio=3.0, min_rows=601)["selection_ratio"]
    assert (nobody.passed, nobody.observed) == (True, None)


@pytest.mark.parametrize(
    ("test", "selections", "message"),
    [
        (TEST.drop("office"), {"model": CHOSEN}, r"columns \['office'\] are not in the rows"),
        (TEST, {}, "selections is empty; allowed: one or more"),
        (TEST, {"model": CHOSEN, "random": CHOSEN}, "selections has 'random', which is computed here"),
        (TEST, {"model": CHOSEN[1:]}, r"selection 'model' has shape \(599,\); allowed: \(600,\)"),
        (TEST, {"model": np.full(600, 1.5)}, "selection 'model' is 1.5 at row 0; allowed: 0 to 1"),
        (TEST, {"model": np.full(600, np.nan)}, "selection 'model' is nan at row 0; allowed: 0 to 1"),
        (
            TEST.with_columns(lane=pl.lit("green")),
            {"model": np.ones(600)},
            "lane is 'green' at row 0, which may be inspected; allowed: red, yellow, blue",
        ),
        (
            TEST.with_columns(is_illicit=pl.lit(None, pl.Boolean)),
            {"model": CHOSEN},
            "600 of 600 test rows have no label",
        ),
    ],
)
def test_what_is_not_allowed_is_refused(test, selections, message):
    with pytest.raises(ValueError, match=message):
        burden.measure(test, selections, POLICY)


def test_lanes_without_places_need_a_lane_a_row():
    none = {lane: getattr(POLICY.targeting.lanes, lane).model_copy(update={"capacity_share": 0.0}) for lane in LANES}
    lanes = POLICY.targeting.lanes.model_copy(update=none)
    policy = POLICY.model_copy(update={"targeting": POLICY.targeting.model_copy(update={"lanes": lanes})})
    with pytest.raises(ValueError, match="capacity_share is 0 in every lane; allowed: one above 0"):
        measured(policy=policy)
    assert effort(measured(TEST.with_columns(LANE), policy=policy)).total.inspected.value == pytest.approx(60)


SCORERS = {"model": scores(TEST), "risk_profile": scores(TEST, noise=2.0)}
DRAWN = {
    "by_group": lambda path, report, test: burden_plots.by_group(path, report),
    "returns": lambda path, report, test: burden_plots.returns(path, report, sample_of(test), SCORERS),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_plot_is_a_png_with_something_on_it_and_the_same_each_time(tmp_path, name):
    report = measured()
    one, other = tmp_path / "one.png", tmp_path / "other.png"
    DRAWN[name](one, report, TEST)
    DRAWN[name](other, report, TEST)
    assert one.read_bytes() == other.read_bytes()
    with Image.open(one) as picture:
        assert picture.format == "PNG"
        assert 800 <= picture.width <= 900
        assert np.asarray(picture.convert("L")).std() > 5


@pytest.mark.parametrize("name", DRAWN)
def test_a_plot_without_hits_or_prices_or_inspections_can_be_drawn(tmp_path, name):
    bare = TEST.with_columns(is_illicit=pl.lit(value=False)).drop("currency")
    DRAWN[name](tmp_path / "bare.png", measured(bare, np.zeros(600)), bare)
    assert (tmp_path / "bare.png").stat().st_size > 5000


def test_revenue_of_several_currencies_is_not_drawn(tmp_path):
    mixed = TEST.with_columns(currency=pl.Series(np.resize(["USD", "EUR"], 600)))
    DRAWN["returns"](tmp_path / "mixed.png", measured(mixed), mixed)
    DRAWN["returns"](tmp_path / "one.png", measured(), TEST)
    blue = [
        (np.asarray(Image.open(tmp_path / name).convert("RGB")) == (0x0B, 0x53, 0x94)).all(axis=2).sum()
        for name in ("mixed.png", "one.png")
    ]
    assert blue[0] == 0 < blue[1]  # the model's colour


def test_a_plot_of_no_groups_can_be_drawn(tmp_path):
    burden_plots.by_group(tmp_path / "empty.png", measured(TEST.clear(), np.zeros(0)))
    assert (tmp_path / "empty.png").stat().st_size > 2000
