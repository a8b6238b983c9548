"""Second looks that benchmarks/missed.py simulates: a share of what was known, and as good as first looks."""

from datetime import date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from benchmarks import missed
from benchmarks.worlds import World
from models.detection import looks, required
from models.policy import load

ROWS, FIRST_DAY = 20_000, date(2024, 5, 1)


@pytest.fixture(scope="module")
def world() -> World:
    """A world of which half was inspected, 60 % of the schemes found, and half of that known before the test window."""
    rng = np.random.default_rng(5)
    is_there = rng.random(ROWS) < 0.4
    key = {"declaration_id": [f"D{place}" for place in range(ROWS)], "item_number": [1] * ROWS}
    tables = {
        "truth": {"scheme": np.where(is_there, "phoenix", "none"), "is_illicit": is_there},
        "declarations": {"office": ["010"] * ROWS},
        "outcomes": {
            "is_illicit": [
                bool(found) if place % 2 else None for place, found in enumerate(is_there & (rng.random(ROWS) < 0.6))
            ],
            "inspection_channel": ["red" if place % 2 else "green" for place in range(ROWS)],
            "known_at": [datetime(2024, 4, 30, 9) + timedelta(days=place % 4 // 2) for place in range(ROWS)],
        },
    }
    frames = {name: pl.LazyFrame({**key, **columns}) for name, columns in tables.items()}
    split = SimpleNamespace(windows={"test": (FIRST_DAY, FIRST_DAY)})
    return World("7", SimpleNamespace(scan=frames.__getitem__), None, split, None)  # ty: ignore


def test_they_are_a_share_of_what_was_known_and_find_what_first_looks_do(world):
    inspected, twice = missed.audited(world, 0.5)
    assert inspected.height == ROWS // 4
    assert twice.schema == looks.SCHEMA
    assert twice.height == pytest.approx(ROWS / 8, rel=0.1)
    assert twice["known_at"].dt.date().max() < FIRST_DAY
    assert required(twice, FIRST_DAY) == pytest.approx(0.6, abs=0.06)


def test_both_losses_are_compared():
    compared = missed.losses(load())
    assert list(compared.ways) == [missed.BASE, missed.KNOWING]
    assert compared.base == missed.BASE
