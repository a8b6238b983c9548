"""The ground in force: which one stands when, and that nobody is left without an answer or without being told why."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime, time, timedelta
from threading import Event
from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError

from models.criteria import Register, Step
from models.decisions import DecisionLog, Spool
from models.decisions.record import FIRST_HASH, linked
from models.ledger import LedgerError, storage
from models.live import State
from models.window import keeping
from models.window.answering import decide
from models.window.deciding import NotDecided
from models.window.keeping import Keeper
from models.window.secrets import Secrets
from tests.support.criteria import criterion


@pytest.fixture
def log(tmp_path):
    with closing(DecisionLog(f"sqlite:///{tmp_path / 'decisions.db'}", wait_s=0.1)) as log:
        log.migrate()
        yield log


@pytest.fixture(scope="module")
def known(world):
    """What is known of the world before a day, made once for all tests."""
    made, make = {}, keeping.Workspace.morning

    def morning(workspace, day):
        if day not in made:
            made[day] = make(world.workspace, day)
        return made[day]

    return SimpleNamespace(morning=morning, features=lambda workspace: world.built)


@pytest.fixture
def registry(world, known, monkeypatch):
    """What the ledger and the registry say; tests change it."""
    monkeypatch.setattr(keeping.Workspace, "morning", known.morning)
    monkeypatch.setattr(keeping.Workspace, "features", known.features)
    says = SimpleNamespace(criteria=Register(), champion=3, challenger=None, incumbent=world.champion, shadow=None)
    monkeypatch.setattr(keeping.Keys, "exist", lambda self: True)
    monkeypatch.setattr(keeping.reading, "signed_book", lambda *_: says)
    registry = SimpleNamespace(challenger_number=lambda: says.challenger)
    monkeypatch.setattr(keeping.incumbents, "registry_of", lambda places: registry)
    monkeypatch.setattr(keeping.incumbents, "champion", lambda places, scratch: says.incumbent)
    monkeypatch.setattr(keeping.incumbents, "challenger", lambda places, scratch, tell: says.shadow)
    return says


@pytest.fixture
def keeper(world, log, tmp_path, monkeypatch):
    """Return a keeper at noon of the world's last day; `told` has its alarm's sentences, `clock[0]` is its clock.

    `handed_over` has what it was to write of findings. The collector is left alone: its heap is that of all tests.
    """
    monkeypatch.setattr(keeping, "_spare_collector", lambda: None)
    clock, told, handed_over = [datetime.combine(world.day, time(12))], [], []
    spool, secrets = Spool(tmp_path / "spool.jsonl"), Secrets(tmp_path / "days")
    places = replace(world.workspace.places, state=tmp_path / "state")
    keeper = Keeper(
        places,
        "simulator",
        log,
        spool,
        secrets,
        lambda: clock[0],
        told.append,
        lambda *given: handed_over.append(given),
    )
    keeper.told, keeper.clock, keeper.handed_over = told, clock, handed_over
    return keeper


def test_a_champion_is_asked_and_nothing_is_made_again_while_nothing_changes(keeper, registry, world):
    with pytest.raises(NotDecided, match="the window is starting"):
        keeper.ground()
    keeper.look()
    ground = keeper.ground()
    assert (ground.champion, ground.unscored, ground.day) == (world.champion, "", world.day)
    assert ground.policy == world.champion.policy
    assert ground.past.height > 50
    keeper.look()
    assert keeper.ground() is ground
    assert keeper.told == []


def test_the_champion_is_asked_where_nothing_was_declared_for_years(keeper, registry, world):
    keeper.clock[0] += timedelta(days=900)
    keeper.look()
    ground = keeper.ground()
    assert (ground.champion, ground.unscored, ground.past.height) == (world.champion, "", 0)
    asked = world.asked(0, accepted_at=keeper.clock[0])
    found, _ = decide(ground, asked, ground.judged(asked.rows, "en"), start(ground, world), None, None, str)
    assert all(0 < item.score < 1 for item in found.items)
    assert keeper.told == []


def test_looks_begin_once_the_log_has_been_read(keeper, monkeypatch):
    has_read, looked = Event(), Event()
    monkeypatch.setattr(keeper, "look", looked.set)
    keeper.start(has_read)
    assert not looked.wait(0.3)
    has_read.set()
    assert looked.wait(10)
    keeper.stop()


def test_another_champion_takes_its_place_on_the_same_morning(keeper, registry, world):
    keeper.look()
    before = keeper.ground()
    registry.champion, registry.incumbent = 4, replace(world.champion, version="4")
    keeper.look()
    after = keeper.ground()
    assert (before.version[0], after.version[0]) == ("3", "4")
    assert after.morning is before.morning
    assert after.secret == before.secret


def confirm(registry, ours):
    for what, who in (("propose", "pia"), ("confirm", "pol")):
        registry.criteria.apply(Step(what, who, storage.now(), ours.digest, "sound", ours, 90))


def test_a_criterion_is_in_force_from_the_look_after_it_was_confirmed_to_that_after_it_was_withdrawn(
    keeper, registry, monkeypatch
):
    keeper.look()
    before = keeper.ground()
    day = keeper.clock[0].date()
    ours = criterion(begins_on=day, ends_on=day)
    confirm(registry, ours)
    keeper.look()
    after = keeper.ground()
    assert (before.criteria.criteria, after.criteria.criteria) == ((), (ours,))
    assert after.past is before.past  # nothing is computed again
    assert after.plan("any") is before.plan("any")
    assert keeper.without_model("it failed").criteria == after.criteria
    keeper.look()
    assert keeper.ground() is after
    with monkeypatch.context() as broke:
        broke.setattr(keeping.reading, "signed_book", lambda *_: fail(LedgerError("row 7 is missing")))
        keeper.look()
        assert keeper.ground().unscored
        assert keeper.ground().criteria.criteria == (ours,)  # as the ledger said when it was whole
    registry.criteria.apply(Step("withdraw", "pia", storage.now(), ours.digest, "nothing found"))
    keeper.look()
    assert keeper.ground().criteria.criteria == ()


def fail(error):
    raise error


def test_no_criterion_outlives_its_last_day_even_if_the_ledger_cannot_be_read(keeper, registry, monkeypatch):
    ours = criterion(begins_on=keeper.clock[0].date(), ends_on=keeper.clock[0].date())
    confirm(registry, ours)
    keeper.look()
    assert keeper.ground().criteria.criteria == (ours,)
    monkeypatch.setattr(keeping.reading, "signed_book", lambda *_: fail(OSError("the database is away")))
    keeper.clock[0] += timedelta(days=1)
    keeper.look()
    assert keeper.ground().criteria.criteria == ()


def test_a_version_that_waits_runs_in_its_shadow(keeper, registry, world):
    registry.challenger, registry.shadow = "5", replace(world.champion, version="5", alias="challenger")
    keeper.look()
    (shadow,) = keeper.ground().shadows
    assert shadow.version == "5"
    judged = keeper.ground().judged(world.asked(0).rows, "en")
    assert judged.shadows == {("5", world.champion.model.digest): [judged.told[0]["score"]]}
    registry.challenger = registry.shadow = None
    keeper.look()
    assert keeper.ground().shadows == ()


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("ledger", "LedgerError: row 7 is missing"),
        ("nobody", "no model is in force"),
        ("other source", "the champion, version 3, is of source kcs"),
        ("evidence", "ValueError: the evidence was altered"),
    ],
)
def test_where_no_model_can_be_asked_the_profile_is_and_somebody_is_told_once(
    keeper, registry, world, monkeypatch, broken, why
):
    keeper.look()
    with monkeypatch.context() as broke:
        registry.champion = 4
        match broken:
            case "ledger":
                broke.setattr(keeping.reading, "signed_book", lambda *_: fail(LedgerError("row 7 is missing")))
            case "nobody":
                registry.incumbent = None
            case "other source":
                registry.incumbent = replace(world.champion, source="kcs")
            case "evidence":
                broke.setattr(keeping.incumbents, "champion", lambda *_: fail(ValueError("the evidence was altered")))
        keeper.look()
        ground = keeper.ground()
        keeper.look()
    assert ground.unscored.startswith(why)
    assert ground.champion is None
    assert ground.morning is not None
    assert ground.policy == world.champion.policy  # as signed, and not the file on the disk
    assert keeper.ground() is ground
    assert len(keeper.told) == 1
    assert keeper.told[0].startswith(why)
    registry.champion, registry.incumbent = 3, world.champion
    keeper.look()
    assert keeper.ground().champion == world.champion


def test_a_model_that_fails_gives_way_on_the_same_day(keeper, registry):
    keeper.look()
    ground = keeper.without_model("the model failed")
    assert (ground.unscored, ground.champion, ground.day) == ("the model failed", None, keeper.clock[0].date())
    assert ground.past.height == keeper.ground().past.height
    assert keeper.told == ["the model failed"]


def test_another_model_that_fails_gives_way_to_the_profile_of_its_own_ground(keeper, registry, world):
    keeper.look()
    first = keeper.without_model("the model failed")
    again = keeper.without_model("it failed again")
    assert again.unscored == "it failed again"
    assert again.morning is first.morning
    targeting = world.champion.policy.targeting.model_copy(update={"offices": {}})
    other = world.champion.policy.model_copy(update={"targeting": targeting})
    registry.champion, registry.incumbent = 4, replace(world.champion, version="4", policy=other)
    keeper.look()
    assert keeper.without_model("the model failed").policy == other


@pytest.mark.parametrize(
    "away", [OSError("no route"), MlflowException("503"), OperationalError("", {}, OSError("gone"))]
)
def test_a_registry_that_does_not_answer_for_a_moment_costs_nobody_the_model(keeper, registry, monkeypatch, away):
    def fail(*_):
        raise away

    clock = [1000.0]
    monkeypatch.setattr(keeping.time, "monotonic", lambda: clock[0])
    keeper.look()
    ground = keeper.ground()
    for _ in range(2):  # another time it is patient anew, and tells of it anew
        keeper.told.clear()
        with monkeypatch.context() as broke:
            broke.setattr(keeping.reading, "signed_book", fail)
            for seconds in (0, keeping.PATIENCE_S - 1):
                clock[0] += seconds
                keeper.look()
                assert keeper.ground() is ground
        assert len(keeper.told) == 1
        assert keeper.told[0].startswith(f"the model in force is asked for 30 more seconds: {type(away).__name__}")
        keeper.look()
        assert keeper.ground() is ground
    monkeypatch.setattr(keeping.reading, "signed_book", fail)
    keeper.look()
    clock[0] += keeping.PATIENCE_S
    keeper.look()
    assert keeper.ground().unscored.startswith(type(away).__name__)
    assert len(keeper.told) == 3


def test_no_ground_of_yesterday_is_kept_while_the_registry_does_not_answer(keeper, registry, monkeypatch):
    keeper.look()

    def fail(*_):
        raise OSError("no route")

    monkeypatch.setattr(keeping.reading, "signed_book", fail)
    keeper.clock[0] += timedelta(days=1)
    keeper.look()
    assert (keeper.ground().unscored, keeper.ground().day) == ("OSError: no route", keeper.clock[0].date())


def test_the_next_days_ground_is_made_in_the_last_hour_and_stands_at_midnight(keeper, registry, world, monkeypatch):
    made = []
    scored = keeping.making.scored
    monkeypatch.setattr(keeping.making, "scored", lambda *args: made.append(args[2].day) or scored(*args))
    tomorrow = world.day + timedelta(days=1)
    keeper.look()
    keeper.clock[0] = datetime.combine(world.day, time(22, 59))
    keeper.look()
    assert made == [world.day]
    keeper.clock[0] += timedelta(minutes=1)
    keeper.look()
    keeper.look()
    assert made == [world.day, tomorrow]
    assert keeper.ground().day == world.day
    assert keeper.log.days()[1][0] == tomorrow  # committed to before its day
    registry.champion, registry.incumbent = 4, replace(world.champion, version="4")
    keeper.look()
    assert made == [world.day, tomorrow] * 2
    keeper.clock[0] += timedelta(hours=1)
    first = keeper.ground()
    assert (first.day, first.version[0], first.unscored) == (tomorrow, "4", "")
    assert first.morning.digest == world.workspace.morning(tomorrow).digest
    keeper.look()
    assert keeper.ground() is first
    assert made == [world.day, tomorrow] * 2


def test_what_cannot_be_made_ahead_is_made_when_its_day_has_come(keeper, registry, world, monkeypatch):
    def fail(workspace, day):
        raise ValueError("not yet")

    keeper.look()
    keeper.clock[0] = datetime.combine(world.day, time(23, 30))
    with monkeypatch.context() as broke:
        broke.setattr(keeping.Workspace, "morning", fail)
        keeper.look()
        keeper.look()
    assert keeper.ground().day == world.day
    assert keeper.told == []
    keeper.clock[0] += timedelta(hours=1)
    assert keeper.ground().day == world.day
    keeper.look()
    assert (keeper.ground().day, keeper.ground().unscored) == (world.day + timedelta(days=1), "")


def test_the_next_day_has_another_secret_and_the_day_before_is_published_and_handed_over_once_it_is_settled(
    keeper, registry, log, world, monkeypatch
):
    keeper.look()
    first = keeper.ground()
    found, _ = decide(
        first, world.asked(0), first.judged(world.asked(0).rows, "en"), start(first, world), None, None, str
    )
    log.append(list(linked([found], 0, FIRST_HASH)), {})
    keeper.end_days()
    keeper.clock[0] += timedelta(days=1)
    keeper.look()
    second = keeper.ground()
    assert second.secret != first.secret
    assert second.day == world.day + timedelta(days=1)
    clock = [0.0]
    monkeypatch.setattr(keeping.time, "monotonic", lambda: clock[0])
    folder = keeper.places.decided_days("simulator")
    for now, is_over in ((1000.0, False), (1000.0 + keeping.SETTLED_S - 1, False), (1000.0 + keeping.SETTLED_S, True)):
        clock[0] = now
        keeper.end_days()
        assert [bool(secret) for _, _, secret in log.days()] == [is_over, False]
        assert len(list(folder.glob("*.parquet"))) == 2 * is_over
        assert keeper.handed_over == [(folder, second.day)] * is_over
    assert log.days()[0][2] == first.secret.hex()


def test_a_day_is_not_handed_over_while_its_decisions_wait_in_the_spool(keeper, registry, log, world, monkeypatch):
    keeper.look()
    keeper.clock[0] += timedelta(days=1)
    keeper.look()
    keeper.end_days()
    monkeypatch.setattr(keeping, "SETTLED_S", 0.0)
    keeper.spool.file.write_text("")
    keeper.end_days()
    assert log.days()[0][2] is None
    keeper.spool.file.unlink()
    keeper.end_days()
    assert log.days()[0][2] is not None


def test_days_that_cannot_be_handed_over_are_an_alarm(keeper, registry, monkeypatch):
    def fail(*given):
        raise OSError("the disk is full")

    keeper.hand_over_findings = fail
    monkeypatch.setattr(keeping, "SETTLED_S", 0.0)
    keeper.look()
    keeper.end_days()
    assert keeper.told == ["days that are over are not handed over: the disk is full"]


def start(ground, world):
    return State.morning(ground.plan(world.asked(0).office))


def test_without_a_secret_that_is_committed_to_nobody_is_decided(keeper, registry, tmp_path):
    with closing(sqlite3.connect(tmp_path / "decisions.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        keeper.look()
        with pytest.raises(NotDecided, match="there is no secret of"):
            keeper.ground()
        other.execute("ROLLBACK")
    keeper.look()
    assert keeper.ground().unscored == ""


def test_where_nothing_is_stored_chance_alone_decides(keeper, registry, monkeypatch, tmp_path):
    keeper.places = replace(keeper.places, data=tmp_path / "nothing")
    keeper.look()
    ground = keeper.ground()
    assert "holds no declarations" in ground.unscored
    assert ground.morning is None
    assert ground.past.is_empty()
