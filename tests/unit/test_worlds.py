"""Worlds to compare on: benchmarks/worlds.py. They are whole or not there, and judged by the truth if it is known."""

from datetime import date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from benchmarks import worlds
from models.policy import load

TEST = pl.DataFrame(
    {
        "declaration_id": ["A"],
        "item_number": pl.Series([1], dtype=pl.Int32),
        "accepted_at": [datetime(2024, 3, 1, 9)],
        "is_illicit": [True],
        "recovered_revenue": pl.Series([None], dtype=pl.Float64),
    }
)
# B was not inspected; C was accepted before the days of the test window.
DATASET = pl.concat(
    [
        TEST,
        TEST.with_columns(declaration_id=pl.lit("B"), is_illicit=pl.lit(value=None, dtype=pl.Boolean)),
        TEST.with_columns(declaration_id=pl.lit("C"), accepted_at=pl.lit(datetime(2024, 2, 1, 9))),
    ]
).lazy()


def judged(truth: dict[str, list[Any]]) -> pl.DataFrame:
    schema = {
        "declaration_id": pl.String,
        "item_number": pl.Int32,
        "scheme": pl.String,
        "is_illicit": pl.Boolean,
        "evaded_revenue": pl.Float64,
    }
    store = SimpleNamespace(scan=lambda table: pl.LazyFrame(truth, schema=schema))
    split = SimpleNamespace(test=TEST, windows={"test": (date(2024, 3, 1), date(2024, 3, 31))})
    return worlds._judged("1", store, DATASET, split).judged  # ty: ignore


def test_where_the_truth_is_known_every_declaration_of_the_test_window_is_judged_by_it() -> None:
    found = judged(
        {
            "declaration_id": ["A", "B", "C"],
            "item_number": [1, 1, 1],
            "scheme": ["none", "phoenix", "none"],
            "is_illicit": [False, True, False],
            "evaded_revenue": [0.0, 7.5, 0.0],
        }
    )
    assert found.select("declaration_id", "is_hit", "revenue", "scheme").rows() == [
        ("A", False, 0.0, "none"),
        ("B", True, 7.5, "phoenix"),
    ]


def test_where_it_is_not_known_what_was_inspected_is_judged_by_what_was_found() -> None:
    found = judged({name: [] for name in ("declaration_id", "item_number", "scheme", "is_illicit", "evaded_revenue")})
    assert found.select("declaration_id", "is_hit", "revenue").rows() == [("A", True, 0.0)]
    assert "scheme" not in found.columns


def test_a_world_that_was_stopped_as_it_was_made_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, begun = tmp_path / "worlds" / "206", []

    def ingest(source: object, store: Any, settings: object) -> None:
        begun.append(store)
        half = store.folder / "half"
        assert not half.exists()
        half.mkdir(parents=True)
        if len(begun) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(worlds, "ingest", ingest)
    monkeypatch.setattr(worlds, "Store", lambda folder: SimpleNamespace(folder=folder))
    monkeypatch.setattr(worlds, "cache", SimpleNamespace(dataset=None, build=None, last_known_day=None))
    with pytest.raises(KeyboardInterrupt):
        worlds.world(206, 1000, folder, load())
    assert not folder.exists()
    with pytest.raises(TypeError):  # it goes on to the features, which are not here
        worlds.world(206, 1000, folder, load())
    assert (folder / "data" / "simulator" / "half").exists()
    assert len(begun) == 2
