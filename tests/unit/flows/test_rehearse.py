"""How a rehearsal makes its world: whether its traders answer, and what people see of it then."""

from contextlib import nullcontext

import pytest

import flows.rehearse
from flows.parameters import RehearseParameters
from flows.rehearse import as_markdown, declarations_of, replay_seed, setting_of
from models.backtesting.result import OF_ANSWERS, summarise
from models.backtesting.strategies import Random
from tests.support.replayed import POLICY, TARGETING

SMALL = RehearseParameters(rows=3000, months=6, warm_up_weeks=22, seed=3)


@pytest.fixture
def by_chance(monkeypatch):
    """Rehearse chance alone, which needs no training, outside of any flow, to which stages would be told."""
    monkeypatch.setattr(flows.rehearse, "stage", lambda _: nullcontext(None))
    monkeypatch.setattr(flows.rehearse, "_strategies", lambda *_: {"random": Random(TARGETING)})


@pytest.mark.parametrize("answers", [False, True])
@pytest.mark.usefixtures("by_chance")
def test_what_traders_moved_is_told_where_they_answer(answers):
    asked = SMALL.model_copy(update={"answers": answers})
    logs, found_before = replay_seed.fn(asked, POLICY, asked.seed)
    assert ("is_moved" in logs["random"].columns) == answers
    of, lanes = declarations_of(asked), TARGETING.lanes
    found = summarise({3: logs}, {3: found_before}, of, setting_of(asked), lanes, [], 0.95, 50)
    assert found.declarations == {"source": "simulator", "preset": "plain", "rows": 3000, "months": 6}
    totals = found.strategy("random").totals
    assert [name in totals for name in OF_ANSWERS] == [answers, answers]
    shown = as_markdown(found)
    assert ("| moved | found of what moved |" in shown) == ("\nMoved: illicit consignments" in shown) == answers
    assert "In brackets: 95 % intervals over the weeks of this one world, which say nothing of another." in shown


def test_declarations_of_kcs_are_named_by_their_files():
    asked = RehearseParameters(source="kcs", input=("a.csv", "b.csv"))
    assert declarations_of(asked) == {"source": "kcs", "input": "a.csv b.csv"}


def test_traders_of_kcs_do_not_answer():
    with pytest.raises(ValueError, match="answers is for source 'simulator' only"):
        RehearseParameters(source="kcs", input=("a.csv",), answers=True)
