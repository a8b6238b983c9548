"""When books balance, and what a command makes of it."""

import json

import pytest
import typer

from flows.commands import play
from flows.play.books import Books, Sum

SAME, OTHER = Sum("posted = decided", 3, 3), Sum("judged = stored", 3, 2)


def test_books_balance_only_if_every_sum_does():
    assert Books((SAME,), {}).balance
    assert not Books((SAME, OTHER), {}).balance
    told = Books((SAME, OTHER), {"hits": 1}).as_json()
    assert told == {
        "balance": False,
        "sums": [
            {"what": "posted = decided", "left": 3, "right": 3, "balances": True},
            {"what": "judged = stored", "left": 3, "right": 2, "balances": False},
        ],
        "hits": 1,
    }


def test_the_table_names_a_sum_that_differs(capsys):
    play.show(Books((SAME, OTHER), {"cases": {"open": 2}, "first": "2024-07-01"}))
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "DIFFERS" in line] == [next(line for line in lines if "judged = stored" in line)]
    assert any("cases" in line and json.dumps({"open": 2}) in line for line in lines)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, 'window_source is "simulator" and played_clock names a file'),
        ({"WINDOW_SOURCE": "simulator"}, "played_clock names a file"),
        ({"WINDOW_SOURCE": "files", "PLAYED_CLOCK": "clock"}, 'window_source is "simulator"'),
        ({"WINDOW_SOURCE": "simulator", "PLAYED_CLOCK": "clock"}, "while `tidewaiter up` runs"),
    ],
)
def test_nothing_is_played_where_time_is_real_or_nothing_runs(settings, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, value in settings.items():
        monkeypatch.setenv(f"TIDEWAITER_{name}", value)
    with pytest.raises(typer.Exit) as ended:
        play.play(days=1)
    assert ended.value.exit_code == 1
    assert told in capsys.readouterr().err
