"""The unkind preset: each kind of trouble is in its world, and in the plain world of the same seed it is not."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from features.contract import KEY
from features.simulator import (
    Parameters,
    Preset,
    Tables,
    build,
    days_after,
    disputes,
    entities,
    inspection,
    mistakes,
    nomenclature,
    presets,
    prices,
    seasons,
    shocks,
    simulate,
    tariff_changes,
)
from features.simulator.days import SECONDS
from features.simulator.geography import COUNTRIES, OFFICES, REGION_OF, SEA, agreement_of
from features.simulator.goods import goods
from features.simulator.inspection import RANDOM_PROBABILITY, STANDS
from features.simulator.schemes import FALSE_ORIGIN, HONEST_MISTAKE, NONE
from features.simulator.tariff import has_preference, tariff
from features.simulator.world import _HIT, _NOTHING, _OVERTURNED, World, _learn, _State

PARAMETERS = Parameters(rows=40_000, preset=Preset.UNKIND)
REVISED = date(2024, 1, 1)


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(PARAMETERS)


@pytest.fixture(scope="module")
def plain() -> World:
    return simulate(PARAMETERS.model_copy(update={"preset": Preset.PLAIN}))


@pytest.fixture(scope="module")
def tables(world: World) -> Tables:
    return build(world, PARAMETERS.seed)


@pytest.fixture(scope="module")
def found(tables: Tables) -> pl.DataFrame:
    """Return one row for each version of an outcome, with the truth."""
    planted = tables.truth.select(*KEY, "scheme", truly="is_illicit", evaded="evaded_revenue")
    return tables.outcomes.join(planted, on=KEY, how="left", maintain_order="left", validate="m:1")


@pytest.fixture(scope="module")
def first(found: pl.DataFrame) -> pl.DataFrame:
    """Return each outcome as the inspectors wrote it down at first."""
    return found.unique(KEY, keep="first", maintain_order=True)


@pytest.fixture(scope="module")
def appealed(found: pl.DataFrame) -> pl.DataFrame:
    """Return the appeals that overturned a finding, with that finding as `hit`, `since` and `charged`."""
    was = found.select(*KEY, hit="is_illicit", since="known_at", charged="recovered_revenue")
    before = was.unique(KEY, keep="first", maintain_order=True)
    return found.filter(~pl.struct(KEY).is_first_distinct()).join(before, on=KEY, validate="1:1")


def test_some_are_mistaken_and_gain_little(world: World, tables: Tables):
    truth = tables.truth
    mistaken = truth.filter(pl.col("scheme") == "honest_mistake")
    assert 0.002 < mistaken.height / truth.height < 0.02
    assert mistaken["is_illicit"].all()
    assert mistaken["evaded_revenue"].min() >= 20
    others = truth.filter(pl.col("is_illicit") & ~pl.col("scheme").is_in(["honest_mistake", "prohibited_goods"]))
    assert mistaken["evaded_revenue"].median() < others["evaded_revenue"].median()
    # Nobody means it: it is no more frequent among those who cheat by habit.
    kind = world.importers.kind[world.traffic.importer]
    assert (kind[world.declared.scheme == HONEST_MISTAKE] == 0).mean() > 0.6


@pytest.mark.parametrize("what", ["goods", "origin", "mass_kg"])
def test_mistakes_that_cost_nothing_are_odd_and_in_order(world: World, plain: World, what: str):
    def odd(each: World) -> float:
        in_order = each.declared.scheme == NONE
        said, true = getattr(each.declared, what)[in_order], getattr(each.traffic, what)[in_order]
        return (np.abs(said - true) > 0.05 * true + 0.01).mean() if what == "mass_kg" else (said != true).mean()

    assert odd(plain) == 0
    assert 0.002 < odd(world) < 0.05
    assert (world.declared.evaded[world.declared.scheme == NONE] == 0).all()


def test_nobody_errs_who_cheats(plain: World):
    after = mistakes.made(np.random.default_rng(1), plain.traffic, plain.declared, 0)
    cheats = plain.declared.scheme != NONE
    for name, values in vars(plain.declared).items():
        np.testing.assert_array_equal(getattr(after, name)[cheats], values[cheats], name)
    assert (after.scheme[~cheats] == HONEST_MISTAKE).any()


def test_careless_declarants_err_more_often(world: World):
    wrong = (world.declared.goods != world.traffic.goods) & np.isin(world.declared.scheme, (NONE, HONEST_MISTAKE))
    of = pl.DataFrame({"declarant": world.traffic.declarant, "wrong": wrong}).group_by("declarant")
    shares = of.agg(pl.len(), pl.col("wrong").mean()).filter(pl.col("len") > 300)["wrong"]
    assert shares.max() > 5 * shares.min() + 0.01


def test_some_mistakes_are_corrected_without_a_penalty(first: pl.DataFrame):
    corrected = first.filter(~pl.col("is_illicit") & (pl.col("recovered_revenue") > 0))
    assert corrected.height > 0
    assert set(corrected["scheme"]) == {"honest_mistake"}
    assert set(first.filter("is_illicit")["scheme"]) > {"honest_mistake"}
    assert (corrected["recovered_revenue"] <= corrected["evaded"]).all()


def test_some_are_accused_who_did_nothing_wrong_and_more_often_where_a_rule_asked(plain: World, first: pl.DataFrame):
    assert 0.005 < first.filter(~pl.col("truly"))["is_illicit"].mean() < 0.03
    assert not first.filter("is_critical").filter(~pl.col("truly")).height
    before, scheme = plain.results, plain.declared.scheme[plain.results.position]
    often = [disputes.settled(np.random.default_rng(seed), plain.declared, before) for seed in range(100)]
    accused = np.mean([each.is_illicit & ~before.is_illicit for each in often], axis=0)
    # What inspectors have missed they do not find by accusing.
    assert not accused[scheme != NONE].any()
    in_order = scheme == NONE
    by_a_rule, of_everyone = (
        accused[in_order & each].mean() for each in (before.probability > 0.3, before.probability < 0.1)
    )
    assert by_a_rule > 1.5 * of_everyone > 0
    # What endangers people is not overturned, and so no outcome is critical and in order.
    assert not any((each.overturned != STANDS)[each.is_critical].any() for each in often)


def test_appeals_are_decided_months_later_and_then_nothing_is_recovered(appealed: pl.DataFrame):
    assert appealed.height > 10
    assert appealed["hit"].all()
    assert not appealed["is_illicit"].any()
    assert not appealed["is_critical"].any()
    assert (appealed["recovered_revenue"] == 0).all()
    assert (appealed["charged"] > 0).any()
    waited = appealed["known_at"] - appealed["since"]
    assert waited.min() > timedelta(days=10)
    assert timedelta(days=50) < waited.median() < timedelta(days=150)
    # Most who win were right, and some were not.
    assert 0.5 < (~appealed["truly"]).mean() < 1


def test_customs_knows_of_no_appeal_before_its_decision(world: World, tables: Tables):
    end = int(world.month_starts[-1]) * SECONDS
    decided = world.results.overturned[world.results.overturned != STANDS]
    assert (decided >= end).any()
    start = datetime(2023, 1, 1)
    assert tables.outcomes["known_at"].max() < start + timedelta(seconds=end)
    month = (tables.outcomes["known_at"].dt.year() - 2023) * 12 + tables.outcomes["known_at"].dt.month() - 1
    assert (month == tables.outcomes["arrives"]).all()


def test_an_appeal_that_is_won_clears_the_offender():
    """The old rules call offenders those whose hits stand."""
    importers = simulate(Parameters(rows=1000, months=1)).importers
    n = len(importers.weight)
    lanes = entities.lay_lanes(np.random.default_rng(1), importers, 1000, 31)
    state = _State(importers, lanes, inspection.unknown(n), np.zeros(n, np.int64))
    honest = int(np.flatnonzero(importers.kind == 0)[0])
    rng = np.random.default_rng(1)
    _learn(rng, state, np.array([[honest, 5, _HIT], [honest, 6, _NOTHING]]), 1, 1000)
    assert (state.known.hits[honest], state.known.concluded[honest]) == (1, 2)
    _learn(rng, state, np.array([[honest, 9 * SECONDS, _OVERTURNED]]), 10, 1000)
    assert (state.known.hits[honest], state.known.concluded[honest]) == (0, 2)


def test_only_the_lot_has_a_probability_on_record(world: World, tables: Tables, plain: World):
    probability = tables.outcomes["selection_probability"]
    assert set(probability.drop_nulls()) == {RANDOM_PROBABILITY}
    assert 0.7 < probability.is_null().mean() < 0.95
    assert np.isnan(world.results.probability[~world.results.is_random]).all()
    assert not np.isnan(plain.results.probability).any()


def test_false_origins_fit_their_departure_are_priced_between_and_have_sellers_there(
    world: World, plain: World, tables: Tables
):
    def fits(each: World) -> float:
        is_false = each.declared.scheme == FALSE_ORIGIN
        return (each.declared.departure == each.declared.origin)[is_false].mean()

    def nearer(each: World) -> float:
        """How far declared prices are moved from the true origin's usual price towards the claimed one's."""
        at = np.flatnonzero(each.declared.scheme == FALSE_ORIGIN)
        usual = prices.usual()[each.traffic.goods[at]]
        lines = np.arange(len(at))
        apart = usual[lines, each.declared.origin[at]] - usual[lines, each.traffic.origin[at]]
        moved = np.log(each.declared.value[at] / each.traffic.value[at])
        return float((moved * apart).sum() / (apart * apart).sum())

    def known(each: World) -> float:
        """The share of false origins whose seller is known from goods of the true one."""
        is_false = each.declared.scheme == FALSE_ORIGIN
        return (each.declared.seller == each.traffic.seller)[is_false].mean()

    assert fits(plain) < 0.75
    assert known(plain) == 1
    assert known(world) < 0.4
    sellers = tables.declarations["seller_id"]
    is_false = tables.truth["scheme"] == "false_origin"
    assert sellers.filter(is_false).is_in(sellers.filter(~is_false).unique().implode()).mean() < 0.4
    assert fits(world) > 0.82
    assert abs(nearer(plain)) < 0.05
    assert nearer(world) == pytest.approx(0.5, abs=0.05)
    assert (world.declared.evaded >= 0).all()


def test_the_tariff_changes_on_the_first_of_january(world: World, plain: World):
    def rates(each: World) -> tuple[pl.Series, pl.Series]:
        """Return the rates of goods from where there is no agreement, in the year before and in the one after."""
        said, traffic = each.declared, each.traffic
        is_plain = (said.scheme == NONE) & (said.goods == traffic.goods) & (said.origin == traffic.origin)
        is_plain &= agreement_of()[said.origin] < 0
        year = np.where(traffic.second < 365 * SECONDS, "before", "after")
        every = pl.DataFrame({"goods": said.goods, "rate": said.rate_pct, "year": year}).filter(pl.Series(is_plain))
        assert every.unique().select("goods", "year").is_unique().all()  # from the very day on
        both = every.unique().pivot("year", index="goods", values="rate").drop_nulls()
        assert both.height > 50
        return both["before"], both["after"]

    before, after = rates(plain)
    assert (before == after).all()
    before, after = rates(world)
    assert 0.05 < (before != after).mean() < 0.5
    assert (after > before).any()
    assert (after < before).any()


def test_a_changed_tariff_goes_on_changing_and_keeps_its_bounds():
    assert tariff_changes.days(date(2023, 7, 1), 915) == [184, 550, 915]
    assert tariff_changes.days(date(2024, 1, 1), 365) == []
    assert (tariff_changes.factors(0) == 1).all()
    assert not np.array_equal(tariff(1).general, tariff(2).general)
    assert (tariff(2).preferential <= tariff(2).general).all()
    assert not has_preference(2)[:, COUNTRIES.index("US")].any()


def test_codes_are_revised_on_the_first_of_january_and_some_are_late(tables: Tables):
    old = set(goods().hs6)
    new = set(nomenclature.codes()) - old
    assert len(new) > 40
    assert all(len(code) == 6 and code.isdigit() for code in new)
    assert nomenclature.codes().is_unique().all()
    day = pl.col("accepted_at").dt.date()
    uses = tables.declarations.select(day.alias("day"), "declarant_id", is_new=pl.col("hs_code").is_in(sorted(new)))
    assert not uses.filter(pl.col("day") < REVISED)["is_new"].any()
    after = uses.filter(pl.col("day") >= REVISED)
    assert after["is_new"].mean() > 0.08
    # Of a code that was split both parts are declared.
    parts = nomenclature._revision()[1]
    used = tables.declarations.filter(day >= REVISED)["hs_code"].unique()
    for each in parts[:, parts[0] != parts[1]]:
        assert nomenclature.codes().gather(each).is_in(used.implode()).mean() > 0.5
    # Codes that went out of use are declared for a while, by a few.
    gone = old - set(nomenclature.codes().gather(nomenclature._revision()[1].ravel()))
    assert len(gone) > 40
    late = tables.declarations.filter((day >= REVISED) & pl.col("hs_code").is_in(sorted(gone)))
    assert late.height > 0
    assert late["accepted_at"].dt.date().max() < REVISED + timedelta(days=45)
    assert late["declarant_id"].n_unique() < 0.3 * after["declarant_id"].n_unique()


def test_codes_are_split_merged_and_moved():
    codes, new = nomenclature._revision()
    table = goods()
    names = np.array(codes.to_list())
    split = new[0] != new[1]
    assert split.sum() > 20
    assert all(a[:4] == b[:4] == c[:4] for a, b, c in zip(*names[new[:, split]], table.hs6.filter(split), strict=True))
    becomes = new[0][~split]
    merged = (np.bincount(becomes, minlength=len(names)) > 1).sum()
    assert merged > 5
    moved = [a[:4] != b[:4] and a[:2] == b[:2] for a, b in zip(names[becomes], table.hs6.filter(~split), strict=True)]
    assert sum(moved) > 10
    assert all(a[:2] == b[:2] for a, b in zip(names[new[0]], table.hs6, strict=True))


def test_nearly_nothing_is_declared_on_holidays_and_more_around_them(tables: Tables):
    days = tables.declarations.group_by(pl.col("accepted_at").dt.date().alias("day")).len()
    volume = days.with_columns(pl.col("len") / pl.col("len").median().over(pl.col("day").dt.weekday()))
    quiet = volume.filter(pl.col("day").map_elements(seasons.is_holiday, pl.Boolean))
    assert quiet["len"].max() < 0.2
    eve = volume.filter(pl.col("day").is_in([date(2023, 4, 11), date(2023, 4, 12), date(2024, 4, 18)]))
    assert eve["len"].mean() > 1.1


def test_sectors_have_seasons(world: World, plain: World):
    month = (world.traffic.second // SECONDS // 30.44 % 12).astype(int)
    months = (plain.traffic.second // SECONDS // 30.44 % 12).astype(int)

    def share(each: World, months: np.ndarray, sector: str, these: tuple[int, ...]) -> float:
        is_of = goods().sector[each.traffic.goods] == list(seasons.SECTORS).index(sector)
        return is_of[np.isin(months, these)].mean()

    winter, summer = (0, 1, 2), (5, 6)
    before = share(plain, months, "produce", summer) / share(plain, months, "produce", winter)
    assert share(world, month, "produce", summer) / share(world, month, "produce", winter) > 1.3 * before


def test_seasons_move_trade_and_add_none():
    mean = np.mean([seasons._by_sector(date(2023, 1, 1) + timedelta(days=day)) for day in range(365)], axis=0)
    assert mean == pytest.approx(np.ones(len(mean)), abs=0.01)


def test_a_closed_port_clears_nothing_and_others_clear_it(world: World, plain: World):
    shock = shocks.drawn(PARAMETERS.seed, int(world.month_starts[-1]))
    week = shock.closes // 7 * 7 + 7  # goods that were on their way when the week began are still cleared
    closed, before = (week, shock.reopens), (week - 60, shock.closes)

    def share(each: World, days: tuple[int, int]) -> float:
        day = each.traffic.second // SECONDS
        return (each.traffic.office == shock.port)[(day >= days[0]) & (day < days[1])].mean()

    assert share(world, closed) == 0
    assert share(plain, closed) > 0.02
    assert share(world, before) > 0.02
    assert share(world, (shock.reopens + 7, shock.reopens + 60)) > 0.02
    modes = {
        (OFFICES[office].mode, mode) for office, mode in zip(world.traffic.office, world.traffic.mode, strict=True)
    }
    assert modes == {("1", 0), ("2", 1), ("3", 2), ("4", 3), ("5", 4)}


def test_a_route_moves_to_a_hub_for_good(world: World, plain: World):
    shock = shocks.drawn(PARAMETERS.seed, int(world.month_starts[-1]))

    def direct(each: World, first: int, last: int) -> float:
        traffic = each.traffic
        day = traffic.second // SECONDS
        of_region = REGION_OF[traffic.origin] == shock.region
        here = of_region & (traffic.mode == SEA) & (day >= first) & (day < last)
        return (traffic.departure == traffic.origin)[here].mean()

    end = int(world.month_starts[-1])
    assert direct(world, 0, shock.moves - 7) > 0.85
    assert direct(world, shock.moves + 7, end) < 0.4
    assert direct(plain, shock.moves + 7, end) > 0.85


def test_the_days_after_go_on_with_the_same_world(world: World):
    later = days_after(PARAMETERS, 3)
    assert later.declarations["accepted_at"].dt.date().n_unique() == 3
    going_on = simulate(PARAMETERS, days_after=3)
    for part in ("traffic", "declared"):
        for name, values in vars(getattr(world, part)).items():
            np.testing.assert_array_equal(getattr(getattr(going_on, part), name)[: len(values)], values, name)


def test_the_plain_world_is_named_without_its_preset():
    assert "preset" not in Parameters().model_dump(mode="json")
    assert PARAMETERS.model_dump(mode="json")["preset"] == "unkind"
    assert Parameters.model_validate({"rows": 1000, "seed": 3}).preset is Preset.PLAIN
    assert type(presets.conditions(Preset.PLAIN, 1, REVISED, 30)) is presets.Plain
