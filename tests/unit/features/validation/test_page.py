"""The validation page: what it says, that it needs nothing else, and that text from files stays text."""

import re
from datetime import date
from html.parser import HTMLParser

import pytest

from features.store.store import BatchRecord
from features.validation.page import name_of, render, render_index
from features.validation.verdicts import BatchCheck, BatchVerdict, DayVolume, Example, ExpectationResult, Verdict

HOSTILE = '<script>alert("1")</script>'
CHECKS = (BatchCheck("not_empty", "The file has lines.", "1,000 lines", "1 line or more", True),)
DAYS = (
    DayVolume(date(2024, 1, 1), 900, 50, 800.0, None, 4800.0),
    DayVolume(date(2024, 1, 2), 10, 0, 800.0, 130.0, 4800.0),
)
BATCH = BatchVerdict("monday.csv", CHECKS, DAYS)
RECORD = BatchRecord(
    "monday.csv", "ab" * 32, 1000, 910, 40, 50, 3, {"office_given (office)": 39, "line_is_well_formed": 1}
)
VERDICT = Verdict(
    results=(
        ExpectationResult("declarations", "net_mass_kg_not_zero", "net_mass_kg", "more than zero", "warning", 1000, 10),
        ExpectationResult(
            "declarations", "office_given", "office", "a value", "row", 1000, 39, (Example(1017, "empty"),)
        ),
        ExpectationResult("outcomes", "readable", "unreadable", "a line that could be read", "row", 1000, 0),
    )
)


class Reader(HTMLParser):
    """Text as people see it, and every tag with its attributes; refuses a page whose tags do not match."""

    VOID = frozenset({"meta", "br", "line", "rect", "circle"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(page: str) -> tuple[str, Reader]:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return " ".join(" ".join(reader.text).split()), reader


def test_says_what_happened():
    text, _ = read(render(RECORD, VERDICT, BATCH))
    assert "Validation of monday.csv" in text
    assert "Stored, with quarantine" in text
    assert "1,000 lines in the file = 910 stored + 40 quarantined (4.00 %) + 50 already known" in text
    assert "3 stored rows were replaced" in text
    assert "line_is_well_formed 1 0.10 %" in text
    assert "1 of 3 are met by every row." in text
    assert "office declarations a value office_given 39 3.90 % line 1017: empty" in text
    assert "net_mass_kg declarations more than zero net_mass_kg_not_zero 10 1.00 %" in text
    assert "Tuesday 2024-01-02: 10 new rows, usual 800" in text
    assert "far fewer than usual" in text
    assert "far more than usual" not in text


def test_a_batch_without_faults():
    clean = BatchRecord("monday.csv", "ab" * 32, 10, 10, 0, 0, 0, {})
    text, _ = read(render(clean, Verdict(), BATCH))
    assert "10 stored + 0 quarantined (0 %)" in text
    assert "with quarantine" not in text


@pytest.mark.parametrize("days", [DAYS, ()])
def test_a_rejected_batch(days):
    failed = BatchCheck("quarantined_share", "Few of its lines are quarantined.", "30 %", "at most 5 %", False)
    text, _ = read(render(None, VERDICT, BatchVerdict("monday.csv", (*CHECKS, failed), days)))
    assert "Rejected Nothing of this batch was stored." in text
    assert "not met Few of its lines are quarantined. quarantined_share 30 % at most 5 %" in text


def test_needs_no_network_and_runs_no_script():
    page = render(RECORD, VERDICT, BATCH)
    _, reader = read(page)
    assert not re.search(r"https?:|//|@import|url\(|javascript:", page)
    assert not {tag for tag, _ in reader.tags} & {"script", "link", "img", "iframe", "object", "embed", "base"}
    assert not [name for _, attributes in reader.tags for name in attributes if name in ("src", "href", "srcset")]


def test_text_from_files_stays_text():
    result = ExpectationResult(
        "declarations", HOSTILE, HOSTILE, HOSTILE, "row", 1000, 1, (Example(2, HOSTILE), Example(3, "{{ 7 * 7 }}"))
    )
    check = BatchCheck(HOSTILE, HOSTILE, HOSTILE, HOSTILE, True)
    record = BatchRecord(HOSTILE, HOSTILE, 1000, 999, 1, 0, 0, {HOSTILE: 1})
    page = render(record, Verdict(results=(result,)), BatchVerdict(HOSTILE, (check,), DAYS))
    text, reader = read(page)
    assert "script" not in {tag for tag, _ in reader.tags}
    assert text.count(HOSTILE) == 12
    assert "{{ 7 * 7 }}" in text


def test_the_same_page_every_time():
    assert render(RECORD, VERDICT, BATCH) == render(RECORD, VERDICT, BATCH)


def test_the_index_tells_all_files_with_the_worst_first():
    sound = BatchRecord("tuesday.csv", "cd" * 32, 1200, 1200, 0, 0, 0, {})
    bad = BatchRecord("wednesday.csv", "ef" * 32, 20, 5, 15, 0, 0, {"office_given (office)": 15})
    page = render_index(HOSTILE, (sound, RECORD, bad))
    assert HOSTILE not in page
    text, _ = read(page)
    assert "3 files, 2,220 lines: 2,115 stored, 55 quarantined (2.48 %), 50 known before." in text
    assert "office_given (office) 54 2.43 %" in text
    places = [text.index(each) for each in ("wednesday.csv 20 5 0 15 75.00 %", "monday.csv 1,000 910 50 40 4.00 %")]
    assert places == sorted(places)
    assert text.index("tuesday.csv 1,200 1,200 0 0") > places[-1]
    assert all(name_of(record) in text for record in (sound, RECORD, bad))
    # In one line: on a telephone it made every row seven lines high.
    assert all(f'<code class="whole">{name_of(record)}</code>' in page for record in (sound, RECORD, bad))
