"""What the selector asks of exploration, and how results and drift change its share, worked out by hand."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from features.contract import KEY
from models import policy
from models.risk.risk_model import OUTPUTS
from models.targeting.exploration import Share
from models.targeting.selector import Exploring, Selector, adapted
from models.training.fitting import train
from tests.support.criteria import criterion
from tests.support.datasets import FEATURES, TRAINING, dataset

POLICY = policy.load()
RATE = POLICY.exploration.learning_rate
STEADY = np.full(400, 0.3)


def results(*rows: tuple) -> pl.DataFrame:
    """Reason, whether it was a hit, what it brought in; a hit is worth 100 beside that."""
    names = {"reason": pl.String, "is_illicit": pl.Boolean, "recovered_revenue": pl.Float64}
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(hit_value=100.0)


def odds(share: Share) -> float:
    return share.value / (1 - share.value)


def test_the_share_follows_what_a_place_of_either_kind_brought_in():
    found = results(
        ("exploration", True, 0.0),
        ("exploration", False, None),  # 50 a place
        ("value", True, 50.0),
        ("value", False, 0.0),  # 75 a place
        ("critical", True, 1e6),
        ("random", True, 1e6),
    )
    # Two thirds of what the other brought in: the odds shrink by exp(-rate / 3).
    assert odds(adapted(Share(0.1), found, STEADY, POLICY)) == pytest.approx(np.exp(-RATE / 3) / 9)
    turned = found.with_columns(pl.col("reason").replace({"exploration": "value", "value": "exploration"}))
    assert odds(adapted(Share(0.1), turned, STEADY, POLICY)) == pytest.approx(np.exp(RATE / 3) / 9)


@pytest.mark.parametrize("missing", ["exploration", "value"])
def test_where_one_kind_has_no_result_the_share_stays(missing):
    found = results(("exploration", True, 0.0), ("value", True, 50.0)).filter(pl.col("reason") != missing)
    assert adapted(Share(0.1), found, STEADY, POLICY) == Share(0.1)


def test_scores_that_moved_bring_the_share_up_by_as_far_as_they_moved():
    alike = results(("exploration", True, 50.0), ("value", True, 50.0))
    assert adapted(Share(0.1), alike, STEADY, POLICY).value == pytest.approx(0.1)
    # A quarter of the second half lies beyond the first: the distance is 0.25, and as much of the share is dealt out.
    moved = np.concatenate([np.full(200, 0.3), np.full(150, 0.3), np.full(50, 0.9)])
    assert adapted(Share(0.1), alike, moved, POLICY).value == pytest.approx(0.75 * 0.1 + 0.25 / 2)
    # In whichever order within a half; a middle row that has no half counts with the second.
    assert adapted(Share(0.1), alike, moved[::-1], POLICY).value == pytest.approx(0.75 * 0.1 + 0.25 / 2)


@pytest.mark.parametrize("score", [[], [0.4], [0.1, 0.9], [0.1, 0.2, 0.8, 0.9]])
def test_what_chance_may_explain_is_no_drift(score):
    alike = results(("exploration", True, 50.0), ("value", True, 50.0))
    assert adapted(Share(0.1), alike, np.array(score), POLICY).value == pytest.approx(0.1)


def test_how_much_chance_may_explain_is_the_policys_confidence():
    alike = results(("exploration", True, 50.0), ("value", True, 50.0))
    # Eight rows: no two halves lie further apart, which one order in thirty-five does by chance.
    score = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
    for confidence, expected in ((0.95, POLICY.exploration.max_share), (0.98, 0.1)):
        evaluation = POLICY.evaluation.model_copy(update={"confidence": confidence})
        ours = POLICY.model_copy(update={"evaluation": evaluation})
        assert adapted(Share(0.1), alike, score, ours).value == pytest.approx(expected)


def test_what_chance_explains_just_as_often_as_the_policy_allows_is_no_drift():
    alike = results(("exploration", True, 50.0), ("value", True, 50.0))
    evaluation = POLICY.evaluation.model_copy(update={"confidence": 0.0})
    ours = POLICY.model_copy(update={"evaluation": evaluation})
    # Two rows always lie apart, so chance explains any distance of theirs.
    assert adapted(Share(0.1), alike, np.array([0.1, 0.9]), ours).value == pytest.approx(0.1)


def day(rows: int, seed: int) -> pl.DataFrame:
    importer, heading = (pl.Series([f"{name}{row % 7}" for row in range(rows)]) for name in "ih")
    return dataset(rows, seed=seed, days=1).with_columns(
        importer_id=importer, hs4=heading, accepted_on=pl.col("accepted_at").dt.date()
    )


@pytest.fixture(scope="module")
def model():
    return train(dataset(), dataset(400, seed=2), FEATURES, TRAINING, POLICY.targeting)


@pytest.fixture(scope="module")
def known() -> pl.DataFrame:
    return day(300, seed=4)


def explored(model, known, share, rows):
    """Chances to be explored, which `assign` is asked for."""
    exploring = Exploring.of(Share(share), model, known)
    selector = Selector(POLICY, model, exploring)
    frame = rows.select(*KEY, "office", "accepted_on").with_columns(
        model.predict(rows).select("score", "revenue_if_illicit")
    )
    return selector._explore(frame, exploring.rarity(model, rows, model.encoder.encode(rows)), exploring.share)


def test_every_office_explores_with_its_share_of_its_places(model, known):
    rows = day(120, seed=5).with_columns(accepted_on=pl.Series([date(2024, 4, 1 + row % 2) for row in range(120)]))
    chances = rows.with_columns(explore=explored(model, known, 0.3, rows))
    queues = chances.group_by("office", "accepted_on").agg(pl.len(), pl.col("explore").sum())
    assert queues.height == 6
    for size, asked in queues.select("len", "explore").iter_rows():
        assert asked == pytest.approx(0.3 * 0.1 * size)  # of a tenth of the day's declarations
    assert chances["explore"].min() > 0


def test_codes_that_were_never_seen_are_rare(model, known):
    rows = day(40, seed=6)
    exploring = Exploring.of(Share(0.1), model, known)
    usual = exploring.rarity(model, rows, model.encoder.encode(rows))
    new = rows.with_columns(importer_id=pl.lit("new"))
    newer = new.with_columns(hs4=pl.lit("new"), origin_country=pl.lit("ZZ"))
    columns = exploring.leaves.shape[1]
    assert columns == model.illicit.num_trees() + 3
    assert exploring.leaves.shape[0] == known.height
    # An importer that was never inspected counts as 1, of so many columns.
    counts = known["importer_id"].value_counts()
    seen = rows.join(counts, on="importer_id", how="left", maintain_order="left")["count"].to_numpy()
    np.testing.assert_allclose(
        exploring.rarity(model, new, model.encoder.encode(new)) - usual, (1 - 1 / np.sqrt(1 + seen)) / columns
    )
    assert (
        exploring.rarity(model, newer, model.encoder.encode(newer))
        > exploring.rarity(model, new, model.encoder.encode(new))
    ).all()


def test_what_is_chosen_comes_with_what_the_model_says(model, known):
    rows = day(60, seed=7)
    selector = Selector(POLICY, model, Exploring.of(Share(0.5), model, known))
    chosen = selector.choose(rows, np.random.default_rng(1))
    assert chosen.columns == [*KEY, "lane", "reason", "selection_probability", "criterion", *OUTPUTS]
    assert chosen.select(*KEY, *OUTPUTS).equals(model.predict(rows))
    assert "exploration" in set(chosen["reason"])
    alone = Selector(POLICY, model).choose(rows, np.random.default_rng(1))
    assert "exploration" not in set(alone["reason"])


def test_what_criteria_gave_stands_beside_what_the_rest_is_chosen_by(model, known):
    own = POLICY.targeting.model_copy(update={"offices": {"010": policy.Capacity(red=3, yellow=2, blue=2)}})
    rows = day(30, seed=7).with_columns(office=pl.lit("010"))
    selector = Selector(POLICY.model_copy(update={"targeting": own}), model, Exploring.of(Share(0.3), model, known))
    met = [(criterion(places=2, lane="yellow"),) if number in (3, 12, 25) else () for number in range(30)]
    chosen = selector.choose(rows, np.random.default_rng(1), met)
    assert chosen.select(*KEY, *OUTPUTS).equals(model.predict(rows))
    placed = chosen.filter(reason="criterion")
    assert placed["criterion"].to_list() == ["watched"] * 2
    assert set(placed["selection_probability"]) == {1.0}
    assert chosen["criterion"].null_count() == 28
    counts = dict(chosen["lane"].value_counts().iter_rows())
    assert [counts.get(lane, 0) for lane in ("red", "yellow", "blue")] == [3, 2, 2]
    used = {("010", "watched"): 2}
    assert selector.choose(rows, np.random.default_rng(1), met, used).filter(reason="criterion").is_empty()


def test_a_day_of_which_criteria_give_everything_leaves_nothing_to_choose(model, known):
    own = POLICY.targeting.model_copy(update={"offices": {"010": policy.Capacity(red=3, yellow=2, blue=2)}})
    rows = day(1, seed=7).with_columns(office=pl.lit("010"))
    selector = Selector(POLICY.model_copy(update={"targeting": own}), model, Exploring.of(Share(0.3), model, known))
    chosen = selector.choose(rows, np.random.default_rng(1), [(criterion(),)])
    assert chosen.select("lane", "reason", "criterion").rows() == [("red", "criterion", "watched")]
    assert chosen.columns == [*KEY, "lane", "reason", "selection_probability", "criterion", *OUTPUTS]


def test_the_next_share_rests_on_what_this_one_had_not_learned(model, known):
    fresh = day(4, seed=8).with_columns(
        reason=pl.Series(["exploration", "value", "exploration", "value"]),
        is_illicit=pl.Series([True, True, False, False]),
        recovered_revenue=pl.Series([60.0, 120.0, 0.0, 0.0]),
    )
    before = known.with_columns(reason=pl.lit("exploration"), is_illicit=pl.lit(True), recovered_revenue=1e9)
    everything = pl.concat([before, fresh], how="diagonal")
    selector = Selector(POLICY, model, Exploring.of(Share(0.1), model, known))
    recent = pl.concat([day(1, seed=9)] * 50)
    worth = (60 + model.hit_value) / (120 + model.hit_value)
    assert odds(selector.next_share(everything, recent)) == pytest.approx(np.exp(RATE * (worth - 1)) / 9)
    assert Selector(POLICY, model).next_share(everything, recent) == Share(POLICY.exploration.initial_share)
