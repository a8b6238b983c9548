"""One decision, on a ground where chance alone decides: what it goes by, and what an amendment keeps."""

from dataclasses import replace
from datetime import UTC, datetime

import polars as pl

from models import policy
from models.live import State, chance
from models.window.answering import Asked, decide
from models.window.ground import Ground
from models.window.making import NOTHING_PAST
from tests.support import messages

SECRET = bytes(range(32))
AT = datetime(2024, 3, 1, 9, 30, 7)
GROUND = Ground(AT.date(), policy.load(), SECRET, NOTHING_PAST, unscored="nothing is known")
PLAN = GROUND.plan("GB000060")


def asked(*items, message="0" * 64, **changed):
    rows = messages.rows(messages.declaration(*items, **changed)).with_columns(accepted_at=pl.lit(AT))
    return Asked(rows, message, "system", "en", AT.replace(tzinfo=UTC))


def decided(what, state=None, last=None, drawn=None, ground=GROUND):
    judged = ground.judged(what.rows, "en")
    state = replace(state or State.morning(PLAN), plan=ground.plan("GB000060").digest)  # as deciding.py does
    return decide(ground, what, judged, state, last, drawn, {PLAN.digest: PLAN}.__getitem__)


def test_a_first_decision_goes_by_the_plan_and_by_numbers_of_its_own():
    found, after = decided(asked({}, {}))
    assert (found.version, found.key) == (1, chance.chance_key("LRN-7", "IM1", "BL-99"))
    assert found.decision_id.startswith("20240301-")
    assert [item.candidate.second for item in found.items] == [9 * 3600 + 30 * 60 + 7] * 2
    assert [item.draws for item in found.items] == [chance.draws(SECRET, found.key, number) for number in (1, 2)]
    assert [State.from_json(item.came.encode()).sequence for item in found.items] == [0, 1]
    assert after.sequence == 2
    assert (found.before, found.after) == (State.morning(PLAN).as_json().decode(), after.as_json().decode())
    assert [(item.score, item.priority, item.reasons) for item in found.items] == [(None, None, ())] * 2


def test_an_amendment_keeps_key_numbers_and_plan_and_a_new_item_gets_its_own():
    first, state = decided(asked({}))
    later = replace(GROUND, secret=bytes(32), _plans={})
    second, after = decided(asked({"item_value": 9.0}, {}, importer_id="IM2"), state, last=first, ground=later)
    assert (second.version, second.key) == (2, first.key)
    assert second.decision_id != first.decision_id
    kept, new = second.items
    assert (kept.draws, kept.plan, kept.came) == (first.items[0].draws, PLAN.digest, first.items[0].came)
    assert new.draws == chance.draws(bytes(32), first.key, 2)
    assert (new.plan, State.from_json(new.came.encode()).sequence) == (later.plan("GB000060").digest, 1)
    assert after.sequence == 2
    third, _ = decided(asked({"item_value": 7.0}), after, last=second)
    assert third.version == 3


def test_what_was_drawn_for_the_same_goods_is_drawn_again_on_another_day():
    first, state = decided(asked({}))
    later = replace(GROUND, secret=bytes(32), _plans={})
    again, _ = decided(asked({}, {}, declaration_id="AGAIN"), state, drawn=first, ground=later)
    assert (again.version, again.key) == (1, first.key)
    assert [item.draws for item in again.items] == [
        first.items[0].draws,
        chance.draws(bytes(32), first.key, 2),
    ]


def test_the_same_declaration_is_the_same_whenever_it_comes():
    one = asked({})
    later = replace(one, rows=one.rows.with_columns(pl.col("accepted_at").dt.offset_by("1h")))
    assert one.content == later.content != asked({"net_mass_kg": 1.0}).content
    assert (one.office, one.day, one.declaration_id) == ("GB000060", AT.date(), "LRN-7")
