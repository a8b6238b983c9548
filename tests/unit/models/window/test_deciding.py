import json
import sqlite3
import time
from contextlib import closing, contextmanager
from dataclasses import replace

import polars as pl
import pytest

from models.decisions import DecisionLog, Document, Spool, Unavailable
from models.live import Plan, State, chance
from models.window import deciding as deciding_module
from models.window.deciding import Decider, NotDecided, NotYours


@pytest.fixture(scope="module")
def ground(world):
    return world.ground()


@pytest.fixture
def log(tmp_path):
    log = DecisionLog(f"sqlite:///{tmp_path / 'decisions.db'}", wait_s=0.1)
    yield log
    log.close()


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool.jsonl")


@contextmanager
def deciding(log, spool, ground, fallback=None):
    decider = Decider(log, spool, lambda: ground, fallback or (lambda why: pytest.fail(why)))
    decider.start()
    try:
        yield decider
    finally:
        decider.stop()


def decided(decider, *asked):
    documents = {each.message: Document("application/json", each.message.encode()) for each in asked}
    return decider.ask(asked, documents).result(timeout=30)


def test_a_declaration_gets_a_decision_that_is_kept_with_all_it_was_made_from(world, ground, log, spool):
    with deciding(log, spool, ground) as decider:
        (found,) = decided(decider, world.asked(0))
    assert log.decision(found.decision_id) == found
    assert log.document(found.message).content == found.message.encode()
    assert log.document(found.feature_names) is not None
    assert Plan.from_json(log.document(found.items[0].plan).content) == ground.plan(found.office)
    assert (found.model_version, found.model_digest) == ("3", world.champion.model.digest)
    assert found.morning == ground.morning.digest
    assert found.items[0].score == pytest.approx(
        world.champion.model.predict(ground.morning.features(world.asked(0).rows))["score"][0], abs=0
    )
    assert len(found.items[0].reasons) == 3
    assert log.verify().number == 1


def test_the_same_again_gets_the_same_answer_also_from_another_process(world, ground, log, spool):
    with deciding(log, spool, ground) as decider:
        first = decided(decider, world.asked(0), world.asked(1))
        assert decided(decider, replace(world.asked(1), caller="other", message="f" * 64)) == first[1:]
    with deciding(log, spool, ground) as again:
        assert decided(again, world.asked(0), world.asked(1)) == first
    assert log.head().number == 2


def test_places_are_used_up_in_the_order_of_asking_and_a_new_process_goes_on_from_there(world, ground, log, spool):
    count = world.declared["declaration_id"].n_unique()
    with deciding(log, spool, ground) as decider:
        for place in range(count // 2):
            decided(decider, world.asked(place))
    with deciding(log, spool, ground) as decider:
        decided(decider, *map(world.asked, range(count // 2, count)))
    with closing(DecisionLog(str(log._tables._engine.url))) as whole:
        found = list(whole.of_day(world.day))
    assert len(found) == count
    by_office = {}
    for decision in found:
        expected = by_office.get(decision.office) or State.morning(ground.plan(decision.office))
        assert decision.before == expected.as_json().decode()
        by_office[decision.office] = State.from_json(decision.after.encode())
    lanes = pl.DataFrame(
        [(decision.office, item.lane) for decision in found for item in decision.items],
        ["office", "lane"],
        orient="row",
    )
    assert set(lanes["lane"]) > {"green", "red"}
    given = lanes.filter(pl.col("lane") == "red").group_by("office").len()
    assert given["len"].max() <= 2


def test_one_batch_decides_as_one_after_another(world, ground, tmp_path):
    count = world.declared["declaration_id"].n_unique()
    results = []
    for name, sizes in (("single", [1] * count), ("whole", [count])):
        with closing(DecisionLog(f"sqlite:///{tmp_path / name}.db")) as log:
            places = iter(range(count))
            with deciding(log, Spool(tmp_path / f"{name}.jsonl"), ground) as decider:
                results.append(
                    [
                        each
                        for size in sizes
                        for each in decided(decider, *(world.asked(next(places)) for _ in range(size)))
                    ]
                )
    assert results[0] == results[1]


def test_an_amended_declaration_is_a_new_version_whose_lane_never_falls(world, ground, log, spool):
    with deciding(log, spool, ground) as decider:
        first = [decided(decider, world.asked(place))[0] for place in range(10)]
        second = [decided(decider, world.asked(place, item_value=1.0, net_mass_kg=0.5))[0] for place in range(10)]
        third = [decided(decider, world.asked(place, item_value=9e6))[0] for place in range(10)]
    order = ("red", "yellow", "blue", "green")
    for one, two, three in zip(first, second, third, strict=True):
        assert (one.version, two.version, three.version) == (1, 2, 3)
        assert one.key == two.key == three.key
        for before, after in ((one, two), (two, three)):
            for item, amended in zip(before.items, after.items, strict=True):
                assert order.index(amended.lane) <= order.index(item.lane)
                assert amended.probability >= item.probability
                assert (amended.draws, amended.came, amended.plan) == (item.draws, item.came, item.plan)
    assert any(one.lane != three.lane for one, three in zip(first, third, strict=True))


def test_the_same_goods_lodged_again_under_another_id_have_the_same_chances_on_whichever_day(world, ground, log, spool):
    paper = {"transport_document_id": "MAEU-17"}
    with deciding(log, spool, ground) as decider:
        (first,) = decided(decider, world.asked(0, **paper))
        (again,) = decided(decider, world.asked(0, declaration_id="AGAIN", **paper))
        (other,) = decided(decider, world.asked(1, **paper))
    with deciding(log, spool, replace(ground, secret=bytes(32), _plans={})) as decider:
        (later,) = decided(decider, world.asked(0, declaration_id="LATER", **paper))
        (fresh,) = decided(decider, world.asked(2))
    assert first.key == again.key == later.key != other.key
    assert first.items[0].draws == again.items[0].draws == later.items[0].draws
    assert fresh.items[0].draws == chance.draws(bytes(32), fresh.key, 1)
    assert first.items[0].draws != other.items[0].draws


def test_a_declaration_asked_about_twice_at_once_is_decided_once(world, ground, log, spool):
    with deciding(log, spool, ground) as decider:
        waiting = [decider.ask([world.asked(0)], {}) for _ in range(8)]
        found = {each.result(timeout=30).pop().decision_id for each in waiting}
    assert len(found) == log.head().number == 1


def test_what_the_database_cannot_take_waits_in_the_spool_and_goes_there_later(world, ground, log, spool, tmp_path):
    with deciding(log, spool, ground) as decider:
        (first,) = decided(decider, world.asked(0))
        with closing(sqlite3.connect(tmp_path / "decisions.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            away = [decided(decider, world.asked(place))[0] for place in (1, 2)]
            assert decided(decider, world.asked(1)) == away[:1]
            assert len(spool.file.read_bytes().splitlines()) == 2
            other.execute("ROLLBACK")
        (last,) = decided(decider, world.asked(3))
    assert spool.is_empty
    assert list(log.of_day(world.day)) == [first, *away, last]
    assert log.verify().number == 4


def test_without_database_and_spool_nobody_is_answered_and_nothing_has_happened(
    world, ground, log, spool, tmp_path, monkeypatch
):
    with deciding(log, spool, ground) as decider:
        decided(decider, world.asked(0))
        with closing(sqlite3.connect(tmp_path / "decisions.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with monkeypatch.context() as full:
                full.setattr(Spool, "append", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
                with pytest.raises(NotDecided, match="No space left"):
                    decided(decider, world.asked(1))
            other.execute("ROLLBACK")
        (found,) = decided(decider, world.asked(1))
    assert found.before == State.morning(ground.plan(found.office)).as_json().decode() or found.office == "?"
    assert log.verify().number == 2


def test_what_may_have_been_kept_is_asked_before_the_next_decision(world, ground, log, spool, monkeypatch):
    append = DecisionLog.append

    def kept_and_lost(self, links, documents):
        append(self, links, documents)
        raise Unavailable("the connection broke")

    def full(*_):
        raise OSError(28, "No space left on device")

    with deciding(log, spool, ground) as decider:
        decided(decider, world.asked(0))
        with monkeypatch.context() as broken:
            broken.setattr(DecisionLog, "append", kept_and_lost)
            broken.setattr(Spool, "append", full)
            with pytest.raises(NotDecided, match="No space left"):
                decided(decider, world.asked(1))
        (again,) = decided(decider, world.asked(1))
        (next_one,) = decided(decider, world.asked(2))
    assert [each.declaration_id for each in log.of_day(world.day)][1:] == [
        again.declaration_id,
        next_one.declaration_id,
    ]
    assert log.verify().number == 3


def test_a_model_that_fails_gives_way_to_the_profile_and_the_decision_says_why(world, ground, log, spool, monkeypatch):
    told = []

    def fallback(why):
        told.append(why)
        return world.profile(why)

    monkeypatch.setattr(type(world.champion.model), "predict", lambda *_: 1 / 0)
    with deciding(log, spool, ground, fallback) as decider:
        (found,) = decided(decider, world.asked(0))
    assert told == [found.unscored] == ["the model failed: ZeroDivisionError: division by zero"]
    assert (found.model_version, found.items[0].score, found.items[0].reasons) == ("", None, ())
    assert 0 < found.items[0].probability <= 1


def test_a_declaration_at_which_the_model_fails_spoils_no_other_answer(world, ground, log, spool, monkeypatch):
    predict = type(world.champion.model).predict
    bad = {world.asked(1).declaration_id, "S3"}

    def failing(self, frame, matrix):
        if bad & set(frame["declaration_id"]):
            raise ArithmeticError("no number")
        return predict(self, frame, matrix)

    monkeypatch.setattr(type(world.champion.model), "predict", failing)
    with deciding(log, spool, ground, world.profile) as decider:
        found = decided(decider, *map(world.asked, range(3)))
    assert [each.unscored for each in found] == ["", "the model failed: ArithmeticError: no number", ""]
    assert [each.items[0].score is None for each in found] == [False, True, False]
    same = [world.asked(place, office=world.asked(0).office, declaration_id=f"S{place}") for place in (3, 4)]
    with deciding(log, spool, ground, world.profile) as decider:
        first, second = decided(decider, *same)
    assert (bool(first.unscored), bool(second.unscored)) == (True, False)
    before, after = json.loads(second.before), json.loads(first.after)
    assert before == {**after, "plan": ground.plan(second.office).digest} != after


def test_who_gives_up_waiting_leaves_no_trace_and_the_decision_stands(world, ground, log, spool, monkeypatch):
    monkeypatch.setattr(deciding_module, "MOST_WAITING", 1)
    decider = Decider(log, spool, lambda: ground, pytest.fail)
    gone = decider.ask([world.asked(0)], {})
    assert not gone.cancel()
    decider.start()
    (first,) = gone.result(timeout=30)
    (again,) = decided(decider, world.asked(1))
    decider.stop()
    assert [each.declaration_id for each in log.of_day(world.day)] == [first.declaration_id, again.declaration_id]


def test_who_waits_for_too_long_is_told_so_and_too_many_are_not_taken_in(world, ground, log, spool, monkeypatch):
    began = time.monotonic() - deciding_module.LATEST_S  # when the request came in, and not when it was read
    with deciding(log, spool, ground) as decider, pytest.raises(NotDecided, match="took too long"):
        decider.ask([world.asked(0)], {}, began).result(timeout=30)
    rows = [world.asked(place).rows.height for place in range(2)]
    monkeypatch.setattr(deciding_module, "MOST_WAITING", sum(rows))
    decider = Decider(log, spool, lambda: ground, pytest.fail)
    for place in range(2):
        decider.ask([world.asked(place)], {})
    with pytest.raises(NotDecided, match=f"{sum(rows)} items are waiting"):
        decider.ask([world.asked(2)], {})


def test_who_speaks_of_its_own_alone_amends_nothing_of_another_and_spoils_no_other_answer(world, ground, log, spool):
    own, other = (replace(world.asked(place, item_value=1.0), caller="broker", is_own_alone=True) for place in (1, 0))
    with deciding(log, spool, ground) as decider:
        decided(decider, world.asked(0))
        assert [decided(decider, each)[0].version for each in (own, replace(own, rows=world.asked(1).rows))] == [1, 2]
        with pytest.raises(NotYours, match=other.declaration_id):
            decided(decider, world.asked(2), other)
        assert decided(decider, world.asked(0, item_value=1.0))[0].version == 2
    assert log.head().number == 4


def test_after_midnight_a_declaration_of_the_day_before_is_asked_about_again(world, ground, log, spool):
    late = world.asked(0)
    yesterday = replace(late, rows=late.rows.with_columns(pl.col("accepted_at").dt.offset_by("-1d")))
    with deciding(log, spool, ground) as decider, pytest.raises(NotDecided, match="the day has turned to"):
        decided(decider, yesterday)
