"""The morning of a real store: what turns it into another morning, and what it refuses."""

from datetime import date, datetime, timedelta

import pytest

from features.matrix import cache
from features.matrix.morning import Morning
from features.store.store import Store
from tests.support.declarations import frame
from tests.support.spoiling import spoil
from tests.support.stores import put

DELAY = 7
FIRST = datetime(2024, 3, 1, 10)
DAY = date(2024, 3, 6)


def declaration(day: int, name: str = "D") -> dict[str, object]:
    return {"declaration_id": f"{name}{day}", "accepted_at": FIRST + timedelta(days=day), "item_value": 100.0 + day}


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "data")
    put(store, "declarations", [declaration(day) for day in range(5)])
    return store


def test_what_is_told_of_the_day_itself_makes_no_other_morning(store, tmp_path):
    first = Morning.of(store, DELAY, tmp_path / "cache", DAY)
    put(store, "declarations", [declaration(5), declaration(5, "E")])
    assert Morning.of(store, DELAY, tmp_path / "cache", DAY).digest == first.digest


def test_what_is_told_of_a_day_before_makes_another_morning(store, tmp_path):
    first = Morning.of(store, DELAY, tmp_path / "cache", DAY)
    put(store, "declarations", [declaration(4), declaration(4, "E")])
    second = Morning.of(store, DELAY, tmp_path / "cache", DAY)
    assert second.digest != first.digest
    asked = frame("declarations", [declaration(5)])
    counts = [morning.features(asked)["importer_declarations_30d"][0] for morning in (first, second)]
    assert counts == [5.0, 6.0]
    assert [folder.name for folder in (tmp_path / "cache" / "mornings").iterdir()] == [f"{DAY}-{second.digest}"]


def test_the_next_day_is_another_morning_whatever_is_told(store, tmp_path):
    digests = {Morning.of(store, DELAY, tmp_path / "cache", DAY + timedelta(days=n)).digest for n in range(3)}
    assert len(digests) == 3


def test_a_morning_is_found_again_and_one_that_is_spoilt_is_made_anew(store, tmp_path, caplog):
    asked = frame("declarations", [declaration(5)])
    first = Morning.of(store, DELAY, tmp_path / "cache", DAY).features(asked)
    (block,) = (tmp_path / "cache" / "mornings").iterdir()
    made = block.stat().st_mtime_ns
    Morning.of(store, DELAY, tmp_path / "cache", DAY)
    assert block.stat().st_mtime_ns == made
    spoil(block / "declared-importer_id.arrow", "flipped")
    assert Morning.of(store, DELAY, tmp_path / "cache", DAY).features(asked).equals(first)
    assert "declared-importer_id.arrow: not as it was written" in caplog.text


def test_a_night_leaves_the_morning_alone(store, tmp_path):
    Morning.of(store, DELAY, tmp_path / "cache", DAY)
    cache.build(store, DELAY, tmp_path / "cache")
    assert len(list((tmp_path / "cache" / "mornings").iterdir())) == 1


def test_a_declaration_of_another_day_is_refused(store, tmp_path):
    morning = Morning.of(store, DELAY, tmp_path / "cache", DAY)
    told = "declaration D6 was accepted on 2024-03-07; this morning is that of 2024-03-06"
    with pytest.raises(ValueError, match=told):
        morning.features(frame("declarations", [declaration(5), declaration(6)]))


def test_without_any_declaration_there_is_no_morning(tmp_path):
    with pytest.raises(ValueError, match="no declarations to compute features for"):
        Morning.of(Store(tmp_path / "nothing"), DELAY, tmp_path / "cache", DAY)
