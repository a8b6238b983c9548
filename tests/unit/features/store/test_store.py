"""The store: what it lists, what it refuses, and what it clears away."""

import hashlib
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from features.store import parquet
from features.store.store import BatchRecord, PartitionFile, Store, StoreError
from tests.support.declarations import frame

DAY = date(2024, 3, 1)
RECORD = BatchRecord("a.csv", "0" * 64, 2, 2, 0, 0, 0, {})


def rows(*names: str, day: int = 1) -> pl.DataFrame:
    given = [{"declaration_id": name, "accepted_at": datetime(2024, 3, day, 9)} for name in names]
    return frame("declarations", given).with_columns(source_file=pl.lit("a.csv"), source_line=pl.lit(2, pl.Int64))


def commit(store: Store, day: date, frame: pl.DataFrame | None, record: BatchRecord = RECORD) -> PartitionFile | None:
    part = None if frame is None else store.write_day("declarations", day, [frame.to_arrow()])
    store.commit({("declarations", day): part}, [record])
    return part


def test_an_empty_store_has_the_columns_and_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    assert not store.exists
    assert (store.days(), store.batches, store.rows("declarations")) == ([], (), {})
    assert store.digest("declarations", DAY) is None
    assert store.scan("outcomes_superseded").collect().schema == parquet.schema("outcomes_superseded")
    assert store.quarantine().collect().is_empty()


def test_days_digests_and_rows(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number in (2, 1, 3):
        commit(store, date(2024, 3, number), rows(f"D{number}", day=number))
    assert store.exists
    assert store.days() == [date(2024, 3, number) for number in (1, 2, 3)]
    since_second = store.scan("declarations", date(2024, 3, 2), date(2024, 3, 2)).collect()
    assert since_second["declaration_id"].to_list() == ["D2"]
    assert store.scan("declarations").collect()["declaration_id"].to_list() == ["D1", "D2", "D3"]
    assert store.scan_days("declarations", [date(2024, 3, 3), date(2023, 1, 1)]).collect().height == 1


def test_a_replaced_day_leaves_no_file_behind(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = commit(store, DAY, rows("D1"))
    second = commit(store, DAY, rows("D1", "D2"))
    assert first != second
    assert [path.name for path in tmp_path.rglob("*.parquet")] == [f"{store.digest('declarations', DAY)}.parquet"]
    commit(store, DAY, None)
    assert store.days() == []
    assert not list(tmp_path.rglob("*.parquet"))


def test_left_overs_are_cleared_and_live_files_are_not(tmp_path: Path) -> None:
    store = Store(tmp_path)
    commit(store, DAY, rows("D1"))
    store.write_day("declarations", date(2024, 3, 5), [rows("D9", day=5).to_arrow()])
    (tmp_path / ".staging").mkdir()
    (tmp_path / ".staging" / "x.parquet").touch()
    (tmp_path / "manifest.json.partial").touch()
    with store.locked():
        pass
    left = sorted(path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["declarations", "manifest.json"]
    assert store.scan("declarations").collect().height == 1


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    with (
        Store(tmp_path).locked(),
        pytest.raises(StoreError, match="another ingestion is writing here"),
        Store(tmp_path).locked(),
    ):
        pass


def test_how_frames_are_cut_does_not_show_in_the_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 4)
    whole = rows(*(f"D{number}" for number in range(11)))
    parts = [parquet.write_parquet(tmp_path / "whole", [whole.to_arrow()], whole.to_arrow().schema)]
    for size in (1, 3, 4, 9):
        cut = [whole[start : start + size].to_arrow() for start in range(0, 11, size)]
        parts.append(parquet.write_parquet(tmp_path / str(size), cut, whole.to_arrow().schema))
    assert len(set(parts)) == 1


def test_a_day_is_named_by_its_bytes_also_where_the_system_takes_few_of_them_at_a_time(tmp_path: Path) -> None:
    store, day = Store(tmp_path), rows(*(f"D{number}" for number in range(11)))
    whole = store.write_day("declarations", DAY, [day.to_arrow()])
    content = store.path("declarations", DAY, whole.digest).read_bytes()
    assert hashlib.sha256(content).hexdigest().startswith(whole.digest)

    class Slow:
        taken = b""

        def write(self, data: memoryview) -> int:
            self.taken += data[:100].tobytes()
            return len(data[:100])

    slow = Slow()
    hashed = parquet._Hashed(slow)
    assert hashed.write(content) == len(content)
    assert slow.taken == content
    assert hashed.digest.hexdigest().startswith(whole.digest)


def test_a_damaged_manifest_is_not_taken_for_an_empty_store(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"parts": {')
    with pytest.raises(StoreError, match=r"manifest.json: not a manifest .* restore the data folder"):
        Store(tmp_path).days()
