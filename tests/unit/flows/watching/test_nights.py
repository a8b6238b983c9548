from datetime import UTC, datetime, timedelta

import httpx
import pytest

from flows.servers import prefect_api
from flows.servers.prefect_api import Deployment, Run, Schedule
from flows.watching import nights
from flows.watching.nights import CATCH_UP, decide, last_fire, next_fires

FIRE = datetime(2024, 3, 5, 1, 30, tzinfo=UTC)
NOW = FIRE + timedelta(hours=8)
CREATED = FIRE - timedelta(days=90)


def run(state, expected_at, started_at=None, is_auto=True, tags=()):
    name = f"{state}-{expected_at.isoformat()}"
    return Run(name, state, state.title(), "", expected_at, expected_at, started_at, None, is_auto, frozenset(tags))


def test_a_night_that_ran_is_left_alone():
    done = run("COMPLETED", FIRE, FIRE + timedelta(seconds=5))
    future = run("SCHEDULED", FIRE + timedelta(days=1))
    decision = decide([future, done], FIRE, CREATED, NOW)
    assert (decision.create, decision.keep, decision.cancel, decision.missed_at) == (False, None, (), None)


def test_a_night_ran_if_a_run_started_since_or_was_due_then():
    moment = timedelta(microseconds=1)
    on_time, before = run("COMPLETED", FIRE - moment, FIRE), run("COMPLETED", FIRE - moment, FIRE - moment)
    early = run("COMPLETED", FIRE, FIRE - moment)  # a worker may begin a moment before the time it was given
    assert [nights.ran(each, FIRE) for each in (on_time, early, before)] == [True, True, False]


def test_a_night_that_left_no_trace_is_made_anew():
    old = run("COMPLETED", FIRE - timedelta(days=6), FIRE - timedelta(days=6))
    assert decide([old], FIRE, CREATED, NOW).create


def test_of_nights_that_piled_up_the_latest_stays():
    late = [run("SCHEDULED", FIRE - timedelta(days=days)) for days in (4, 2, 3)]
    decision = decide(late, FIRE, CREATED, NOW)
    assert decision.keep == late[1]
    assert set(decision.cancel) == {late[0], late[2]}
    assert not decision.create


def test_what_piled_up_is_cancelled_when_somebody_ran_the_night_by_hand():
    late = run("SCHEDULED", FIRE)
    by_hand = run("COMPLETED", NOW - timedelta(hours=1), NOW - timedelta(hours=1), is_auto=False)
    decision = decide([late, by_hand], FIRE, CREATED, NOW)
    assert decision.cancel == (late,)
    assert decision.missed_at is None


def test_a_request_of_a_person_is_never_cancelled():
    asked = run("SCHEDULED", FIRE - timedelta(days=1), is_auto=False)
    assert decide([asked], FIRE, CREATED, NOW).cancel == ()


def test_a_night_before_the_first_deployment_is_not_missed():
    assert not decide([], FIRE, FIRE + timedelta(minutes=1), NOW).create
    assert not decide([], FIRE, FIRE, NOW).create
    assert decide([], FIRE, FIRE - timedelta(minutes=1), NOW).create


@pytest.mark.parametrize(
    ("state", "counts"), [("FAILED", True), ("CANCELLED", True), ("CRASHED", False), ("PENDING", False)]
)
def test_what_counts_as_a_night_that_never_started(state, counts):
    assert decide([run(state, FIRE)], FIRE, CREATED, NOW).create is not counts


def test_a_crashed_night_is_not_a_missed_one():
    assert not decide([run("CRASHED", FIRE, FIRE)], FIRE, CREATED, NOW).create


def test_a_catch_up_that_still_waits_is_not_doubled():
    waiting = run("SCHEDULED", NOW - timedelta(minutes=1), is_auto=False, tags=[CATCH_UP])
    decision = decide([waiting], FIRE, CREATED, NOW)
    assert decision.keep == waiting
    assert not decision.create


def test_fires_follow_the_zone_over_a_change_of_clocks():
    nightly = Schedule("30 1 * * *", "Europe/Berlin", True)
    noon = datetime(2024, 3, 31, 12, tzinfo=UTC)
    assert last_fire(nightly, noon).astimezone(UTC) == datetime(2024, 3, 31, 0, 30, tzinfo=UTC)
    assert next_fires(nightly, noon, 1)[0].astimezone(UTC) == datetime(2024, 3, 31, 23, 30, tzinfo=UTC)


def test_the_instant_itself_has_fired():
    nightly = Schedule("30 1 * * *", "UTC", True)
    assert last_fire(nightly, FIRE) == FIRE
    assert last_fire(nightly, FIRE - timedelta(microseconds=1)) == FIRE - timedelta(days=1)


def test_what_piled_up_of_a_deployment_without_nights_is_cancelled_and_nothing_caught_up(monkeypatch):
    looking = Deployment("p", "promote/reconcile", CREATED, False, (Schedule("* * * * *", "UTC", True),), frozenset())
    late, future = run("SCHEDULED", FIRE), run("SCHEDULED", NOW + timedelta(minutes=1))
    asked = run("SCHEDULED", FIRE, is_auto=False)
    cancelled = []
    monkeypatch.setattr(prefect_api, "runs", lambda client, deployment: [future, late, asked])
    monkeypatch.setattr(prefect_api, "set_state", lambda client, run, state, message: cancelled.append((run, state)))
    with httpx.Client() as client:
        assert nights.catch_up(client, [looking], NOW) == {}
    assert cancelled == [(late, "CANCELLED")]


NIGHTLY = Schedule("30 1 * * *", "UTC", True)


def acted(monkeypatch, runs, *deployed):
    """What catching up decides of these deployments, of the runs it cancels, and those it makes."""
    cancelled, made = [], []
    monkeypatch.setattr(prefect_api, "runs", lambda client, deployment: runs.get(deployment.name, []))
    monkeypatch.setattr(
        prefect_api, "set_state", lambda client, run, state, message: cancelled.append((run, state, message))
    )
    monkeypatch.setattr(
        prefect_api, "create_run", lambda client, deployment, name, tags: made.append((deployment.name, name, tags))
    )
    with httpx.Client() as client:
        return nights.catch_up(client, deployed, NOW), cancelled, made


def deployment(name, *schedules, is_paused=False):
    return Deployment(name, name, CREATED, is_paused, schedules, frozenset({prefect_api.NIGHTLY}))


def test_each_deployment_that_missed_its_night_is_caught_up_once_and_those_without_nights_are_passed_over(monkeypatch):
    never, paused = deployment("adhoc"), deployment("paused", NIGHTLY, is_paused=True)
    lost, late, done = (deployment(name, NIGHTLY) for name in ("lost", "late", "done"))
    two = [run("SCHEDULED", FIRE - timedelta(days=days)) for days in (1, 0)]
    ran = run("COMPLETED", FIRE, FIRE)
    runs = {"late": two, "done": [ran], "adhoc": [two[0]], "paused": two}
    decisions, cancelled, made = acted(monkeypatch, runs, never, paused, lost, late, done)
    assert {name: (decision.create, decision.keep) for name, decision in decisions.items()} == {
        "lost": (True, None),
        "late": (False, two[1]),
    }
    assert {decision.missed_at for decision in decisions.values()} == {FIRE}
    said = "Piled up while nothing ran; a later run stands for this one."
    assert cancelled == [(two[0], "CANCELLED", said)]
    assert made == [("lost", "catch-up-of-2024-03-05-0130", (CATCH_UP,))]


def test_runs_whose_processes_are_gone_are_marked_as_crashed(monkeypatch):
    lost, marked = [run("RUNNING", FIRE), run("PENDING", FIRE)], []
    monkeypatch.setattr(prefect_api, "unfinished", lambda client: lost)
    monkeypatch.setattr(prefect_api, "set_state", lambda client, *told: marked.append(told))
    with httpx.Client() as client:
        assert nights.bury(client, "the machine was off") == 2
    assert marked == [(each, "CRASHED", "the machine was off") for each in lost]


def test_a_run_that_was_taken_and_never_began_is_found():
    since, patience = NOW - timedelta(minutes=3), timedelta(minutes=2)
    taken, running, waiting = (run(state, since) for state in ("PENDING", "RUNNING", "SCHEDULED"))
    fresh = run("PENDING", NOW - timedelta(minutes=1))
    assert nights.stuck([fresh, running, taken, waiting], NOW, patience) == (taken,)
    at_the_bound = run("PENDING", NOW - patience)
    assert nights.stuck([at_the_bound], NOW, patience) == ()
