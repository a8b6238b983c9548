"""What was seen, as families of series in Prometheus's terms: instants in seconds since 1970, ages left to who asks."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily as Gauge

from features.store import Store
from flows.host import Status
from flows.watching.unjudged import Unjudged
from models.desk.standing import Standing
from models.ledger import Book
from models.ledger.lifecycle import State

Series = Sequence[tuple[Sequence[str], float]]


@dataclass(frozen=True)
class Drift:
    """Holds the last run of monitoring, as MLflow has it."""

    at: datetime
    drifted_columns: float
    is_breach: bool
    is_judged: bool


def family(name: str, says: str, labels: Sequence[str], series: Series) -> Gauge:
    """Return a family `tidewaiter_{name}` with a series for each tuple of labels."""
    made = Gauge(f"tidewaiter_{name}", says, labels=labels)
    for values, value in series:
        made.add_metric(values, value)
    return made


def of_status(status: Status) -> Iterator[Gauge]:
    """Yield what `tidewaiter status` finds well or not, and how the last nights ended."""
    checks = [((check.name,), float(check.is_ok)) for check in status.checks]
    yield family("check_ok", "Whether a check of `tidewaiter status` is well.", ("check",), checks)
    last, good = {}, {}
    for night in sorted(status.nights, key=lambda night: night.due_at):
        if night.started_at and night.duration_s is not None and night.state not in ("Running", "Pending"):
            last[night.deployment] = night
            if night.state == "Completed":
                good[night.deployment] = night
    yield family(
        "night_last_success_timestamp_seconds",
        "When the last good run of a nightly deployment ended.",
        ("deployment",),
        [((name,), night.started_at.timestamp() + night.duration_s) for name, night in good.items()],
    )
    yield family(
        "night_last_ok",
        "Whether the last run of a nightly deployment that ended did so well.",
        ("deployment",),
        [((name,), float(good.get(name) is night)) for name, night in last.items()],
    )
    yield family(
        "night_last_duration_seconds",
        "How long the last run of a nightly deployment that ended took.",
        ("deployment",),
        [((name,), night.duration_s) for name, night in last.items()],
    )


def of_unjudged(noted: Iterable[Unjudged]) -> Iterator[Gauge]:
    """Yield for how many nights monitoring could not judge a source."""
    series = [((each.source,), float(len(each.nights))) for each in noted]
    yield family("monitoring_unjudged_nights", "Nights in a row that could not be judged.", ("source",), series)


def of_drift(drift: Drift | None) -> Iterator[Gauge]:
    """Yield what the last run of monitoring found; nothing before the first one."""
    if drift is None:
        return
    yield family("drift_run_timestamp_seconds", "When drift was last computed.", (), [((), drift.at.timestamp())])
    yield family("drift_judged", "Whether all of it could be judged.", (), [((), float(drift.is_judged))])
    yield family("drift_drifted_columns", "Columns that drifted.", (), [((), drift.drifted_columns)])
    yield family("drift_breach", "Whether a bound was exceeded.", (), [((), float(drift.is_breach))])


def of_stores(stores: Mapping[str, Store]) -> Iterator[Gauge]:
    """Yield how far each source's data go, and how much of its last batch was refused."""
    found = {name: store.manifest() for name, store in stores.items()}
    batches = {name: manifest.batches for name, manifest in found.items()}
    yield family(
        "store_committed_timestamp_seconds",
        "When declarations were last stored.",
        ("source",),
        [((name,), store.committed_at / 1e9) for name, store in stores.items()],
    )
    yield family(
        "store_last_day_timestamp_seconds",
        "The last day of which declarations are stored, as its midnight in UTC.",
        ("source",),
        [
            ((name,), datetime.combine(max(manifest.parts["declarations"]), time(), UTC).timestamp())
            for name, manifest in found.items()
            if manifest.parts.get("declarations")
        ],
    )
    yield family("store_batches", "Batches stored.", ("source",), [((n,), float(len(b))) for n, b in batches.items()])
    yield family(
        "batch_quarantined_ratio",
        "Part of the last batch's lines that was refused.",
        ("source",),
        [
            ((name,), each[-1].quarantined / each[-1].rows_in)
            for name, each in batches.items()
            if each and each[-1].rows_in
        ],
    )


def of_ledger(book: Book, rows: int, at: datetime) -> Iterator[Gauge]:
    """Yield who decides, what waits, and until when; `rows` of the ledger were verified `at` this instant."""
    champion = book.cases.get(book.champion) if book.champion else None
    if champion and champion.promoted_at:
        yield family("champion_version", "The version that decides.", (), [((), float(champion.version))])
        yield family(
            "champion_promoted_timestamp_seconds", "Since when it does.", (), [((), champion.promoted_at.timestamp())]
        )
    states = [book.state(version, at) for version in book.cases]
    yield family(
        "versions", "Versions by state.", ("state",), [((state.value,), float(states.count(state))) for state in State]
    )
    ends = [
        ((str(case.version),), (min(each.at for each in signed) + case.valid_for).timestamp())
        for case in book.cases.values()
        if book.state(case.version, at) in (State.AWAITING, State.APPROVED) and (signed := case.in_force(at))
    ]
    yield family(
        "signature_ends_timestamp_seconds", "When a waiting version's first signature runs out.", ("version",), ends
    )
    yield family("ledger_rows", "Rows of the ledger.", (), [((), float(rows))])
    yield family("ledger_verified_timestamp_seconds", "When all of it was last verified.", (), [((), at.timestamp())])


def of_cases(standing: Iterable[Standing]) -> Iterator[Gauge]:
    """Yield the open cases of the desk, by lane."""
    found = list(standing)
    yield family("cases_open", "Open cases.", ("lane",), [((each.lane,), float(each.open)) for each in found])
    yield family(
        "cases_late", "Of them past their limit.", ("lane",), [((each.lane,), float(each.late)) for each in found]
    )
    oldest = [((each.lane,), each.oldest_at.timestamp()) for each in found]
    yield family("cases_oldest_timestamp_seconds", "Since when the oldest is open.", ("lane",), oldest)


def of_decisions(number: int, spool: Path) -> Iterator[Gauge]:
    """Yield how many decisions the log has, and how much waits in the spool because the database was away."""
    waiting = spool.stat().st_size if spool.exists() else 0
    yield family("decisions", "Decisions in the log.", (), [((), float(number))])
    yield family("decisions_spool_bytes", "What waits for the database of decisions.", (), [((), float(waiting))])


def of_disk(folders: Iterable[Path]) -> Iterator[Gauge]:
    """Yield the room that is left where runs write."""
    series = [((str(folder),), float(shutil.disk_usage(folder).free)) for folder in folders]
    yield family("disk_free_bytes", "Room that is left.", ("folder",), series)
