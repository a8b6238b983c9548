"""Not judged is not fine: the state says what was not judged, nights are counted, and after so many people hear."""

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from flows import monitor
from flows.host import status
from flows.settings import Settings
from flows.watching import unjudged, watch
from models.monitoring.drift_result import Window

FIRST = date(2026, 3, 1)
FEW = "Quality not judged: 12 outcomes known, 3 of them hits; 300 outcomes are needed."


def nights(folder, count, what=(FEW,)):
    return [unjudged.note(folder, "kcs", what, FIRST + timedelta(days=day)) for day in range(count)][-1]


def test_nights_are_counted_until_all_is_judged(tmp_path):
    assert nights(tmp_path, 3).sentence == f"not judged for 3 nights, since 2026-03-01: {FEW}"
    assert unjudged.read(tmp_path) == (nights(tmp_path, 3),)
    assert nights(tmp_path, 1, what=()).nights == ()
    assert nights(tmp_path, 1).sentence.startswith("not judged for 1 night, since")


def test_two_runs_of_a_day_are_one_night(tmp_path):
    unjudged.note(tmp_path, "kcs", (FEW,), FIRST)
    assert len(unjudged.note(tmp_path, "kcs", (FEW,), FIRST).nights) == 1


def test_it_is_overdue_after_more_nights_than_are_allowed(tmp_path):
    assert not nights(tmp_path, 7).is_overdue(7)
    assert nights(tmp_path, 8).is_overdue(7)
    assert not nights(tmp_path, 1, what=()).is_overdue(0)


def test_a_spoilt_file_is_named(tmp_path):
    (tmp_path / "monitoring-kcs.json").write_text("{")
    with pytest.raises(ValueError, match=r"monitoring-kcs\.json is not what monitoring writes .*; remove it"):
        unjudged.read(tmp_path)


@pytest.mark.parametrize(("count", "is_ok", "is_warning"), [(0, True, False), (2, True, True), (3, False, False)])
def test_status_warns_and_then_is_unhealthy(tmp_path, count, is_ok, is_warning):
    settings = Settings(state_folder=tmp_path, unjudged_nights=2)
    unjudged.note(settings.runs_folder, "kcs", (), FIRST)
    if count:
        nights(settings.runs_folder, count)
    (check,) = status._monitoring(settings)
    assert (check.name, check.is_ok, check.is_warning) == ("monitoring of kcs", is_ok, is_warning)
    assert FEW in check.detail or not count


def result(*what, state="Within bounds") -> Any:
    window = Window(since=date(2026, 2, 2), until=date(2026, 3, 1), rows=900, sampled=900)
    return SimpleNamespace(unjudged=what, state=state, current=window)


def test_the_run_s_state_says_it_and_the_event_comes_after_the_nights(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(monitor, "emit_event", lambda event, resource, payload: told.append((event, payload["said"])))
    settings = Settings(state_folder=tmp_path, unjudged_nights=1)
    good = monitor.tell_unjudged(settings, "kcs", result())
    assert (good.name, good.message) == ("Completed", "Within bounds, of 2026-02-02 to 2026-03-01")
    unjudged.note(settings.runs_folder, "kcs", (FEW,), FIRST)
    state = monitor.tell_unjudged(settings, "kcs", result(FEW, state="Not judged"))
    assert state.type.value == "COMPLETED"
    assert (state.name, state.message) == (
        "NotJudged",
        f"Not judged, of 2026-02-02 to 2026-03-01; not judged for 2 nights, since 2026-03-01: {FEW}",
    )
    assert told == [(watch.UNJUDGED, f"not judged for 2 nights, since 2026-03-01: {FEW}")]


def test_a_run_that_ends_so_is_not_taken_for_one_that_lost_its_process():
    expected = watch.crash_silent_runs(Settings())["trigger"]["expect"]
    assert f"prefect.flow-run.{watch.NOT_JUDGED}" in expected
