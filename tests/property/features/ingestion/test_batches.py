"""Ingestion against an oracle in plain Python: it loses nothing, can be repeated, and may cut the work anywhere."""

from dataclasses import replace
from datetime import date, datetime
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.facts.asof import declaration_versions
from features.ingestion import batches, merging, partitions, staging
from features.ingestion.batches import ingest
from features.store.store import Store
from tests.support.examples import examples
from tests.support.ingestion import (
    LIMITS,
    Line,
    MemoryBatch,
    MemorySource,
    stand_in_check_batch,
    stand_in_judge,
    stored,
    tree,
)

KEYS = [("D1", 1), ("D1", 2), ("D2", 1), ("D3", 1)]
INSTANTS = [None, datetime(2024, 3, 5), datetime(2024, 3, 9)]

quick = settings(max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "judge", stand_in_judge)
    monkeypatch.setattr(batches, "check_batch", stand_in_check_batch)


@st.composite
def lines(draw: st.DrawFn) -> Line:
    kind = draw(st.sampled_from(["good", "good", "good", "good", "unreadable", "malformed"]))
    if kind == "malformed":
        return Line(malformed=True)
    name, item = draw(st.sampled_from(KEYS))
    key = {
        "declaration_id": name,
        "item_number": item,
        "accepted_at": datetime(2024, 3, draw(st.integers(1, 3)), 9),
    }
    declaration = key | {
        "item_value": float(draw(st.integers(1, 2))),
        "recorded_at": draw(st.sampled_from(INSTANTS)),
    }
    outcome = draw(st.sampled_from([None, True, False]))
    return Line(
        declaration,
        None if outcome is None else key | {"is_illicit": outcome, "known_at": draw(st.sampled_from(INSTANTS))},
        draw(st.sampled_from(["declarations", "outcomes", "both"])) if kind == "unreadable" else None,
    )


several = st.lists(st.lists(lines(), max_size=8), min_size=1, max_size=4).map(
    lambda files: tuple(MemoryBatch(f"file-{n}.csv", tuple(file)) for n, file in enumerate(files))
)


class Oracle:
    """The rules of ingestion, row by row."""

    def __init__(self) -> None:
        self.current: dict[str, dict[Any, Any]] = {"declarations": {}, "outcomes": {}}
        self.older: dict[str, list[Any]] = {"declarations": [], "outcomes": []}
        self.stored = self.known = 0
        self.quarantined: set[tuple[str, int]] = set()

    def ingest(self, batch: MemoryBatch) -> None:
        good = {n: line for n, line in enumerate(batch.lines, 2) if not line.malformed}
        refused = {n for n in range(2, 2 + len(batch.lines)) if n not in good}
        new: set[int] = set()
        for table, one in (("declarations", "declaration"), ("outcomes", "outcome")):
            rows = {n: dict(row) for n, line in good.items() if (row := getattr(line, one))}
            unreadable = {n for n in rows if good[n].unreadable_in(table)}
            kept = {n: row for n, row in rows.items() if n not in unreadable}
            contradicting = {
                n
                for n, row in kept.items()
                if any(
                    other != row and self._version(table, other) == self._version(table, row) for other in kept.values()
                )
            }
            refused |= unreadable | contradicting
            kept = {n: row for n, row in kept.items() if n not in contradicting}
            for key in sorted({self._version(table, row)[:2] for row in kept.values()}):
                versions = [(n, row) for n, row in kept.items() if self._version(table, row)[:2] == key]
                new |= self._take(table, key, batch.name, versions)
        self.quarantined |= {(batch.name, n) for n in refused}
        self.stored += len(new - refused)
        self.known += len(batch.lines) - len(refused | new)

    @staticmethod
    def _version(table: str, row: dict[str, Any]) -> tuple[Any, ...]:
        instant = row["recorded_at" if table == "declarations" else "known_at"]
        return row["declaration_id"], row["item_number"], instant or datetime.min

    def _take(self, table: str, key: Any, file: str, versions: list[tuple[int, dict[str, Any]]]) -> set[int]:
        """Lines of one row's versions in one file that are stored."""
        held = self.current[table].get(key)
        stored = set()
        newest = max(self._version(table, row) for _, row in versions)
        seen: list[dict[str, Any]] = []
        for line, row in versions:
            if row in seen or (held and row == held[0]):
                continue
            seen.append(row)
            version = self._version(table, row)
            if version == newest and (held is None or version >= self._version(table, held[0])):
                if held:
                    self.older[table].append(held)
                self.current[table][key] = (row, file, line)
                stored.add(line)
            elif not self._copy(table, row):
                self.older[table].append((row, file, line))
                stored.add(line)
        return stored

    def _copy(self, table: str, row: dict[str, Any]) -> bool:
        return any(older[0] == row for older in self.older[table])


def _rows(store: Store, table: str) -> list[tuple[Any, ...]]:
    columns = ["declaration_id", "item_number", "accepted_at"]
    columns += ["item_value", "recorded_at"] if "declarations" in table else ["is_illicit", "known_at"]
    return sorted(
        (tuple(str(row[column]) for column in columns), row["source_file"], row["source_line"])
        for row in stored(store, table)
    )


def _expected(table: str, rows: Any) -> list[tuple[Any, ...]]:
    columns = ["declaration_id", "item_number", "accepted_at"]
    columns += ["item_value", "recorded_at"] if table == "declarations" else ["is_illicit", "known_at"]
    return sorted((tuple(str(row[column]) for column in columns), file, line) for row, file, line in rows)


@quick
@given(several)
def test_every_line_ends_where_the_rules_say(files: tuple[MemoryBatch, ...]) -> None:
    oracle = Oracle()
    for batch in {batch.sha256: batch for batch in files}.values():
        oracle.ingest(batch)
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / "memory")
        report = ingest(MemorySource(files), store, LIMITS)
        assert report.rows_in == report.stored + report.quarantined + report.known == sum(len(f.lines) for f in files)
        assert (report.stored, report.known) == (oracle.stored, oracle.known)
        refused = {(row["source_file"], row["source_line"]) for row in store.quarantine().collect().to_dicts()}
        assert report.quarantined == len(refused)
        assert refused == oracle.quarantined
        for table in ("declarations", "outcomes"):
            assert _rows(store, table) == _expected(table, oracle.current[table].values())
            assert _rows(store, f"{table}_superseded") == _expected(table, oracle.older[table])


@quick
@given(several, st.randoms(use_true_random=False))
def test_known_files_change_nothing_in_any_order(files: tuple[MemoryBatch, ...], random: Any) -> None:
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / "memory")
        ingest(MemorySource(files), store, LIMITS)
        before = tree(store.root)
        again = [*files, *files]
        random.shuffle(again)
        report = ingest(MemorySource(tuple(again)), store, LIMITS)
        assert all(batch.is_skipped for batch in report.batches)
        assert tree(store.root) == before


@quick
@given(several)
def test_how_the_work_is_cut_does_not_show(files: tuple[MemoryBatch, ...]) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        whole = Store(Path(folder) / "whole")
        ingest(MemorySource(files), whole, LIMITS)
        for module in (staging, partitions):
            patch.setattr(module, "SAMPLE_EVERY", 1)
        patch.setattr(merging, "RANGE_ROWS", 2)
        patch.setattr(partitions, "GROUP_ROWS", 2)
        cut = Store(Path(folder) / "cut")
        ingest(MemorySource(files), cut, LIMITS)
        # Lines refused for contradicting others are found range by range, so only their order may differ.
        assert {name: digest for name, digest in tree(cut.root).items() if "quarantine" not in name} == {
            name: digest for name, digest in tree(whole.root).items() if "quarantine" not in name
        }
        assert (
            cut.quarantine()
            .sort("source_file", "source_line")
            .collect()
            .equals(whole.quarantine().sort("source_file", "source_line").collect())
        )


@quick
@given(several, st.integers(1, 40), st.integers(2, 8), st.lists(st.sampled_from(["USD", "KRW"]), min_size=1))
def test_batches_brought_in_together_end_as_one_by_one(
    files: tuple[MemoryBatch, ...], together: int, large: int, currencies: list[str]
) -> None:
    """Up to `together` lines are a group, and a batch of more than `large` lines is read in chunks.

    Which currency a source's amounts are in is told by the first batch of which declarations are stored.
    """
    told = iter(cycle(currencies))
    named = (
        MemoryBatch(f"file-{n % 2}.csv", tuple(_in_currency(line, next(told)) for line in batch.lines), large)
        for n, batch in enumerate(files)
    )
    files = tuple({batch.sha256: batch for batch in named}.values())
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        single, grouped = Store(Path(folder) / "single"), Store(Path(folder) / "grouped")
        reports = [ingest(MemorySource((batch,)), single, LIMITS).batches[0] for batch in files]
        patch.setattr(batches, "GROUP_LINES", together)
        report = ingest(MemorySource(files), grouped, LIMITS)
        assert [batch.record for batch in report.batches] == [batch.record for batch in reports]
        for found, expected in zip(report.batches, reports, strict=True):
            assert found.verdict.results == expected.verdict.results
        assert tree(grouped.root) == tree(single.root)


def _in_currency(line: Line, currency: str) -> Line:
    return replace(line, declaration=line.declaration and {**line.declaration, "currency": currency})


@quick
@given(several, st.randoms(use_true_random=False))
def test_versions_that_carry_their_instants_may_arrive_in_any_order(
    files: tuple[MemoryBatch, ...], random: Any
) -> None:
    """Where instants differ by content, what is in force in the end does not depend on who came first."""
    stamped = [MemoryBatch(batch.name, tuple(line for line in batch.lines if _says_when(line))) for batch in files]
    shuffled = list(stamped)
    random.shuffle(shuffled)
    with TemporaryDirectory() as folder:
        stores = [Store(Path(folder) / name) for name in ("one", "other")]
        for store, order in zip(stores, (stamped, shuffled), strict=True):
            ingest(MemorySource(tuple(order)), store, LIMITS)
        for table in ("declarations", "declarations_superseded"):
            one, other = ([row for row, _, _ in _rows(store, table)] for store in stores)
            assert one == other


def _says_when(line: Line) -> bool:
    """Keeps lines whose content follows from their instant, so that no two versions tie."""
    if line.declaration is None or line.unreadable:
        return False
    instant = line.declaration["recorded_at"]
    return line.declaration["item_value"] == (1.0 if instant == INSTANTS[1] else 2.0) and (
        line.declaration["accepted_at"].day == 1
    )


@quick
@given(st.lists(st.tuples(st.sampled_from(["a.csv", "b.csv"]), st.integers(1, 3)), min_size=2, max_size=8))
def test_the_file_that_changed_last_is_in_force_also_where_it_says_what_it_said_before(
    changes: list[tuple[str, int]],
) -> None:
    """Each file declares one row for all and one of its own."""
    there: dict[str, MemoryBatch] = {}
    in_force: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / "memory")
        for name, value in changes:
            rows = tuple(_declared(number, float(value)) for number in ("common", name))
            is_new = there.get(name) != MemoryBatch(name, rows)
            there[name] = MemoryBatch(name, rows)
            if is_new:
                in_force |= {"common": float(value), name: float(value)}
            report = ingest(MemorySource(tuple(there[each] for each in sorted(there))), store, LIMITS)
            assert [batch.record.file for batch in report.batches if not batch.is_skipped] == [name] * is_new
            found = {row["declaration_id"]: row["item_value"] for row in stored(store, "declarations")}
            assert found == in_force


def _declared(name: str, value: float) -> Line:
    return Line({"declaration_id": name, "accepted_at": datetime(2024, 3, 1, 9), "item_value": value})


@quick
@given(
    st.lists(st.tuples(st.sampled_from(["a.csv", "b.csv", "c.csv"]), st.integers(1, 3)), min_size=1, max_size=5),
    st.integers(1, 3),
)
def test_a_version_recorded_later_changes_nothing_of_what_was_in_force_before(
    arrived: list[tuple[str, int]], later: int
) -> None:
    """Of versions of one instant the one that arrived last was in force, whatever its file is called."""
    instants = [None] * len(arrived) + [datetime(2024, 3, 9)]
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / "memory")
        told = []
        for at, ((name, value), instant) in enumerate(zip([*arrived, ("d.csv", later)], instants, strict=True)):
            batch = MemoryBatch(f"{name}.{at}", (_said(float(value), instant),))  # a file that says the same is known
            ingest(MemorySource((batch,)), store, LIMITS)
            versions = declaration_versions(store.scan("declarations"), store.scan("declarations_superseded"))
            known = versions.filter(pl.col("known_on") == date(2024, 3, 1)).collect()
            told.append(known["item_value"].to_list())
    assert told == [[float(value)] for _, value in arrived] + [told[-2]]


def _said(value: float, recorded_at: datetime | None) -> Line:
    accepted_at = datetime(2024, 3, 1, 9)
    return Line(
        {"declaration_id": "D1", "accepted_at": accepted_at, "item_value": value, "recorded_at": recorded_at},
    )


def test_an_original_that_arrives_again_after_its_correction_is_known(tmp_path: Path) -> None:
    original, correction = _said(1.0, None), _said(2.0, datetime(2024, 3, 5))
    files = [[original], [correction], [original, original], [correction, original]]
    batches = tuple(MemoryBatch(f"file-{n}.csv", tuple(lines)) for n, lines in enumerate(files))
    store = Store(tmp_path / "memory")
    report = ingest(MemorySource(batches), store, LIMITS)
    assert [(batch.record.stored, batch.record.known) for batch in report.batches] == [(1, 0), (1, 0), (0, 2), (0, 2)]
    assert [row["item_value"] for row in stored(store, "declarations")] == [2.0]
    assert [row["item_value"] for row in stored(store, "declarations_superseded")] == [1.0]


def test_a_correction_that_arrives_before_its_original_stays_in_force(tmp_path: Path) -> None:
    batches = (
        MemoryBatch("correction.csv", (_said(2.0, datetime(2024, 3, 5)),)),
        MemoryBatch("original.csv", (_said(1.0, None),)),
    )
    store = Store(tmp_path / "memory")
    report = ingest(MemorySource(batches), store, LIMITS)
    assert (report.stored, report.superseded) == (2, 1)
    assert [row["item_value"] for row in stored(store, "declarations")] == [2.0]
    assert [row["source_file"] for row in stored(store, "declarations_superseded")] == ["original.csv"]


def test_without_instants_the_later_file_counts_even_if_it_says_what_was_said_before(tmp_path: Path) -> None:
    said = [_said(1.0, None), _said(2.0, None), _said(1.0, None)]
    batches = tuple(MemoryBatch(f"file-{n}.csv", (line,)) for n, line in enumerate(said))
    store = Store(tmp_path / "memory")
    assert ingest(MemorySource(batches), store, LIMITS).superseded == 2
    assert [row["item_value"] for row in stored(store, "declarations")] == [1.0]
    assert [row["item_value"] for row in stored(store, "declarations_superseded")] == [1.0, 2.0]
