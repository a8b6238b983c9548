"""Traders who answer: what each does after it was caught or inspected, and what it cannot know."""

from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.contract import KEY
from features.network import links
from models.backtesting.answering import LIKENESS, PLACE, Behaviour, Traders, _risks
from models.backtesting.replay import Chooser, ReplayedWorld, replay
from models.backtesting.strategies import Random, best_first
from tests.support.replayed import LANES, TARGETING, world

NOBODY = Behaviour(moves=0, most_hits=1, comes_back=0.0)  # stops after a hit, and does nothing else
MOVERS = Behaviour(most_hits=10_000, bolder=0.9)  # hardly any of them ever stops
RISERS = Behaviour(moves=0, most_hits=1, comes_back=1.0, away_weeks=(1, 2), keeps_seller=0.0)


@dataclass(frozen=True)
class Knowing:
    """Inspects what is illicit, and keeps what was declared."""

    truth: pl.DataFrame
    weeks: list[pl.DataFrame] = field(default_factory=list)
    reads_outcomes: bool = False

    def learn(self, known: pl.DataFrame, recent: pl.DataFrame, before: Chooser | None) -> Chooser:
        return self

    def choose(self, week: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
        self.weeks.append(week)
        is_illicit = week.select(KEY).join(self.truth, on=KEY, maintain_order="left")["is_illicit"]
        return best_first(week, np.where(is_illicit, 1.0, 0.1), TARGETING, rng)


@dataclass(frozen=True)
class Replayed:
    """A replay's log, what was declared in it, and the same declarations as they were planned."""

    log: pl.DataFrame
    declared: pl.DataFrame
    planned: pl.DataFrame
    found: pl.DataFrame  # `name`, `day` (known) and `is_illicit` of inspections that became known in these weeks

    @classmethod
    def of(cls, small: ReplayedWorld, behaviour: Behaviour) -> "Replayed":
        strategy = Knowing(small.truth)
        log = replay(small, strategy, 4, LANES, seed=5, answering=Traders.of(small, 3, behaviour))
        declared = pl.concat(strategy.weeks).with_columns(log.select("is_moved", "is_renamed", "is_illicit", "is_hit"))
        planned = small.history.rows.join(declared, on=KEY, how="semi", maintain_order="left")
        inspected = declared.filter(log["lane"] != "green").select(
            name="importer_id",
            day=pl.col("accepted_on").cast(pl.Int32).cast(pl.Int64) + small.label_delay_days,
            is_illicit="is_hit",
        )
        earlier = small.found.select("day", "is_illicit", name="importer_id").filter(pl.col("day") >= small.first_day)
        return cls(log, declared, planned, pl.concat([inspected, earlier.select(inspected.columns)]))


def _week(small: ReplayedWorld, day: pl.Expr) -> pl.Expr:
    return (day.cast(pl.Int32) - small.first_day) // 7


@pytest.fixture(scope="module")
def small() -> ReplayedWorld:
    return world(rows=5000)


@pytest.fixture(scope="module")
def moved(small: ReplayedWorld) -> Replayed:
    return Replayed.of(small, MOVERS)


@pytest.fixture(scope="module")
def risen(small: ReplayedWorld) -> Replayed:
    return Replayed.of(small, RISERS)


def test_traders_without_moves_who_never_stop_change_nothing(small):
    drawn = Traders.of(small, 3, Behaviour(moves=0))
    deaf = replace(drawn, each=drawn.each.with_columns(patience=pl.lit(10_000)))
    answered = replay(small, Random(TARGETING), 4, LANES, seed=5, answering=deaf)
    assert not answered.select(pl.any_horizontal("is_moved", "is_renamed").any()).item()
    assert_frame_equal(answered.drop("is_moved", "is_renamed"), replay(small, Random(TARGETING), 4, LANES, seed=5))


def test_a_caught_trader_stops_once_it_knows_and_not_before(small):
    replayed = Replayed.of(small, NOBODY)
    caught = (
        replayed.found.filter(pl.col("day") >= small.first_day, "is_illicit")
        .group_by(importer_id="name")
        .agg(pl.col("day").min().alias("caught"))
    )
    planned = (
        small.history.rows.with_columns(is_illicit=small.truth["is_illicit"])
        .filter(pl.col("day") >= small.first_day, pl.col("day") < small.first_day + 7 * small.weeks_replayed)
        .join(caught, on="importer_id", how="left", maintain_order="left")
    )
    is_gone = pl.col("is_illicit") & (_week(small, pl.col("day")) > _week(small, pl.col("caught"))).fill_null(
        value=False
    )
    gone, stays = planned.filter(is_gone), planned.filter(~is_gone)
    assert gone.height > 5
    assert_frame_equal(stays.select(KEY), replayed.declared.select(KEY))


def test_a_hit_that_an_appeal_took_back_is_no_second_one(small):
    """A finding that was overturned is there twice, as it came in and as it was taken back."""
    hits = small.history.found.filter("is_illicit").unique("importer_id", keep="first", maintain_order=True)
    hits = hits.with_columns(day=pl.lit(small.first_day, pl.Int64))
    back = hits.with_columns(sign=pl.lit(-1, pl.Int64), enter=pl.lit(small.first_day + 99, pl.Int64))
    drawn = Traders.of(small, 3, NOBODY)
    patient = replace(drawn, each=drawn.each.with_columns(patience=pl.lit(2)))
    once, twice = (patient.answer(small, 1, pl.concat([hits, more])).answering.each for more in (back, hits))
    assert_frame_equal(once, patient.each)
    assert (twice["opens"] > 0).sum() == hits.height


def test_what_is_honest_is_declared_as_it_was_under_its_traders_name(moved, risen):
    for each in (moved, risen):
        honest = each.declared.filter(~pl.col("is_illicit"))
        assert not honest["is_moved"].any()
        assert 0 < honest["is_renamed"].sum() < honest.height
        planned = each.planned.join(honest, on=KEY, how="semi", maintain_order="left")
        told = ("importer_id", "seller_id")
        names = [name for name in honest.columns if name in planned.columns and name not in told]
        assert_frame_equal(honest.select(names), planned.select(names), check_dtypes=False)
        is_own = ~honest["is_renamed"]
        assert_frame_equal(honest.filter(is_own).select(told), planned.filter(is_own).select(told))


def test_what_moves_looks_like_what_the_declarants_clients_declared_before(small, moved):
    like = moved.declared.filter("is_moved")
    assert like.height > 20
    columns = [name for name in LIKENESS if name in small.history.rows.columns and not name.startswith("log_")]
    parts = (each.select("declarant_id", *columns) for each in (small.history.rows, moved.declared))
    before = pl.concat(parts, how="vertical_relaxed").unique()
    is_like = {
        name: like.join(before, on=names, how="semi", nulls_equal=True).height / like.height
        for name, names in (("anybody", columns), ("client", ["declarant_id", *columns]))
    }
    # A trader whose goods go through another declarant the next time still declares them as it chose to.
    assert is_like["anybody"] == 1
    assert is_like["client"] > 0.5


def test_a_trader_declares_each_consignment_like_one_of_its_value(small, moved):
    like = moved.declared.filter("is_moved")
    place = ["importer_id", *PLACE]
    assert like.group_by(place).agg(sellers=pl.col("seller_id").n_unique())["sellers"].max() > 1
    before = small.history.rows.filter(pl.col("day") < small.first_day)
    value = pl.col("item_value").cast(pl.Float64).log10()
    there = like.join(before, on=["declarant_id", *PLACE], suffix="_there").with_columns(
        off=(value - pl.col("item_value_there").cast(pl.Float64).log10()).abs()
    )
    told = ["seller_id", "hs_code", "goods_description"]
    is_alike = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_there")) for name in told)
    off = there.group_by(KEY).agg(
        alike=pl.col("off").filter(is_alike).min(),
        usual=pl.col("off").mean(),
        choices=pl.struct(f"{name}_there" for name in told).n_unique(),
    )
    off = off.drop_nulls().filter(pl.col("choices") > 2)
    assert off.height > 10
    assert off["alike"].mean() < 0.75 * off["usual"].mean()


def test_what_is_derived_follows_what_is_declared(moved):
    like = moved.declared.filter("is_moved", pl.col("quantity") > 0, pl.col("net_mass_kg") > 0)
    assert like.height > 5
    ratio = like.select(pl.col("net_mass_kg") / pl.col("quantity")).to_series().log10()
    np.testing.assert_allclose(like["log_mass_per_unit"], ratio, atol=1e-6)
    worth = like.select(pl.col("item_value").cast(pl.Float64) / pl.col("quantity")).to_series().log10()
    np.testing.assert_allclose(like["log_value_per_unit"], worth, atol=1e-6)


def test_what_moves_keeps_a_part_of_what_its_price_told(small, moved):
    usual = small.history.rows[: small.weeks[0].start].group_by("hs6").agg(usual=pl.col("log_value_per_kg").median())
    own = moved.planned.filter(moved.declared["is_moved"]).join(usual, on="hs6", how="left", maintain_order="left")
    # The first move is under the old name, the second under that with -1.
    moves = 1 + moved.declared.filter("is_moved")["importer_id"].str.split("-").list.get(1, null_on_oob=True).cast(
        pl.Int64
    ).fill_null(0)
    assert moves.max() > 1
    keeps = pl.Series(MOVERS.kept ** moves.to_numpy())
    kept = (own["log_value_per_kg"] - own["usual"]).fill_null(0) * keeps
    stated = moved.declared.filter("is_moved")["value_per_kg"].cast(pl.Float64).log10() - kept
    prices = small.history.rows["log_value_per_kg"].drop_nulls().to_numpy()
    nearest = np.abs(stated.to_numpy()[:, None] - prices[None, :]).min(axis=1)
    assert np.nanmax(nearest) < 0.01  # it is the price of some declaration; masses are rounded to grams
    evaded = moved.log.filter("is_moved")["evaded_revenue"].to_numpy()
    planned = (
        moved.planned.filter(moved.declared["is_moved"]).select(KEY).join(small.truth, on=KEY, maintain_order="left")
    )
    np.testing.assert_allclose(evaded, (planned["evaded_revenue"] * keeps).to_numpy())


def test_nobody_moves_before_an_inspection_of_its_own_is_known_or_more_often_than_it_can_pay(small, moved):
    first = moved.found.group_by(importer_id="name").agg(known=pl.col("day").min())
    movers = moved.declared.filter("is_moved", ~pl.col("is_renamed")).join(first, on="importer_id", how="left")
    assert movers.select(_week(small, pl.col("accepted_on")) > _week(small, pl.col("known"))).to_series().all()
    trader = pl.col("importer_id").str.split("-").list.first()
    ways = moved.declared.filter("is_moved").group_by(trader).agg(n=pl.struct(PLACE).n_unique())["n"]
    assert 1 < ways.max() <= MOVERS.moves


def test_who_was_inspected_again_where_it_moved_to_takes_another_name(moved):
    is_renamed, moves = (moved.declared.filter("is_moved")[name] for name in ("is_renamed", "importer_id"))
    assert 0 < is_renamed.sum() < len(is_renamed)
    assert moves.str.contains("-").equals(is_renamed.alias("importer_id"))


def test_a_trader_that_comes_back_has_a_name_and_a_seller_that_nobody_had(small, risen):
    renamed = risen.declared.filter("is_renamed")
    assert renamed.height > 10
    assert not renamed["importer_id"].is_in(small.history.rows["importer_id"].implode()).any()
    assert not renamed["seller_id"].drop_nulls().is_in(small.history.rows["seller_id"].drop_nulls().implode()).any()
    before = risen.planned.filter(risen.declared["is_renamed"])
    assert renamed["importer_id"].str.split("-").list.first().equals(before["importer_id"].alias("importer_id"))


def test_a_trader_that_comes_back_was_away_for_its_weeks(small, risen):
    caught = (
        risen.declared.filter("is_hit", ~pl.col("is_renamed")).group_by("importer_id").agg(pl.col("accepted_on").min())
    )
    back = risen.declared.filter("is_renamed").with_columns(
        importer_id=pl.col("importer_id").str.split("-").list.first()
    )
    away = back.join(caught, on="importer_id", suffix="_caught")
    known = pl.col("accepted_on_caught") + pl.duration(days=small.label_delay_days)
    assert away.select((pl.col("accepted_on") - known).dt.total_days().min()).item() > 7 * RISERS.away_weeks[0]


def test_the_register_tells_of_a_new_name_partly_what_it_told_of_the_old_one(small):
    importers = small.history.rows["importer_id"].unique().sort()
    values = pl.Series(range(len(importers) * 4), dtype=pl.UInt64)
    company = pl.Series(links.node("importer", importers))
    told = pl.DataFrame({"company": pl.concat([company] * 4), "value": values}).with_columns(
        ends=pl.lit(None, pl.Int64), enter=pl.lit(0, pl.Int64), sign=pl.lit(1, pl.Int64)
    )
    registered = replace(small, history=replace(small.history, told=told))
    traders = Traders.of(registered, 3, RISERS)
    hits = small.history.found.filter("is_illicit").with_columns(day=pl.lit(small.first_day, pl.Int64))
    after = traders.answer(registered, 1, hits).world.history.told
    fresh = after[told.height :]
    renamed = traders.each.filter(pl.col("trader").is_in(hits["importer_id"].implode()))
    assert_frame_equal(after[: told.height], told)
    assert fresh.height == 4 * renamed.height
    assert not fresh["company"].is_in(company.implode()).any()
    assert 0.3 < fresh["value"].is_in(values.implode()).mean() < 0.6
    assert (fresh["enter"] >= small.first_day + 14).all()


def test_what_becomes_known_later_moves_nobody_today(small):
    traders = Traders.of(small, 3, Behaviour())
    later = small.history.found.with_columns(day=pl.lit(small.first_day + 7, pl.Int64))
    nothing, early = (traders.answer(small, 1, found) for found in (later.clear(), later))
    assert_frame_equal(nothing.world.history.rows, early.world.history.rows)
    assert_frame_equal(nothing.answered, early.answered)


def test_a_trader_remembers_some_weeks_and_takes_nothing_for_passed_whose_result_may_still_come_in(small):
    traders, today = Traders.of(small, 3, Behaviour(memory_weeks=4)), small.first_day + 7
    every = small.history.rows.filter(pl.col("declarant_id").is_not_null())
    seen = traders._clients(small, every, small.weeks[1].start, small.found.clear(), today)
    is_seen = pl.col("day").is_between(today - 28, today - small.label_delay_days - 1)
    assert_frame_equal(seen.select(KEY), every.filter(is_seen).select(KEY))
    assert 0 < seen.height < every.filter(pl.col("day") < today).height


def test_a_belief_is_the_product_of_what_is_met_each_as_far_as_it_was_met():
    clients = pl.DataFrame(
        {
            "declarant_id": ["d"] * 20 + ["e"] * 20,
            "office": ["1"] * 10 + ["2"] * 10 + ["1"] * 20,
            "departure_country": ["CN"] * 40,
            "hs2": ["61"] * 40,
            "is_inspected": [True] * 10 + [False] * 30,
        }
    )
    asked = clients.select("declarant_id", *PLACE)[[0, 10, 20]].vstack(
        pl.DataFrame({"declarant_id": ["d"], "office": ["3"], "departure_country": ["DE"], "hs2": ["02"]})
    )
    everyone = 10 / 40
    usual = (10 + 10 * everyone) / 30
    common = ((10 + 10 * usual) / 30 / usual) ** 2
    by_hand = [(10 + 10 * usual) / 20 * common, (0 + 10 * usual) / 20 * common]
    found = _risks(clients, asked)
    np.testing.assert_allclose(found[:2], by_hand)
    assert found[3] == pytest.approx(usual)
    assert found[2] < found[1] < usual < found[0]


def test_a_trader_moves_to_where_it_believes_the_least_risk_to_be(small):
    """Half of what one office accepts is inspected and nothing elsewhere, so nearly all who move go elsewhere."""
    watched = small.history.rows["office"].mode()[0]
    found = small.found.filter(pl.col("office") == watched).gather_every(2)
    known = found.with_columns(day=pl.lit(small.first_day, pl.Int64))
    traders, went = Traders.of(small, 3, MOVERS), []
    for number in range(2, small.weeks_replayed):
        answer = traders.answer(small, number, known)
        rows = answer.world.weeks[number]
        went += answer.world.history.rows[rows].filter(answer.answered["is_moved"])["office"].to_list()
    assert len(went) > 10
    assert went.count(watched) < 0.2 * len(went)
