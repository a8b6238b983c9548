"""A day is played on the whole installation: declared at the window, judged at the desk, known to the next model."""

from pathlib import Path

import pytest

from features.simulator import Parameters
from flows.play import OFFICERS
from tests.support.playing import played, store

pytestmark = pytest.mark.timeout(1800)
WORLD = Parameters(rows=8_000, months=2)  # followed by a Wednesday


def test_the_books_of_a_day_balance(tmp_path: Path) -> None:
    store(tmp_path, WORLD)
    code, books, said = played(tmp_path, WORLD, 1)
    assert code == 0, said
    assert books["balance"]
    counted = {each["what"]: each["left"] for each in books["sums"]}
    assert (
        counted["versions posted and answered = decisions in the log"]
        > counted["declarations posted = declarations in the store"]
    )
    assert counted["items judged = outcomes in the store"] > 0, books
    assert books["window killed"] == 1
    assert set(books["officers"]) <= OFFICERS.keys()
    assert (books["first"], books["last"]) == ("2023-03-01", "2023-03-01")
