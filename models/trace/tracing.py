"""From a declaration to its trace: each decision as it was given, its links, and what the desk made of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Protocol, Self

import msgspec
import polars as pl

from models.decisions import Decision, DecisionLog
from models.desk import History, record
from models.evidence import Manifest
from models.ledger import Case
from models.targeting import work_lists
from models.trace import chained, version
from models.trace.ledger import Ledger
from models.trace.links import NOT_CHECKED, Broken, Link, NotChecked, State, judged, verdict
from models.trace.night import Night
from models.trace.version import Behind, Model, Span

WINDOW, NIGHT = "window", "night"


class Given(msgspec.Struct, frozen=True):
    """A reason in the words in which it was given.

    The night keeps the words alone. The window keeps `group`, `direction` and `contribution`, too, see models/reasons.
    """

    sentence: str
    group: str = ""
    direction: str = ""
    contribution: float | None = None


class Item(msgspec.Struct, frozen=True):
    """Tells what was decided about an item; `probability` is the chance that it was inspected.

    `declared` has what was declared of it, and `known` the features that had a value; the night keeps none of these.
    """

    item_number: int
    lane: str
    reason: str
    criterion: str
    probability: float
    score: float | None
    critical: float | None
    expected_revenue: float | None
    reasons: tuple[Given, ...]
    declared: dict[str, Any]
    known: dict[str, Any]


class Traced(msgspec.Struct, frozen=True):
    """A decision `by` the window or the night, as it was given, and its links.

    `id` is the decision's, or the number of the night's selection. `caller` and `language` are those of the asker;
    `morning` is the digest of what was known. `model` is None where none was asked, and `unscored` says why.
    """

    by: str
    id: str
    declaration_id: str
    version: int
    decided_at: datetime
    day: date
    office: str
    lane: str
    caller: str
    language: str
    morning: str
    policy_digest: str
    unscored: str
    items: tuple[Item, ...]
    model: Model | None
    links: tuple[Link, ...]


class Trace(msgspec.Struct, frozen=True):
    """Holds all that answers for a declaration: its decisions in their order, and its cases at the desk."""

    declaration_id: str
    state: State
    decisions: tuple[Traced, ...]
    cases: tuple[History, ...]

    @classmethod
    def of(cls, declaration_id: str, decisions: Sequence[Traced], cases: Sequence[History]) -> Self:
        """Put together what was found; LookupError if nothing was ever decided."""
        if not decisions:
            raise LookupError(f"nothing was ever decided about declaration {declaration_id!r}")
        links = [link for each in decisions for link in each.links]
        return cls(declaration_id, verdict(links), tuple(decisions), tuple(cases))

    def of_item(self, item_number: int) -> Self:
        """Return the trace with what was decided about one item alone; LookupError if there is no such item."""
        decisions = tuple(
            msgspec.structs.replace(each, items=own)
            for each in self.decisions
            if (own := tuple(item for item in each.items if item.item_number == item_number))
        )
        if not decisions:
            known = sorted({item.item_number for each in self.decisions for item in each.items})
            allowed = ", ".join(map(str, known))
            raise LookupError(f"declaration {self.declaration_id} has no item {item_number}; allowed: {allowed}")
        return msgspec.structs.replace(self, decisions=decisions)


class Further(Protocol):
    """Checks what takes an installation's models and data."""

    def of_version(self, case: Case | None, evidence: Manifest | None) -> Sequence[Link]:
        """Return the links of a version beyond its manifest."""
        ...

    def of_decision(self, decision: Decision) -> Sequence[Link]:
        """Return whether a decision of the window comes out the same again."""
        ...

    def of_selection(
        self, number: int, rows: pl.DataFrame, language: str, given: Mapping[int, tuple[str, ...]]
    ) -> Sequence[Link]:
        """Return whether a selection (selection_log.SCHEMA) and its facts, by item, come out the same again."""
        ...


class Unchecked:
    """Checks nothing further, as on a page that somebody waits for, and says so."""

    def of_version(self, case: Case | None, evidence: Manifest | None) -> Sequence[Link]:
        """Return the links of a version beyond its manifest, not checked."""
        data, commit = (evidence.data_version, evidence.code.commit) if evidence else ("", "")
        return [_unchecked("files"), _unchecked("data", data), _unchecked("code", commit)]

    def of_decision(self, decision: Decision) -> Sequence[Link]:
        """Return that a decision was not made again."""
        links = [_unchecked("replay")]
        return [*links, _unchecked("features", decision.morning)] if decision.morning else links

    def of_selection(
        self, number: int, rows: pl.DataFrame, language: str, given: Mapping[int, Sequence[str]]
    ) -> Sequence[Link]:
        """Return that a selection was not made again."""
        return [_unchecked("selection"), _unchecked("score"), _unchecked("reasons")]


@dataclass(frozen=True)
class Tracer:
    """Traces decisions by what is kept.

    `log` is None where no window was ever open, `night` where nothing was stored. `ledger` gives the link that says
    whether the ledger is whole, and the ledger if it is. `read` gives the stored manifest of a version, and `further`
    checks the rest.
    """

    log: DecisionLog | None
    night: Night | None
    ledger: Callable[[], tuple[Link, Ledger | None]]
    read: Callable[[int], bytes]
    further: Further

    def decisions(self, declaration_id: str) -> tuple[Traced, ...]:
        """Return the decisions about a declaration: the window's, or where there is none the night's.

        Unavailable if the log does not answer.
        """
        link, ledger = self.ledger()
        if self.log and (found := self.log.numbered(declaration_id)):
            return tuple(self._of_window(self.log, number, decision, link, ledger) for number, decision in found)
        if self.night is None:
            return ()
        return tuple(
            self._of_night(self.night, number, rows, link, ledger)
            for number, rows in self.night.selections.of([declaration_id])
        )

    def _of_window(
        self, log: DecisionLog, number: int, decision: Decision, whole: Link, ledger: Ledger | None
    ) -> Traced:
        before, after = ledger.around(number) if ledger else (None, None)
        span = before.at if before else None, after.at if after else None
        behind = self._behind(decision.model_version, decision.model_digest, span, ledger)
        of_model = (*behind.links, *self.further.of_version(behind.case, behind.evidence)) if behind else ()
        return Traced(
            WINDOW,
            decision.decision_id,
            decision.declaration_id,
            decision.version,
            decision.received_at,
            decision.day,
            decision.office,
            decision.lane,
            decision.caller,
            decision.language,
            decision.morning,
            decision.policy_digest,
            decision.unscored,
            tuple(_items(log, decision)),
            behind.model if behind else None,
            (*chained.links(log, number, decision, ledger), whole, *of_model, *self.further.of_decision(decision)),
        )

    def _of_night(self, night: Night, number: int, rows: pl.DataFrame, whole: Link, ledger: Ledger | None) -> Traced:
        rows = rows.sort("item_number")
        first = rows.row(0, named=True)
        listed, language, given = _listed(night.work_lists / f"{number:06}.csv", rows)
        at: datetime = first["selected_at"]
        behind = self._behind(first["model_version"], first["model_digest"], (at, at), ledger)
        of_model = (*behind.links, *self.further.of_version(behind.case, behind.evidence)) if behind else ()
        declared = {row["item_number"]: row for row in night.declared(first["declaration_id"]).to_dicts()}
        return Traced(
            NIGHT,
            str(number),
            first["declaration_id"],
            1,
            at.astimezone(UTC),
            first["accepted_on"],
            first["office"],
            min(rows["lane"], key=record.rank),
            "",
            language,
            "",
            first["policy_digest"],
            "",
            tuple(_selected(row, given, declared) for row in rows.iter_rows(named=True)),
            behind.model if behind else None,
            (listed, whole, *of_model, *self.further.of_selection(number, rows, language, given)),
        )

    def _behind(self, number: str, digest: str, span: Span, ledger: Ledger | None) -> Behind | None:
        return version.behind(number, digest, span, ledger, self.read) if number else None


def _unchecked(name: str, about: str = "") -> Link:
    return Link(name, about, "", NOT_CHECKED)


def _items(log: DecisionLog, decision: Decision) -> list[Item]:
    listed = log.document(decision.feature_names) if decision.feature_names else None
    names = [name for name, _ in msgspec.json.decode(listed.content)] if listed else []
    found = []
    for place, (item, declared) in enumerate(zip(decision.items, decision.declared, strict=True)):
        values = decision.features[place] if decision.features else ()
        known = {name: value for name, value in zip(names, values, strict=bool(names)) if value is not None}
        found.append(
            Item(
                item.item_number,
                item.lane,
                item.reason,
                item.criterion,
                item.probability,
                item.score,
                item.critical,
                item.expected_revenue,
                tuple(Given(each.sentence, each.group, each.direction, each.contribution) for each in item.reasons),
                _stated(declared),
                known,
            )
        )
    return found


def _selected(
    row: Mapping[str, Any], given: Mapping[int, tuple[str, ...]], declared: Mapping[int, Mapping[str, Any]]
) -> Item:
    number = row["item_number"]
    return Item(
        number,
        row["lane"],
        row["reason"],
        row["criterion"] or "",
        row["selection_probability"],
        row["score"],
        row["critical"],
        row["expected_revenue"],
        tuple(Given(fact) for fact in given.get(number, ())),
        _stated(declared.get(number, {})),
        {},
    )


def _listed(path: Path, rows: pl.DataFrame) -> tuple[Link, str, dict[int, tuple[str, ...]]]:
    """Return whether the work list has the items that were put into a lane, its language, and its facts by item."""
    found: list[tuple[str, dict[int, tuple[str, ...]]]] = []

    def check() -> None:
        try:
            found.append(work_lists.given(path, rows["declaration_id"][0]))
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            raise NotChecked(f"the list cannot be read: {str(error).splitlines()[0]}") from error
        chosen = set(rows.filter(pl.col("lane") != record.GREEN)["item_number"])
        if chosen != found[0][1].keys():
            raise Broken(f"the list has the items {sorted(found[0][1])}, and {sorted(chosen)} were selected")

    says = "The officers' work list has the items that were put into a lane, and no others."
    link = judged("work list", path.name, says, check)
    language, given = found[0] if found else ("", {})
    return link, language, given


def _stated(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row of the contract states, without what it leaves open."""
    return {name: value for name, value in row.items() if value is not None}
