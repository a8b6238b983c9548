"""Who counts as the author of a retraining: only a run that a person started has one."""

from types import SimpleNamespace

import pytest

from flows import retrain
from models.runs.rules import CATCH_UP


@pytest.mark.parametrize(
    ("auto_scheduled", "created_by", "tags", "is_by_hand"),
    [
        (False, None, [], True),
        (False, "USER", ["quarterly"], True),
        (False, None, [CATCH_UP], False),
        (False, "USER", ["quarterly", CATCH_UP], False),
        (True, "SCHEDULE", [], False),
        (False, "AUTOMATION", [], False),
    ],
)
def test_a_run_is_by_hand_unless_a_night_an_automation_or_a_catch_up_began_it(
    monkeypatch, auto_scheduled, created_by, tags, is_by_hand
):
    creator = SimpleNamespace(type=created_by) if created_by else None
    run = SimpleNamespace(auto_scheduled=auto_scheduled, created_by=creator, tags=tags)
    monkeypatch.setattr(retrain.FlowRunContext, "get", lambda: SimpleNamespace(flow_run=run))
    assert retrain._is_by_hand() is is_by_hand


@pytest.mark.parametrize("context", [None, SimpleNamespace(flow_run=None)])
def test_a_run_that_prefect_knows_nothing_of_is_by_hand(monkeypatch, context):
    monkeypatch.setattr(retrain.FlowRunContext, "get", lambda: context)
    assert retrain._is_by_hand()
