"""Trials on a small scale: a unit of each long run, and that a trial goes on where it was stopped."""

import json
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from tests.trials import decisions, running, signatures
from tests.trials.running import Trial, Unit


def counting(tried: list[int], fails_at: int | None = None) -> Trial:
    @contextmanager
    def opened() -> Generator[Unit]:
        def unit(number: int) -> dict[str, int]:
            assert number != fails_at
            tried.append(number)
            return {"kills": number}

        yield unit

    return Trial("counts", 4, opened)


def test_a_trial_that_was_stopped_goes_on_with_the_unit_it_was_at(tmp_path) -> None:
    kept, tried = tmp_path / "trials" / "counts.jsonl", []
    with pytest.raises(AssertionError):
        running.run(counting(tried, fails_at=2), 4, kept, lambda words: None)
    with kept.open("a") as file:
        file.write('{"unit": 2, "ki')  # as a kill leaves it
    found = running.run(counting(tried), 4, kept, lambda words: None)
    assert tried == [0, 1, 2, 3]
    assert [each["kills"] for each in found] == [0, 1, 2, 3]
    assert running.run(counting(tried), 4, kept, lambda words: None) == found
    assert tried == [0, 1, 2, 3]


def test_what_a_trial_found_is_written_with_its_sums(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(running.measuring, "RESULTS", tmp_path)
    running.save("counts", counting([]), [{"unit": 0, "kills": 2}, {"unit": 1, "kills": 3}])
    document = json.loads((tmp_path / "trial-counts.json").read_text())
    assert (document["says"], document["sums"], len(document["units"])) == ("counts", {"kills": 5}, 2)


def test_signatures_over_a_kill_are_neither_lost_nor_doubled() -> None:
    found = signatures.killed(1, lives=2, signers=("ana",))
    assert found["kills"] == 1
    assert found["signed"] > 0


def test_decisions_over_kills_of_the_window_are_neither_lost_nor_doubled_nor_changed() -> None:
    found = decisions.killed(1, kills=2)
    assert found["kills"] == 2
    assert found["amendments"] > 0
    assert found["asked_again"] > 0
