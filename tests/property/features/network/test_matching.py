"""Matches on random registers: later entries do not change a match that was in force before, and brute force agrees."""

from datetime import date, datetime, timedelta
from itertools import product
from typing import Any
from unittest.mock import patch

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from features.contract import schema
from features.network import entries, matching
from tests.support.examples import examples

SPAN = 5
DAYS = st.integers(0, SPAN)
FIRST, DAY = datetime(2024, 3, 1), (date(2024, 3, 1) - date(1970, 1, 1)).days
VALUES = {
    "name": ("Norvale Textiles Ltd", "NORVALE TEXTILES LLC", "unknown"),
    "person": ("Elena Rosgard", "Rosgard, Elena"),
    "phone": ("+99 1234 5678", "009912345678", "+99 8765 4321"),
    "address": ("12 Belmont Street, Karport", "12 Belmont St., Karport"),
}
Entry = dict[str, Any]


@st.composite
def registers(draw: st.DrawFn) -> list[Entry]:
    """Versions of entries in order of arrival; a correction may change anything but whom and what it is about."""
    versions = []
    for party, attribute in product("ABC", VALUES):
        for number, days in enumerate(draw(st.lists(st.lists(DAYS, min_size=1, max_size=2), min_size=1, max_size=2))):
            for day in sorted(days):
                ends = draw(st.sampled_from((None, None, None, *range(SPAN))))
                versions.append(
                    {
                        "entry_id": f"{party}-{attribute}-{number}",
                        "recorded_at": FIRST + timedelta(days=day, minutes=draw(st.integers(0, 2))),
                        "party_role": "importer",
                        "party_id": party,
                        "attribute": attribute,
                        "value": draw(st.sampled_from(VALUES[attribute])),
                        "ends_at": None if ends is None else FIRST + timedelta(days=ends + 3),
                    }
                )
    return sorted(versions, key=lambda version: version["recorded_at"])


def _matches(versions: list[Entry]) -> pl.DataFrame:
    """Return the matches of a store in which these versions arrived: the last of each entry is current."""
    last = {version["entry_id"]: at for at, version in enumerate(versions)}
    rows = [[v for at, v in enumerate(versions) if (last[v["entry_id"]] == at) == current] for current in (True, False)]
    return matching.matches(entries.read(*(pl.LazyFrame(each, schema=schema("register")) for each in rows)))


def _in_force(matches: pl.DataFrame, day: int) -> pl.DataFrame:
    held = matches.filter(pl.col("enter") <= day, pl.col("leave").is_null() | (pl.col("leave") > day))
    return held.drop("leave")


@given(versions=registers(), cut=DAYS, common=st.integers(1, 3), few=st.integers(0, 2))
@settings(max_examples=examples(10), deadline=None)
def test_later_entries_change_no_match_of_earlier_days(versions: list[Entry], cut: int, common: int, few: int) -> None:
    earlier = [version for version in versions if version["recorded_at"] < FIRST + timedelta(days=cut)]
    with patch.object(matching, "COMMON", common), patch.object(matching, "FEW", few):
        whole, before = _matches(versions), _matches(earlier)
    for day in range(DAY, DAY + cut + 1):
        assert _in_force(whole, day).equals(_in_force(before, day))


@given(versions=registers(), day=DAYS)
@settings(max_examples=examples(6), deadline=None)
def test_what_is_in_force_on_a_day_is_what_registers_then_told(versions: list[Entry], day: int) -> None:
    known = [version for version in versions if version["recorded_at"] < FIRST + timedelta(days=day)]
    valid = {version["entry_id"]: version for version in known}.values()
    now = [v | {"ends_at": None} for v in valid if not v["ends_at"] or v["ends_at"] > FIRST + timedelta(days=day)]
    told = _matches(sorted(now, key=lambda version: version["recorded_at"]))
    pair = ("party_a", "party_b", "weight")
    assert _in_force(_matches(versions), DAY + day).select(pair).equals(_in_force(told, DAY + day).select(pair))
