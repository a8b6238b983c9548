"""The window's log and the desk of an installation, opened for reading; only the user of `tidewaiter up` can."""

from collections.abc import Generator
from contextlib import closing, contextmanager

from flows.settings import Settings
from models import policy
from models.clock import clock
from models.decisions import DecisionLog
from models.desk import Desk


@contextmanager
def opened(settings: Settings) -> Generator[tuple[DecisionLog | None, Desk | None]]:
    """Open both; None for both where there was never a window."""
    if settings.decisions_database_uri is None and not (settings.window_folder / "decisions.db").exists():
        yield None, None
        return
    now, rules = clock(settings.time_zone or "UTC", settings.played_clock), policy.load().desk
    with (
        closing(DecisionLog(settings.decisions_uri)) as log,
        closing(Desk.kept_in(settings.desk_folder, settings.decisions_uri, rules, now)) as desk,
    ):
        log.migrate()
        desk.migrate()
        yield log, desk
