"""What the simulated tables look like: rates, schemes, entities, prices, and what goes wrong with the files."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from features import contract
from features.contract import KEY
from features.simulator import Parameters, Tables, build, companies, days_after, deliver, simulate
from features.simulator.draws import exp_on_grid, opaque, pick_by_row, stream
from features.simulator.geography import COUNTRIES, OFFICES
from features.simulator.goods import SECTORS, goods
from features.simulator.inspection import EVERYONE, OFFENDER, chance
from features.simulator.schemes import SCHEMES
from features.simulator.tariff import cheaper_headings, has_preference, tariff
from features.simulator.world import World

PARAMETERS = Parameters(rows=60_000)


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(PARAMETERS)


@pytest.fixture(scope="module")
def clean(world: World) -> Tables:
    """Before anything goes wrong with the files."""
    return build(world, PARAMETERS.seed)


@pytest.fixture(scope="module")
def tables(world: World, clean: Tables) -> Tables:
    return deliver(clean, world, PARAMETERS)


@pytest.fixture(scope="module")
def whole(clean: Tables) -> pl.DataFrame:
    """One row an item: the declaration, the truth and the result."""
    truth = clean.truth.drop("accepted_at", "arrives").rename({"is_illicit": "truly", "is_critical": "truly_critical"})
    results = clean.outcomes.drop("accepted_at", "arrives")
    return clean.declarations.join(truth, on=KEY, validate="1:1").join(results, on=KEY, how="left", validate="1:1")


def failing(frame: pl.DataFrame) -> pl.Series:
    """Rows that break what the contract says of a declaration's fields."""
    faults = []
    for field in contract.DECLARATION:
        column = pl.col(field.name)
        if not field.nullable:
            faults.append(column.is_null())
        if field.pattern:
            faults.append(~column.str.contains(field.pattern))
        if field.codes:
            faults.append(~column.is_in(sorted(field.codes())))
        if field.minimum is not None:
            faults.append(column < field.minimum)
        if field.maximum is not None:
            faults.append(column > field.maximum)
    return frame.select(pl.any_horizontal(fault.fill_null(False) for fault in faults)).to_series()


def test_every_row_meets_the_contract_before_delivery(clean: Tables):
    assert clean.declarations.height == PARAMETERS.rows
    assert clean.declarations.select(KEY).is_duplicated().sum() == 0
    assert clean.declarations.drop("arrives").schema == contract.schema("declarations")
    assert clean.outcomes.drop("arrives").schema == contract.schema("outcomes")
    assert clean.truth.drop("arrives").schema == contract.schema("truth")
    assert failing(clean.declarations).sum() == 0


def test_only_planted_faults_break_the_contract(tables: Tables):
    bad = failing(tables.declarations)
    assert 5 <= bad.sum() <= 0.002 * PARAMETERS.rows
    broken = tables.declarations.filter(bad)
    for fault in (
        pl.col("origin_country") == "XX",
        pl.col("net_mass_kg") < 0,
        pl.col("hs_code").str.len_chars() == 5,
        pl.col("office").is_null() | (pl.col("tax_rate_pct") > 2000),
    ):
        assert broken.filter(fault).height > 0
    assert broken.join(tables.truth, on=KEY, how="semi").height == 0
    assert broken.join(tables.outcomes, on=KEY, how="semi").height == 0
    # Everything else has its truth.
    good = tables.declarations.filter(~bad)
    assert good.join(tables.truth, on=KEY, how="anti").height == 0


def test_amounts_are_rounded(clean: Tables):
    masses, values = (clean.declarations[column].to_numpy() for column in ("net_mass_kg", "item_value"))
    assert (masses == np.round(masses, 3)).all()
    assert (values == np.round(values, 2)).all()


def test_fraud_has_the_rates_that_were_meant(whole: pl.DataFrame):
    assert 0.05 <= whole["truly"].mean() <= 0.08
    assert 0.0005 <= whole["truly_critical"].mean() <= 0.006
    assert set(whole["scheme"].unique()) == set(SCHEMES)
    assert (whole["truly"] == (whole["scheme"] != "none")).all()
    assert whole.filter(~pl.col("truly"))["evaded_revenue"].sum() == 0


def test_most_fraud_is_by_few_but_not_all(whole: pl.DataFrame):
    by_importer = whole.group_by("importer_id").agg(pl.col("truly").sum()).sort("truly", descending=True)
    few = by_importer.head(by_importer.height // 20)["truly"].sum() / by_importer["truly"].sum()
    assert 0.45 <= few <= 0.8


def test_the_mix_of_schemes_drifts(whole: pl.DataFrame):
    thirds = whole.filter("truly").with_row_index().with_columns(third=pl.col("index") * 3 // pl.len())
    first, last = (thirds.filter(pl.col("third") == number)["scheme"] for number in (0, 2))
    assert (last == "false_origin").mean() > 1.2 * (first == "false_origin").mean()
    assert (last == "phoenix").mean() > 1.3 * (first == "phoenix").mean()
    assert (last == "undervaluation").mean() < 0.8 * (first == "undervaluation").mean()


def test_outcomes_are_of_the_inspected_only(whole: pl.DataFrame, clean: Tables):
    assert clean.outcomes["is_inspected"].all()
    assert clean.outcomes["is_illicit"].null_count() == 0
    probability, is_hit = clean.outcomes["selection_probability"], clean.outcomes["is_illicit"]
    assert probability.min() == pytest.approx(chance(EVERYONE))
    assert 0.08 <= clean.outcomes.height / PARAMETERS.rows <= 0.13
    # Each inspected item stands for as many as its chance says, so together they stand for all.
    assert (1 / probability).sum() == pytest.approx(PARAMETERS.rows, rel=0.05)
    assert is_hit.mean() > 1.4 * (is_hit / probability).sum() / PARAMETERS.rows


def test_outcomes_become_known_after_a_delay(clean: Tables):
    delay = clean.outcomes["known_at"] - clean.outcomes["accepted_at"]
    assert delay.min() > timedelta(0)
    assert timedelta(days=4) < delay.median() < timedelta(days=8)
    assert delay.max() > timedelta(days=30)


def test_outcomes_never_claim_more_than_the_truth(whole: pl.DataFrame):
    found = whole.filter("is_illicit")
    assert found["truly"].all()
    assert found.filter("is_critical")["truly_critical"].all()
    assert (found["recovered_revenue"] <= found["evaded_revenue"]).all()
    assert 0.5 < found["recovered_revenue"].sum() / found["evaded_revenue"].sum() < 0.95
    assert whole.filter(~pl.col("is_illicit"))["recovered_revenue"].sum() == 0
    missed = whole.filter(pl.col("is_inspected") & pl.col("truly"))["is_illicit"].not_().mean()
    assert 0.1 < missed < 0.4


def test_rules_know_only_hits_that_were_known_by_then(whole: pl.DataFrame):
    hits = whole.filter("is_illicit").select("importer_id", hit_known_at="known_at")
    marked = whole.filter(pl.col("selection_probability") == chance(OFFENDER))
    first = hits.group_by("importer_id").agg(pl.col("hit_known_at").min())
    asked = marked.join(first, on="importer_id", how="left", validate="m:1")
    assert asked.height > 200
    assert (asked["hit_known_at"] < asked["accepted_at"]).all()


def test_phoenix_companies_rise_after_the_catch_was_known(world: World, whole: pl.DataFrame):
    register = companies(world)
    assert register.height >= 5
    assert (register["opened_at"] > register["caught_at"]).all()
    assert register["importer_id"].is_unique().all()
    trades = whole.group_by("importer_id").agg(
        pl.col("accepted_at").min().alias("first"), "seller_id", "declarant_id", pl.col("is_illicit").sum()
    )
    both = register.join(trades, on="importer_id").join(
        trades, left_on="predecessor_id", right_on="importer_id", suffix="_old"
    )
    assert both.height >= 3
    assert (both["first"] >= both["opened_at"]).all()
    assert (both["is_illicit_old"] > 0).all()
    shares = [
        bool((set(row["seller_id"]) & set(row["seller_id_old"])) - {None})
        or bool(set(row["declarant_id"]) & set(row["declarant_id_old"]))
        for row in both.iter_rows(named=True)
    ]
    assert np.mean(shares) > 0.9  # a lane that the old company never used may be the new one's only one
    risen = whole.filter(pl.col("scheme") == "phoenix")["importer_id"].unique()
    assert set(risen) <= set(register["importer_id"])


@pytest.mark.parametrize("party", ["importer_id", "seller_id", "declarant_id"])
def test_activity_is_heavy_tailed(whole: pl.DataFrame, party: str):
    volumes = whole[party].drop_nulls().value_counts(sort=True)["count"]
    assert volumes.head(max(1, volumes.len() // 20)).sum() > 0.3 * volumes.sum()
    assert volumes.median() < volumes.mean()


def test_importers_come_and_go(whole: pl.DataFrame):
    spans = whole.group_by("importer_id").agg(pl.col("accepted_at").min().alias("first"), pl.col("accepted_at").max())
    start, end = whole["accepted_at"].min(), whole["accepted_at"].max()
    assert spans.filter(pl.col("first") > end - timedelta(days=120)).height > 0.05 * spans.height
    assert spans.filter(pl.col("accepted_at") < start + timedelta(days=240)).height > 0.05 * spans.height


def test_weekends_are_quiet(clean: Tables):
    days = clean.declarations.group_by(pl.col("accepted_at").dt.date()).len()
    usual = days.group_by(pl.col("accepted_at").dt.weekday().alias("weekday")).agg(pl.col("len").median())
    volume = dict(usual.iter_rows())
    assert volume[7] < volume[6] < 0.5 * volume[1]
    # No day is so far off its weekday's usual that a volume check would mind.
    ratios = days.with_columns(pl.col("len") / pl.col("len").median().over(pl.col("accepted_at").dt.weekday()))
    weekdays = ratios.filter(pl.col("accepted_at").dt.weekday() < 6)["len"]
    assert weekdays.min() > 0.25
    assert weekdays.max() < 2


@pytest.mark.parametrize(
    ("hs6", "least", "most"),
    [("851713", 200, 1000), ("252329", 0.04, 0.2), ("090121", 4, 30), ("711319", 8e3, 1e5), ("610910", 6, 50)],
)
def test_prices_are_of_the_right_order(whole: pl.DataFrame, hs6: str, least: float, most: float):
    price = whole.filter(pl.col("hs_code") == hs6).select(pl.col("item_value") / pl.col("net_mass_kg")).to_series()
    assert least < price.median() < most


def test_offices_and_transport_fit_the_trade(whole: pl.DataFrame):
    pairs = whole.select("office", "transport_mode").unique()
    assert set(pairs.rows()) <= {(office.code, office.mode) for office in OFFICES}
    by_road = whole.filter((pl.col("transport_mode") == "3") & ~pl.col("truly"))
    assert set(by_road["departure_country"]) <= {"TH", "VN", "CN"}
    assert (whole.filter(pl.col("hs_code") == "252329")["transport_mode"] != "4").all()
    assert set(whole.filter(pl.col("courier_id").is_not_null())["transport_mode"]) == {"4"}


def test_preferences_lower_the_duty_of_their_members_only():
    rates = tariff()
    assert (rates.preferential <= rates.general).all()
    outsiders = [COUNTRIES.index(code) for code in ("US", "TW", "CH", "BR")]
    assert not has_preference()[:, outsiders].any()
    swaps = cheaper_headings()
    some, column = np.nonzero(swaps >= 0)
    assert (goods().duty_pct[swaps[some, column]] < goods().duty_pct[some]).all()


def test_goods_cover_most_chapters():
    table = goods()
    assert table.count > 300
    assert table.hs6.is_unique().all()
    assert table.hs6.str.contains(r"^\d{6}$").all()
    assert table.hs6.str.slice(0, 2).is_in(list(_chapters())).all()
    assert len(set(table.chapter.tolist())) > 85
    assert set(table.sector.tolist()) == set(range(len(SECTORS)))


def _chapters() -> set[str]:
    return {f"{chapter:02d}" for chapter in range(1, 98) if chapter != 77}


def test_containers_have_the_check_digit_of_iso_6346(clean: Tables):
    numbers = clean.declarations["container_id"].drop_nulls()
    assert 0.2 < numbers.len() / PARAMETERS.rows < 0.8
    alphabet = "0123456789A?BCDEFGHIJK?LMNOPQRSTU?VWXYZ"  # a letter's value is its place; 11, 22 and 33 are left out
    for number in numbers.head(500):
        total = sum(alphabet.index(sign) << place for place, sign in enumerate(number[:10]))
        assert int(number[10]) == total % 11 % 10, number


def test_gross_is_not_below_net(whole: pl.DataFrame):
    weighed = whole.filter(pl.col("gross_mass_kg").is_not_null())
    assert (weighed["gross_mass_kg"] >= weighed["net_mass_kg"]).mean() > 0.999


def test_corrections_come_in_a_later_file(tables: Tables):
    ordered = tables.declarations.unique(maintain_order=True)
    twice = ordered.filter(ordered.select(pl.struct(KEY).is_duplicated()).to_series())
    versions = twice.group_by(KEY, maintain_order=True).agg(pl.col("arrives", "recorded_at", "item_value"))
    corrected = versions.filter(pl.col("recorded_at").list.last().is_not_null())
    assert 0.002 * PARAMETERS.rows < corrected.height < 0.006 * PARAMETERS.rows
    assert (corrected["arrives"].list.first() < corrected["arrives"].list.last()).all()
    assert corrected["recorded_at"].list.first().null_count() == corrected.height


def test_some_declarations_arrive_late(tables: Tables):
    started = tables.declarations.with_columns(
        month=(pl.col("accepted_at").dt.year() - 2023) * 12 + pl.col("accepted_at").dt.month() - 1,
        recorded=(pl.col("recorded_at").dt.year() - 2023) * 12 + pl.col("recorded_at").dt.month() - 1,
    )
    recorded = started.filter(pl.col("recorded_at").is_not_null())
    assert (recorded["recorded"] == recorded["arrives"]).all()
    assert (recorded["recorded_at"] > recorded["accepted_at"]).all()
    late = recorded.filter(pl.col("recorded_at") - pl.col("accepted_at") < pl.duration(days=16)).height
    assert late > 0.002 * PARAMETERS.rows


def test_some_rows_come_twice(tables: Tables):
    copies = tables.declarations.drop("arrives").is_duplicated().sum() // 2
    in_one_file = tables.declarations.is_duplicated().sum() // 2
    assert 0 < in_one_file < copies < 0.001 * PARAMETERS.rows


def test_nothing_arrives_before_what_it_speaks_of(tables: Tables):
    declared = tables.declarations.group_by(KEY).agg(pl.col("arrives").min().alias("declared"))
    for table in (tables.outcomes, tables.truth):
        joined = table.join(declared, on=KEY, how="left", validate="m:1")
        assert joined["declared"].null_count() == 0
        assert (joined["arrives"] >= joined["declared"]).all()
        assert joined["arrives"].is_between(0, PARAMETERS.months - 1).all()


def test_exp_on_grid_is_near_exp():
    exponent = np.linspace(-30, 30, 10_001)
    assert np.abs(exp_on_grid(exponent) / np.exp(exponent) - 1).max() < 1 / 8192 + 1e-9


def test_opaque_names_do_not_collide():
    assert len(np.unique(opaque(np.arange(300_000)))) == 300_000


def test_pick_by_row_follows_the_weights():
    weights = np.tile([1.0, 0.0, 3.0], (20_000, 1))
    chosen = pick_by_row(stream(1), weights)
    assert 0.73 < (chosen == 2).mean() < 0.77
    assert not (chosen == 1).any()


def test_days_after_the_last_one_change_nothing_before_them_and_are_like_them() -> None:
    parameters = Parameters(rows=40_000, months=6)
    ended, going_on = simulate(parameters), simulate(parameters, days_after=7)
    for part in ("traffic", "declared"):
        before, both = getattr(ended, part), getattr(going_on, part)
        for name, values in vars(before).items():
            np.testing.assert_array_equal(getattr(both, name)[: len(values)], values, name)
    before, later = build(ended, parameters.seed).declarations, days_after(parameters, 7)
    days = later.declarations["accepted_at"].dt.date()
    assert (days.min(), days.max(), days.n_unique()) == (date(2023, 7, 1), date(2023, 7, 7), 7)
    assert later.truth.select(KEY).equals(later.declarations.select(KEY))
    usual = before.filter(pl.col("accepted_at") >= datetime(2023, 6, 1)).height / 30 * 7
    assert usual * 0.8 < later.declarations.height < usual * 1.2
    assert not set(later.declarations["declaration_id"]) & set(before["declaration_id"])
    assert later.declarations["importer_id"].is_in(before["importer_id"].implode()).mean() > 0.9
    assert 0.02 < later.truth["is_illicit"].mean() < 0.15
    assert days_after(parameters, 3).declarations.height == (days < date(2023, 7, 4)).sum()
