"""Files are read again into a new store, which replaces the old one whole or not at all."""

import pytest

from features.ingestion.batches import IngestRejected, ingest
from features.ingestion.rereading import reread
from features.store.store import Store
from features.validation import amounts
from features.validation.limits import Limits
from tests.support.declarations import DECLARATION
from tests.support.ingestion import LIMITS, Line, MemoryBatch, MemorySource, stored, tree

STRICT = Limits(max_quarantined_share=0.05, volume_factor=6.0, volume_history_weeks=8, volume_min_rows=20)


def batch(name, *values, **fields):
    lines = [
        Line(DECLARATION | fields | {"declaration_id": f"{name}-{n}", "item_value": value})
        for n, value in enumerate(values)
    ]
    return MemoryBatch(f"{name}.csv", tuple(lines))


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "data" / "files")
    ingest(MemorySource((batch("a", 1.0, 2.0), batch("b", 3.0))), store, LIMITS)
    return store


def values(store):
    return [row["item_value"] for row in stored(store, "declarations")]


def test_what_is_read_otherwise_now_takes_the_place_of_what_was_stored(store):
    again = MemorySource((batch("a", 10.0, 20.0, currency="EUR"), batch("b", 30.0, currency="EUR")))
    report = reread(again, store, LIMITS)
    assert (report.stored, values(store)) == (3, [10.0, 20.0, 30.0])
    assert [record.file for record in store.batches] == ["a.csv", "b.csv"]
    assert amounts.of_store(store) == "EUR"  # what was stored before has no say
    assert [path.name for path in store.root.parent.iterdir()] == ["files"]


def test_read_again_in_the_same_way_it_is_the_same_to_the_byte(store):
    before = tree(store.root)
    reread(MemorySource((batch("a", 1.0, 2.0), batch("b", 3.0))), store, LIMITS)
    assert tree(store.root) == before


def test_where_a_file_is_refused_the_store_is_as_it_was(store):
    before = tree(store.root)
    with pytest.raises(IngestRejected):
        reread(MemorySource((batch("a", 1.0, -2.0), batch("b", 3.0))), store, STRICT)
    assert tree(store.root) == before


def test_a_file_that_only_the_store_has_is_not_lost(store):
    before = tree(store.root)
    with pytest.raises(ValueError, match=r"1 file\(s\) that are not among those to be read again, b\.csv the first"):
        reread(MemorySource((batch("a", 1.0, 2.0),)), store, LIMITS)
    assert tree(store.root) == before


def test_killed_between_its_two_steps_it_finds_the_store_again(store):
    store.root.rename(store.root.with_name("files-before.partial"))
    with pytest.raises(ValueError, match="not among those to be read again"):
        reread(MemorySource(()), store, LIMITS)
    assert values(store) == [1.0, 2.0, 3.0]
