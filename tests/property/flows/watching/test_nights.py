from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from flows.servers.prefect_api import Run
from flows.watching.nights import CATCH_UP, decide

FIRE = datetime(2024, 3, 5, 1, 30, tzinfo=UTC)
NOW = FIRE + timedelta(hours=8)
CREATED = FIRE - timedelta(days=365)


def night(days_ago, state, started):
    at = FIRE - timedelta(days=days_ago)
    return Run(f"{days_ago}", state, state, "", at, at, at if started else None, None, True, frozenset())


def waiting(runs):
    return [run for run in runs if run.state == "SCHEDULED" and run.expected_at <= NOW]


def after(runs, decision):
    """The runs as they stand once the decision is carried out."""
    left = [run for run in runs if run not in decision.cancel]
    if decision.create:
        left.append(Run("new", "SCHEDULED", "Scheduled", "", NOW, NOW, None, None, False, frozenset({CATCH_UP})))
    return left


@given(missed=st.integers(1, 60), trace=st.sets(st.integers(0, 59)), ahead=st.integers(0, 3))
def test_any_number_of_missed_nights_gives_one_catch_up(missed, trace, ahead):
    # Some of the missed nights left a run that waits; before them one ran, and some are scheduled ahead.
    runs = [night(days, "SCHEDULED", started=False) for days in sorted(trace) if days < missed]
    runs.append(night(missed, "COMPLETED", started=True))
    runs += [night(-days, "SCHEDULED", started=False) for days in range(1, ahead + 1)]
    decision = decide(runs, FIRE, CREATED, NOW)
    left = after(runs, decision)
    assert decision.missed_at == FIRE
    assert len(waiting(left)) == 1
    assert sum(run.expected_at > NOW for run in left) == ahead
    # Deciding again, before the worker took it, changes nothing.
    again = decide(left, FIRE, CREATED, NOW)
    assert not again.create
    assert again.cancel == ()


@given(late=st.sets(st.integers(0, 30)), state=st.sampled_from(["COMPLETED", "FAILED", "CRASHED", "RUNNING"]))
def test_a_night_that_started_needs_no_catch_up(late, state):
    runs = [night(days, "SCHEDULED", started=False) for days in sorted(late)]
    runs.append(Run("last", state, state, "", FIRE, FIRE, FIRE, None, True, frozenset()))
    decision = decide(runs, FIRE, CREATED, NOW)
    assert waiting(after(runs, decision)) == []
