"""Decisions are made again to the last bit, and what is not as it was is named."""

import hashlib
import json
from collections import Counter
from contextlib import closing
from dataclasses import replace

import msgspec
import polars as pl
import pytest

from models.criteria import InForce
from models.decisions import DecisionLog, Document, Spool
from models.decisions.record import linked
from models.window.deciding import Decider
from models.window.replaying import CannotReplay, replay
from tests.support.criteria import condition, criterion, in_force
from tests.support.opened import SECRET, message

WATCHED = "FR-WATCHED"
RULES = in_force(criterion("watched", condition("importer_id", "in", WATCHED), lane="yellow", places=1))


def ruled(world):
    """Return the ground on which a criterion is in force."""
    return replace(world.ground(), criteria=RULES)


@pytest.fixture(scope="module")
def log(world, tmp_path_factory):
    """Return a log of every declaration of the day, of amended ones, and of some that were decided without a model."""
    folder = tmp_path_factory.mktemp("log")
    count = world.declared["declaration_id"].n_unique()
    with closing(DecisionLog(f"sqlite:///{folder / 'decisions.db'}")) as log:
        for ground, asked in (
            (world.ground(), [world.asked(place, "fr") for place in range(count - 2)]),
            (world.ground(), [world.asked(place, "zh", item_value=9e5) for place in range(4)]),
            (ruled(world), [world.asked(place, importer_id=WATCHED) for place in range(4, 10)]),
            (world.profile(), [world.asked(place) for place in (count - 2, count - 1)]),
        ):
            decider = Decider(log, Spool(folder / "spool.jsonl"), lambda ground=ground: ground, pytest.fail)
            decider.start()
            for each in asked:
                content = message(each.rows)
                named = replace(each, message=hashlib.sha256(content).hexdigest())
                decider.ask([named], {named.message: Document("application/json", content)}).result(timeout=30)
            decider.stop()
        yield log


def again(log, world, decision, morning=None, model=None):
    return replay(
        log,
        decision.decision_id,
        lambda day: SECRET,
        model or (lambda version: world.champion),
        morning or (lambda _: None),
    )


def test_every_decision_is_made_again_from_what_is_stored(world, log):
    decisions = list(log.of_day(world.day))
    assert {each.version for each in decisions} == {1, 2}
    assert {bool(each.unscored) for each in decisions} == {True, False}
    for decision in decisions:
        found = again(log, world, decision)
        assert found.differences == ()
        assert found.notes[0].startswith("features are as stored")


def test_what_a_criterion_decided_is_made_again_by_the_criteria_that_were_in_force(world, log):
    ruled = [each for each in log.of_day(world.day) if each.criteria]
    assert {each.criteria for each in ruled} == {RULES.digest}
    assert InForce.from_json(log.document(RULES.digest).content) == RULES
    placed = [item for each in ruled for item in each.items if item.criterion]
    assert placed
    assert {(item.criterion, item.reason, item.probability) for item in placed} == {("watched", "criterion", 1.0)}
    by_office = Counter(each.office for each in ruled for item in each.items if item.criterion)
    assert set(by_office.values()) == {1}
    assert len(placed) < sum(len(each.items) for each in ruled)  # there are offices whose place was used up


def test_a_decision_that_names_other_criteria_comes_out_otherwise(world, log, tmp_path):
    stored = next(each for each in log.of_day(world.day) if any(item.criterion for item in each.items))
    other = in_force(criterion("another", condition("importer_id", "in", WATCHED), lane="blue"))
    forged = msgspec.structs.replace(stored, criteria=other.digest)
    names = (forged.message, forged.policy_digest, forged.feature_names, *(item.plan for item in forged.items))
    versions = log.versions(stored.declaration_id)[: stored.version - 1]
    for documents, told in (
        ({other.digest: Document("application/json", other.as_json())}, {"items", "after"}),
        ({}, None),
    ):
        with closing(DecisionLog(f"sqlite:///{tmp_path / f'{len(documents)}.db'}")) as changed:
            changed.migrate()
            named = {digest: log.document(digest) for digest in names} | documents
            changed.append(list(linked([*versions, forged], 0, "0" * 64)), named)
            if told is None:
                with pytest.raises(CannotReplay, match=f"the log has no document {other.digest}"):
                    again(changed, world, forged)
            else:
                assert set(again(changed, world, forged).differences) >= told


def test_with_the_same_data_the_features_are_made_again_too(world, log):
    morning = world.workspace.morning(world.day)
    for decision in log.of_day(world.day):
        found = again(log, world, decision, morning=lambda each: morning)
        assert (found.differences, found.notes) == ((), ())


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"features": "moved"}, {"items"}),
        ({"language": "en"}, {"items"}),
        ({"before": "moved"}, {"items", "after"}),
        ({"content": "f" * 64}, {"content", "what the message declares"}),
        ({"key": "f" * 64}, {"key"}),
    ],
)
def test_what_was_not_decided_so_is_named(world, log, tmp_path, changed, named):
    stored = next(log.of_day(world.day))
    if "features" in changed:
        values = [[each / 2 + 3 if isinstance(each, float) else each for each in row] for row in stored.features]
        changed = {"features": tuple(map(tuple, values))}
    if "before" in changed:
        state = json.loads(stored.before)
        changed = {"before": json.dumps({**state, "sequence": 7}, separators=(",", ":"))}
    forged = msgspec.structs.replace(stored, **changed)
    with closing(DecisionLog(f"sqlite:///{tmp_path / 'other.db'}")) as other:
        other.migrate()
        digests = (forged.message, forged.policy_digest, forged.feature_names, *(item.plan for item in forged.items))
        other.append(list(linked([forged], 0, "0" * 64)), {digest: log.document(digest) for digest in digests})
        found = again(other, world, forged)
    assert set(found.differences) >= named


def test_what_is_missing_is_named(world, log):
    with pytest.raises(CannotReplay, match="there is no decision 'nothing'"):
        replay(log, "nothing", lambda day: SECRET, lambda version: world.champion, lambda _: None)
    decision = next(log.of_day(world.day))
    other = msgspec.structs.replace(decision)
    assert other == decision
    with pytest.raises(CannotReplay, match="version 3 has another model than the one that was asked"):
        again(log, world, decision, model=lambda version: _Other())


class _Other:
    class model:  # noqa: N801
        digest = "f" * 64


def test_another_secret_gives_other_draws(world, log):
    decision = next(log.of_day(world.day))
    found = replay(log, decision.decision_id, lambda day: bytes(32), lambda version: world.champion, lambda _: None)
    assert "items" in found.differences
    assert pl.Series(found.differences).is_duplicated().sum() == 0
