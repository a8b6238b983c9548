"""The commands of the inspection desk (`desk`): its cases for another case system, and what was found there.

They open the database of decisions, and so are for the user who runs `tidewaiter up`.
"""

import getpass
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.terminal import EXIT_CODES, begin, fail, failures, out

if TYPE_CHECKING:
    from models.desk import Desk, Officer

desk = typer.Typer(no_args_is_help=True, help="Cases of the inspection desk for another case system, and its findings.")

_Offices = Annotated[list[str], typer.Option("--office", help="Whose cases, as declarations have it; repeatable.")]


@desk.command("export", epilog=f"{EXIT_CODES}.")
def desk_export(
    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="Ends with .csv or .jsonl.")],
    office: _Offices,
) -> None:
    """Write the open cases of offices into a file, by time limit; nothing in it tells why one was chosen."""
    with _opened(office) as (found, officer):
        from models.desk import interchange

        count = interchange.write_cases(found, officer, file)
    out.print(f"{count:,} open cases are in {file}.", markup=False)


@desk.command("import", epilog=f"{EXIT_CODES}.")
def desk_import(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="CSV, JSON lines, ...")],
    office: _Offices,
) -> None:
    """File what another case system found; all of the file comes in, or nothing and every fault is named."""
    with _opened(office) as (found, officer):
        from models.desk import interchange

        filed = interchange.read_findings(found, officer, file)
    late = sum(bool(each.conflict) for each in filed)
    out.print(f"{len(filed):,} findings are filed, {late:,} of which came too late and wait for a supervisor.")


@contextmanager
def _opened(offices: list[str]) -> Generator[tuple["Desk", "Officer"]]:
    """Open the desk for who runs the command, as a supervisor of these offices; a user's error is a sentence."""
    settings = begin()
    from models import policy
    from models.clock import clock
    from models.database import Unavailable
    from models.decisions import DecisionLog
    from models.desk import Desk, Night, Officer

    try:
        with failures(), closing(DecisionLog(settings.decisions_uri)) as log:
            now = clock(settings.time_zone or "UTC", settings.played_clock)
            rules = policy.load().desk
            with closing(Desk.kept_in(settings.desk_folder, settings.decisions_uri, rules, now)) as found:
                log.migrate()
                found.migrate()
                found.cases.follow(log)
                if settings.window_source:
                    found.cases.follow_night(Night.of(settings.places, settings.window_source), log)
                yield found, Officer(getpass.getuser(), tuple(offices), is_supervisor=True)
    except Unavailable as error:
        fail(str(error))
