"""A version in force scores today's rows, or says which feature it misses; the new one is rehearsed beside it."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.contract import KEY
from models import policy
from models.dossier import Incumbent, assessment
from models.dossier.assessment import PLOTS, Measured, detect, rehearse
from models.metrics import Scores
from models.policy import Policy
from models.risk.risk_model import RiskModel
from models.training import train
from models.training.splits import Split, split_by_time
from tests.support import datasets, looks
from tests.support.candidates import FEATURES, labelled

UNUSED: Any = None


def in_force(model: RiskModel, signed: Policy | None = None, source: str = "simulator") -> Incumbent:
    return Incumbent("3", "champion", source, UNUSED, model, UNUSED, signed or policy.load())


@pytest.fixture(scope="module")
def champion() -> Incumbent:
    settings = policy.load().training.model_copy(update={"max_rounds": 5})
    model = train(labelled(600, 1), labelled(300, 2), FEATURES, settings, policy.load().targeting)
    return in_force(model)


def test_it_scores_every_row_in_order(champion: Incumbent) -> None:
    rows = labelled(50, 3)
    assert champion.scores(rows).score.tolist() == champion.model.predict(rows)["score"].to_list()


def test_a_feature_that_is_no_longer_computed_is_named(champion: Incumbent) -> None:
    sentence = r"^champion version 3 cannot score the feature matrix: feature column 'item_value' is not in the frame"
    with pytest.raises(ValueError, match=sentence):
        champion.scores(labelled(50, 3).drop("item_value"))


@pytest.fixture(scope="module")
def parts() -> Split:
    return split_by_time(datasets.dataset(), datasets.TRAINING, 7)


@pytest.fixture(scope="module")
def model(parts: Split) -> RiskModel:
    return learned(parts, parts.before_test)


def learned(parts: Split, final: pl.DataFrame) -> RiskModel:
    training = datasets.TRAINING
    return train(parts.train, parts.validation, datasets.FEATURES, training, datasets.TARGETING, final_frame=final)


def rehearsed(model: RiskModel, parts: Split, champion: Incumbent | None, folder: Path) -> Any:
    (folder / PLOTS).mkdir()
    everything = datasets.dataset().with_columns(importer_hit_rate_365d=0.1, hs6_hit_rate_365d=0.1)
    return rehearse(model, parts, everything, champion, "simulator", pl.DataFrame(), policy.load(), folder)


def test_the_challenger_is_rehearsed_beside_the_champion(parts: Split, model: RiskModel, tmp_path: Path) -> None:
    before = learned(parts, parts.train)
    found = rehearsed(model, parts, in_force(before), tmp_path)
    assert found.against.name == "champion version 3"
    assert (found.first_day, found.last_day) == parts.windows["test"]
    assert 0 < found.in_common < 1
    assert found.reasons.rows > 100
    assert found.reasons.overlap.value > 0
    assert (tmp_path / PLOTS / "loads.png").read_bytes().startswith(b"\x89PNG")


def test_the_champion_is_rehearsed_by_the_policy_that_was_signed_with_it(
    parts: Split, model: RiskModel, tmp_path: Path
) -> None:
    ours = policy.load()
    none = policy.Capacity(red=0, yellow=0, blue=0)
    offices = dict.fromkeys(datasets.dataset()["office"].unique(), none.model_copy(update={"red": 1}))
    signed = ours.model_copy(update={"targeting": ours.targeting.model_copy(update={"offices": offices})})
    before = learned(parts, parts.train)
    found = rehearsed(model, parts, in_force(before, signed), tmp_path)
    (tmp_path / "same").mkdir()
    same = rehearsed(model, parts, in_force(before), tmp_path / "same")
    assert found.challenger == same.challenger
    assert found.against.inspections != pytest.approx(same.against.inspections)


def test_a_champion_of_another_source_gives_way_to_the_rule_of_today(
    parts: Split, model: RiskModel, tmp_path: Path
) -> None:
    found = rehearsed(model, parts, in_force(model, source="kcs"), tmp_path)
    assert found.against.name == "the risk profile"
    assert found.reasons is None


def test_days_that_the_champion_knows_are_no_rehearsal(parts: Split, model: RiskModel, tmp_path: Path) -> None:
    knows_all = learned(parts, pl.concat([parts.before_test, parts.test]))
    found = rehearsed(model, parts, in_force(knows_all), tmp_path)
    assert found.why == "no declarations after the last day that both have learned from"


def test_what_is_watched_are_the_latest_days_that_hold_data(
    model: RiskModel, parts: Split, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[pl.DataFrame] = []
    monkeypatch.setattr(assessment.drift, "check", lambda _reference, current, *_rest: seen.append(current))
    rows = datasets.dataset()
    mistyped = rows.tail(1).with_columns(
        declaration_id=pl.lit("S"), accepted_at=pl.lit(datetime(2062, 3, 25, 8)).cast(pl.Datetime("us"))
    )
    for dataset in (rows, pl.concat([rows, mistyped])):
        assessment.watch(dataset, model, UNUSED, policy.load(), tmp_path / "drift.html")
    assert seen[0].height > 400
    assert seen[1].equals(seen[0])


def test_a_model_that_has_learned_from_days_that_are_not_stored_here_is_watched_without_them(
    model: RiskModel, parts: Split, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(assessment.drift, "check", lambda reference, *_rest: seen.append(reference))
    learned_from = model.training.parts.final
    later = datasets.dataset().filter(pl.col("accepted_at").dt.date() > learned_from.last_day)
    assessment.watch(later, model, UNUSED, policy.load(), tmp_path / "drift.html")
    (reference,) = seen
    assert (reference.rows.height, reference.window.rows) == (0, 0)
    assert (reference.window.since, reference.window.until) == (learned_from.first_day, learned_from.last_day)


def test_what_is_watched_are_as_many_days_as_the_policy_says(
    model: RiskModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[pl.DataFrame] = []
    monkeypatch.setattr(assessment.drift, "check", lambda _reference, current, *_rest: seen.append(current))
    ours = policy.load()
    for window_days in (1, 10):
        bounds = ours.model_copy(update={"drift": ours.drift.model_copy(update={"window_days": window_days})})
        assessment.watch(datasets.dataset(), model, UNUSED, bounds, tmp_path / "drift.html")
    days = [current["accepted_at"].dt.date().unique().sort().to_list() for current in seen]
    assert days[0] == [date(2024, 4, 9)]
    assert days[1] == [date(2024, 3, 31), *(date(2024, 4, day) for day in range(1, 10))]


def test_what_is_illicit_among_the_test_rows_is_told_by_the_lane_of_their_inspection(parts: Split) -> None:
    scores = Scores(np.full(parts.test.height, 0.2))
    measured = Measured(UNUSED, {"model": scores}, {})
    lanes = parts.test.head(10).select(*KEY, lane=pl.lit("red"))
    twice = looks.rows([looks.FOUND] * 30 + [looks.MISSED] * 30)
    found = detect(measured, parts, lanes, twice, looks.AT.date() + timedelta(days=1), policy.load())
    everything, red = found.parts[:2]
    hits = int(parts.test["is_illicit"].sum())
    assert (everything.rows, red.rows, everything.score) == (parts.test.height, 10, pytest.approx(0.2))
    assert everything.found.value == pytest.approx(hits / parts.test.height)
    assert everything.illicit.value == pytest.approx(2 * hits / parts.test.height)
    assert detect(measured, parts, lanes, twice, looks.AT.date(), policy.load()).all.illicit.value is None
