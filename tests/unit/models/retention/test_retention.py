"""Rules of retention, and tombstones: what was purged is told by its rule, in a chain that cannot be altered unseen."""

import json
import re
from datetime import date, timedelta

import pytest

from models.retention import Rules, Tombstones

DAY, TODAY = date(2024, 1, 1), date(2025, 6, 1)


@pytest.fixture
def tombstones(tmp_path):
    return Tombstones(tmp_path / "state" / "purged.jsonl")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[days]\nledger = 90", "ledger is no table with a rule; allowed: messages, photos, versions"),
        ("[days]\nphotos = 29", "photos is 29; allowed: a whole number of days, 30 to 36,500"),
        ("[days]\nphotos = true", "photos is True; allowed"),
        ("[days]\nphotos = 40.5", "photos is 40.5; allowed"),
        ("photos = 90", "photos is not allowed; allowed: a table [days]"),
        ("days = 90", "days is not allowed; allowed: a table [days]"),
        ("[days", "is not TOML in UTF-8"),
    ],
)
def test_a_rule_that_is_not_allowed_is_refused_by_its_key(content, told, tmp_path):
    file = tmp_path / "retention.toml"
    file.write_text(content)
    with pytest.raises(ValueError, match=re.escape(told)):
        Rules.read(file)


def test_rules_are_read_and_without_a_file_there_is_none(tmp_path):
    file = tmp_path / "retention.toml"
    assert Rules.read(file) == Rules({})
    file.write_text("[days]\nmessages = 1825\nversions = 30\n")
    assert Rules.read(file).days == {"messages": 1825, "versions": 30}


def test_a_tombstone_tells_rule_and_day_and_is_written_once(tombstones):
    assert tombstones.find("photos", "ab") is None
    tombstones.add("photos", {"ab": DAY, "cd": DAY}, 365, TODAY)
    tombstones.add("messages", {"ab": DAY}, 400, TODAY)
    tombstones.add("photos", {"ab": DAY, "ef": DAY}, 365, TODAY + timedelta(days=1))
    assert [(each.table, each.name) for each in tombstones.read()] == [
        ("photos", "ab"),
        ("photos", "cd"),
        ("messages", "ab"),
        ("photos", "ef"),
    ]
    found = tombstones.find("messages", "ab")
    assert found
    assert found.sentence == "purged by rule messages (400 days) on 2025-06-01"
    assert tombstones.find("photos", "ab").sentence == "purged by rule photos (365 days) on 2025-06-01"
    assert tombstones.find("messages", "cd") is None


def test_nothing_is_purged_before_its_time(tombstones):
    tombstones.add("photos", {"ab": TODAY - timedelta(days=365)}, 365, TODAY)
    with pytest.raises(ValueError, match="photos cd is of 2024-06-02: it is kept for 365 days"):
        tombstones.add("photos", {"cd": TODAY - timedelta(days=364)}, 365, TODAY)
    assert tombstones.find("photos", "cd") is None


@pytest.mark.parametrize("field", ["name", "days", "counted_from", "purged_on", "table"])
def test_a_line_that_was_altered_taken_away_or_put_in_is_found(tombstones, field):
    tombstones.add("photos", dict.fromkeys(("ab", "cd", "ef"), DAY), 365, TODAY)
    kept = tombstones.file.read_bytes()
    lines = kept.splitlines(keepends=True)
    first = json.loads(lines[0])
    changed = {"name": "xy", "days": 300, "counted_from": "2023-12-31", "purged_on": "2025-06-02", "table": "messages"}
    forged = json.dumps(first | {field: changed[field]}, separators=(",", ":")).encode() + b"\n"
    for spoilt in ([forged, *lines[1:]], [lines[0], lines[2]], [lines[1], lines[0], lines[2]], [*lines[:2], lines[0]]):
        tombstones.file.write_bytes(b"".join(spoilt))
        with pytest.raises(ValueError, match="does not follow from what is before it"):
            tombstones.read()
    tombstones.file.write_bytes(kept)
    assert len(tombstones.read()) == 3


def test_a_line_of_what_the_rule_would_have_kept_is_refused_although_its_chain_is_whole(tombstones):
    tombstones.add("photos", {"ab": DAY}, 365, TODAY)
    (only,) = tombstones.file.read_bytes().splitlines()
    early = json.loads(only) | {"counted_from": "2025-05-31"}
    tombstones.file.write_text(json.dumps(early, separators=(",", ":")) + "\n")
    with pytest.raises(ValueError, match="before its time"):
        tombstones.read()


@pytest.mark.parametrize(
    ("forged", "told"),
    [
        ({"days": 0, "counted_from": "2025-06-01"}, "days is 0; allowed: 30 to 36,500"),
        ({"days": 36_501, "counted_from": "1900-01-01"}, "days is 36501; allowed: 30 to 36,500"),
        ({"counted_from": "2199-01-01", "purged_on": "2200-01-01"}, "purged_on is 2200-01-01, which is still to come"),
    ],
)
def test_a_line_that_no_rule_could_have_written_is_refused_although_its_chain_is_whole(tombstones, forged, told):
    tombstones.add("photos", {"ab": DAY}, 365, TODAY)
    (only,) = tombstones.file.read_bytes().splitlines()
    tombstones.file.write_text(json.dumps(json.loads(only) | forged, separators=(",", ":")) + "\n")
    with pytest.raises(ValueError, match=f"line 1: {told}"):
        tombstones.read()


def test_what_is_no_tombstone_is_named_by_its_line(tombstones):
    tombstones.add("photos", {"ab": DAY}, 365, TODAY)
    with tombstones.file.open("a") as lines:
        lines.write('{"table": "photos"}\n')
    with pytest.raises(ValueError, match="line 2: it is no tombstone"):
        tombstones.read()


def test_what_came_again_after_its_purge_needs_a_tombstone_of_its_own(tombstones):
    tombstones.add("messages", {"ab": DAY}, 30, TODAY)
    tombstones.add("messages", {"ab": DAY - timedelta(days=1)}, 30, TODAY)  # told already
    again = DAY + timedelta(days=40)
    assert tombstones.find("messages", "ab", DAY) == tombstones.find("messages", "ab")
    assert tombstones.find("messages", "ab", again) is None
    tombstones.add("messages", {"ab": again}, 30, TODAY)
    assert [each.counted_from for each in tombstones.read()] == [DAY, again]
    assert tombstones.find("messages", "ab", again).counted_from == again


def test_a_line_that_a_killed_purge_left_unfinished_counts_for_none_and_is_cut_off(tombstones):
    tombstones.add("photos", dict.fromkeys(("ab", "cd"), DAY), 365, TODAY)
    whole = tombstones.file.read_bytes()
    tombstones.file.write_bytes(whole[:-9])
    assert [each.name for each in tombstones.read()] == ["ab"]
    tombstones.add("photos", {"cd": DAY}, 365, TODAY)
    assert tombstones.file.read_bytes() == whole
