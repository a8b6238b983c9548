"""The quarter flow: post-market monitoring of the quarter that is over, as one page and PDF in each language."""

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from flows.observed import observed, reads, writes
from flows.parameters import Language
from flows.progress import stage
from flows.settings import Settings
from flows.steps import records
from models.clock import clock
from models.decisions import DecisionLog
from models.desk import Desk
from models.disclosure import FILE as ANSWERS
from models.disclosure import QUARTER, Span, draw_up, gather, write
from models.lineage import datasets
from models.workspace import incumbents

FOLDER = "quarters"  # below the state folder's reports


@flow(name="quarter")
@observed
def quarter() -> str | None:
    """Write the report of the quarter that is over; return its name, or None if no version is in force."""
    settings = Settings()
    span = before(clock(settings.time_zone or "UTC", settings.played_clock)())
    return write_report(settings, span)


@task(name="write the report", retries=2, retry_delay_seconds=10, cache_policy=NO_CACHE)
def write_report(settings: Settings, span: Span) -> str | None:
    """Write the pages of a quarter. Retried: MLflow may be restarting."""
    folder = settings.state_folder / "reports" / FOLDER / span.name
    with stage("Write the report"), TemporaryDirectory(prefix="tidewaiter-") as scratch:
        in_force = incumbents.champion(settings.places, Path(scratch) / "champion")
        if in_force is None:
            get_run_logger().warning("no version is in force, so there is nothing to report on")
            return None
        with _records(settings) as (log, desk):
            evidence = Path(scratch) / "evidence"
            evidence.mkdir()
            answers = settings.state_folder / ANSWERS
            version = int(in_force.version)
            reads(datasets.model(in_force.version))
            material = gather(settings.places, version, span.until, evidence, answers, log, desk, span)
        for language in Language:
            write(draw_up(material, QUARTER, language.value), material, folder)
        writes(datasets.report(FOLDER, in_force.source, span.name))
    return span.name


def before(now: datetime) -> Span:
    """Return the last quarter that is over at an instant, in its zone.

    >>> from datetime import UTC
    >>> before(datetime(2026, 1, 1, 6, tzinfo=UTC)).name, before(datetime(2026, 12, 31, tzinfo=UTC)).name
    ('2025-Q4', '2026-Q3')
    """
    until = now.replace(month=3 * ((now.month - 1) // 3) + 1, day=1, hour=0, minute=0, second=0, microsecond=0)
    year, month = (until.year - 1, 10) if until.month == 1 else (until.year, until.month - 3)
    return Span(f"{year}-Q{(month + 2) // 3}", until.replace(year=year, month=month), until)


def _records(settings: Settings) -> AbstractContextManager[tuple[DecisionLog | None, Desk | None]]:
    """Open what window and desk have kept; nothing where the run's own user may not read it, and the page says so."""
    try:
        (settings.window_folder / "decisions.db").exists()
    except PermissionError:
        get_run_logger().warning("this run may not read the records of window and desk, so the page has none of them")
        return nullcontext((None, None))
    return records.opened(settings)
