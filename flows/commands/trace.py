"""The command `trace`: what answers for a decision, with every link checked; and the decisions that something touched.

It reads what only the user who runs `tidewaiter up` can read: the log of decisions, the desk and the data.
"""

import gc
import json
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any
from unicodedata import category

import typer
from rich.table import Table

from flows.commands.terminal import (
    EXIT_CODES,
    FAILED,
    NOT_JUDGED,
    PURGED,
    AsJson,
    begin,
    fail,
    failures,
    out,
    show_table,
)
from flows.commands.window import Replays
from flows.parameters import SourceName
from flows.settings import Settings

if TYPE_CHECKING:
    import polars as pl

    from models.decisions import Decision, DecisionLog
    from models.desk import History
    from models.evidence import Manifest
    from models.ledger import Case
    from models.registry import Registry
    from models.trace import Decided, Item, Link, Model, Trace, Traced

EPILOG = (
    f"{EXIT_CODES}; also 1 if a link is broken; 5 none is broken, and one could not be checked here; 6 neither, and "
    "one is about what a rule has purged."
)
_MARKS = {"held": "held       ", "broken": "BROKEN     ", "not checked": "not checked", "purged": "purged     "}
_KINDS = ("DECLARATION", "--file", "--company", "--outcome")


def trace(
    declaration: Annotated[str | None, typer.Argument(metavar="[DECLARATION]", help="Its reference.")] = None,
    item: Annotated[int | None, typer.Argument(metavar="[ITEM]", help="One item's number; default: all.")] = None,
    file: Annotated[str | None, typer.Option(metavar="NAME", help="A delivered file: what it touched.")] = None,
    company: Annotated[str | None, typer.Option(metavar="IDENTIFIER", help="As declarations name it.")] = None,
    outcome: Annotated[str | None, typer.Option(metavar="DECLARATION", help="Whose outcome: what knew of it.")] = None,
    source: Annotated[
        SourceName | None, typer.Option(help="Where it is stored.", show_default="the window's, or simulator")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what answers for a decision: what was known and said then, who signed the model, whether each link holds.

    The other way, with --file, --company or --outcome: the decisions that it touched. Nothing in a trace says how
    things stand now, so it is the same whatever came later.
    """
    asked = (declaration, file, company, outcome)
    if sum(each is not None for each in asked) != 1:
        raise typer.BadParameter(f"allowed: one of {', '.join(_KINDS)}")
    with _uncollected():
        settings = begin()
        name = source.value if source else settings.window_source or SourceName.SIMULATOR.value
        with failures(), _answering(), _log(settings) as log:
            if declaration is None:
                _show_touched(_touched(settings, name, log, file, company, outcome), as_json)
                return
            found = _traced(settings, name, log, declaration)
            if item is not None:
                found = found.of_item(item)
        _show(found, as_json)
    if found.state != "held":
        raise typer.Exit({"broken": FAILED, "purged": PURGED}.get(found.state, NOT_JUDGED))


@contextmanager
def _uncollected() -> Generator[None]:
    """Have Python's collector rest: it would go through the million objects of the imports again and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _answering() -> Generator[None]:
    """End the command with a sentence if the database of decisions, or MLflow, does not answer."""
    from mlflow.exceptions import MlflowException

    from models.database import Unavailable

    try:
        yield
    except (Unavailable, MlflowException) as error:
        fail(str(error).splitlines()[0])


@contextmanager
def _log(settings: Settings) -> Generator["DecisionLog | None"]:
    """Open the log of decisions; None where no window was ever open."""
    from models.decisions import DecisionLog

    if settings.decisions_database_uri is None and not settings.window_folder.joinpath("decisions.db").exists():
        yield None
        return
    with closing(DecisionLog(settings.decisions_uri)) as log:
        log.migrate()
        yield log


def _traced(settings: Settings, source: str, log: "DecisionLog | None", declaration: str) -> "Trace":
    from models.desk import exports, histories
    from models.ledger import Keys
    from models.policy import load as load_policy
    from models.trace import Night, Trace, Tracer, ledger, stored
    from models.workspace import incumbents

    registry, keys = cache(lambda: incumbents.registry_of(settings.places)), Keys(settings.signoff_folder)
    tracer = Tracer(
        log,
        Night.of(settings.places, source),
        lambda: ledger.read(settings.tracking_uri, keys, load_policy().signoff),
        lambda number: stored.read(registry, number),
        _Further(settings, source, log, registry),
    )
    decisions = tracer.decisions(declaration)
    if log is None:
        return Trace.of(declaration, decisions, ())
    with closing(exports.opened(settings.decisions_uri)) as desk:
        return Trace.of(declaration, decisions, histories(desk, declaration))


class _Further:
    """Checks what takes the installation's models and data; see models.trace.Further. A version is looked at once."""

    def __init__(
        self, settings: Settings, source: str, log: "DecisionLog | None", registry: "Callable[[], Registry]"
    ) -> None:
        self._places, self._source, self._registry = settings.places, source, registry
        self._replays = Replays(settings, log) if log else None
        self._links: dict[int | None, Sequence[Link]] = {}

    def of_version(self, case: "Case | None", evidence: "Manifest | None") -> "Sequence[Link]":
        from models.trace import stored

        number = case.version if case else None
        if number not in self._links:
            self._links[number] = list(stored.links(self._registry, self._places, case, evidence))
        return self._links[number]

    def of_decision(self, decision: "Decision") -> "Sequence[Link]":
        from mlflow.exceptions import MlflowException

        from models.retention import Gone
        from models.trace import Broken, NotChecked, Purged, judged

        gone: list[str] = []
        notes: list[str] = []

        def replay() -> None:
            assert self._replays  # the log has the decision
            try:
                found = self._replays.again(decision.decision_id)
            except Gone as error:
                gone.append(str(error))
                raise Purged(str(error)) from error
            except (LookupError, MlflowException, OSError, ValueError) as error:
                notes.append("the decision could not be made again")
                raise NotChecked(str(error).splitlines()[0]) from error
            notes.extend(found.notes)
            if found.differences:
                raise Broken(f"it comes out otherwise: {', '.join(found.differences)}")

        def compare_features() -> None:
            if gone:
                raise Purged(gone[0])
            if notes:
                raise NotChecked("; ".join(notes))

        says = "Made again from what is stored with it, the decision comes out the same, to the last bit."
        links = [judged("replay", decision.decision_id, says, replay)]
        if decision.morning:
            says = "The data still tell what was known that morning, to the last bit."
            links.append(judged("features", decision.morning, says, compare_features))
        return links

    def of_selection(
        self, number: int, rows: "pl.DataFrame", language: str, given: Mapping[int, Sequence[str]]
    ) -> "Sequence[Link]":
        from models.trace import again

        return again.of_selection(self._places, self._source, number, rows, language, given)


def _touched(
    settings: Settings,
    source: str,
    log: "DecisionLog | None",
    file: str | None,
    company: str | None,
    outcome: str | None,
) -> "list[Decided]":
    from models.policy import load as load_policy
    from models.trace import Night, by_company, by_file, by_outcome

    night = Night.of(settings.places, source)
    if file is not None:
        return by_file(log, night, file)
    if company is not None:
        return by_company(log, night, company)
    return by_outcome(log, night, outcome or "", load_policy().features.label_delay_days)


def _show_touched(touched: "list[Decided]", as_json: bool) -> None:
    if as_json:
        from msgspec import to_builtins

        sys.stdout.write(json.dumps(to_builtins(touched), indent=2, ensure_ascii=False) + "\n")
        return
    table = Table("declaration", "item", "version", "lane", "by", "decision", "when", "how")
    for each in touched:
        number, version = str(each.item_number), str(each.version)
        when = each.decided_at.isoformat(timespec="seconds")
        table.add_row(each.declaration_id, number, version, each.lane, each.by, each.id, when, each.how)
    show_table(table)
    out.print(f"Decisions about items that were touched: {len(touched):,}")


def _show(found: "Trace", as_json: bool) -> None:
    if as_json:
        from msgspec import to_builtins

        sys.stdout.write(json.dumps(to_builtins(found), indent=2, ensure_ascii=False) + "\n")
        return
    for line in _told(found):
        out.print(_plain(line), markup=False, highlight=False)


def _told(found: "Trace") -> Iterator[str]:
    """Yield the lines of a trace."""
    for each in found.decisions:
        yield from _told_decision(each)
    for case in found.cases:
        yield from _told_case(case)
    links = [link.state for each in found.decisions for link in each.links]
    broken, unchecked, purged = (links.count(state) for state in ("broken", "not checked", "purged"))
    if broken:
        yield f"{broken} of {len(links)} links broken, {unchecked} not checked."
    elif unchecked:
        yield f"No link is broken; {unchecked} of {len(links)} could not be checked here, which does not count as held."
    elif purged:
        yield f"No link is broken; {purged} of {len(links)} are about what a rule has purged, and the others hold."
    else:
        yield f"All {len(links)} links hold."


def _told_decision(each: "Traced") -> Iterator[str]:
    by = f"by the window, decision {each.id}" if each.by == "window" else f"by the night, selection {each.id}"
    yield f"Declaration {each.declaration_id}, version {each.version}: {each.lane}, {by}"
    yield f"  decided {each.decided_at.isoformat()} for {each.day}, office {each.office}" + (
        f", asked by {each.caller}" if each.caller else ""
    )
    yield f"  policy {each.policy_digest}" + (f", known that morning {each.morning}" if each.morning else "")
    for item in each.items:
        yield from _told_item(item)
    if each.model is None:
        yield f"  No model was asked: {each.unscored}"
    else:
        yield from _told_model(each.model)
    yield "  Links"
    for link in each.links:
        about = f" [{link.about}]" if link.about else ""
        yield f"    {_MARKS[link.state]} {link.name}: {link.says}{about}"
        if link.why:
            yield f"                {link.why}"


def _told_item(item: "Item") -> Iterator[str]:
    criterion = f" {item.criterion}" if item.criterion else ""
    yield f"  Item {item.item_number}: {item.lane}, reason {item.reason}{criterion}, chance {item.probability!r}"
    if item.score is not None:
        yield f"    score {item.score!r}, critical {item.critical!r}, expected revenue {item.expected_revenue!r}"
    for place, reason in enumerate(item.reasons, 1):
        moved = f"{reason.direction} the score ({reason.contribution:+.3f}): " if reason.contribution else ""
        yield f"    {place}. {moved}{reason.sentence}"
    if item.declared:
        yield f"    declared: {_listed(item.declared)}"
    groups = {reason.group for reason in item.reasons}
    if item.known:
        yield f"    known: {len(item.known)} features, which --json lists; those of the reasons:"
        from features.matrix import CATALOGUE

        behind = {each.name for each in CATALOGUE if each.group in groups}
        yield f"      {_listed({name: value for name, value in item.known.items() if name in behind})}"


def _told_model(model: "Model") -> Iterator[str]:
    yield f"  Model version {model.version}, digest {model.digest}"
    yield f"    evidence {model.evidence or 'not known'}"
    if model.promoted_at:
        yield f"    promoted {model.promoted_at.isoformat()}"
    for each in model.signers:
        yield f"    signed by {each.user}, {each.step}, {each.at.isoformat()}: {each.reason}"
    yield f"    data version {model.data_version or 'not known'}, code commit {model.code_commit or 'not known'}"


def _told_case(case: "History") -> Iterator[str]:
    yield f"Case {case.case} at the desk, look {case.look}; no chain holds what the desk has written down"
    for each in case.findings:
        about = f"item {each.finding.item_number}" if each.finding.item_number else "every inspected item"
        told = [each.finding.kind or "nothing", about]
        if each.finding.revenue is not None:
            told.append(f"recovered {each.finding.revenue!r}")
        told += [text for text in (each.finding.words, each.conflict and f"came too late: {each.conflict}") if text]
        yield f"  found {each.at.isoformat()} by {each.officer}: {', '.join(told)}"
    for event in case.events:
        yield f"  {event.at.isoformat()} {event.actor}: {event.action}{f' {event.words}' if event.words else ''}"


def _plain(line: str) -> str:
    """Return a line without what would move the cursor or begin another line: texts in it come from outside."""
    return "".join(
        each if each.isprintable() or category(each) == "Zs" else each.encode("unicode_escape").decode()
        for each in line
    )


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
