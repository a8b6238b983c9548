"""The command `dossier`: a paper about a version for those outside, as HTML and PDF, with the sources that it cites.

It reads what only the user who runs `tidewaiter up` can read: the log of decisions and the desk.
"""

from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.table import Table

from flows.commands.terminal import begin, fail, failures, out, show_table
from flows.parameters import Language


class Form(StrEnum):
    """A form that others ask for."""

    ANNEX_IV = "annex-iv"
    M_25_21 = "m-25-21"
    ATRS = "atrs"
    STUDY = "study"


def dossier(
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Of customs-risk, as MLflow counts them.")],
    form: Annotated[
        Form,
        typer.Option(
            "--for",
            help="annex-iv: EU AI Act. m-25-21: US inventory. atrs: UK record. study: the WCO's case study.",
        ),
    ],
    language: Annotated[Language, typer.Option(help="Of the paper; what people have answered stays as it is.")] = (
        Language.EN
    ),
    output: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, metavar="DIR", help="Where it goes.", show_default="dossiers in the state folder"
        ),
    ] = None,
) -> None:
    """Write the paper that a form asks for about a version, with a source for each statement, as HTML and PDF.

    What only people can say is read from dossier.toml in the state folder; the command lists what is still blank.
    """
    settings = begin()
    from mlflow.exceptions import MlflowException

    from flows.steps import records
    from models.clock import clock
    from models.database import Unavailable
    from models.disclosure import FILE, draw_up, gather, write

    answers = settings.state_folder / FILE
    now = clock(settings.time_zone or "UTC", settings.played_clock)()
    try:
        with failures(), TemporaryDirectory(prefix="tidewaiter-") as scratch, records.opened(settings) as (log, desk):
            material = gather(settings.places, version, now, Path(scratch), answers, log, desk)
            paper = draw_up(material, form.value, language.value)
            written = write(paper, material, output or settings.state_folder / "dossiers" / str(version))
    except (MlflowException, Unavailable) as error:
        fail(str(error).splitlines()[0])
    for path in (written.html, written.pdf, written.sources):
        out.print(str(path), markup=False)
    out.print(paper.count, markup=False)
    if paper.blanks:
        table = Table("key", "question")
        for blank in paper.blanks:
            table.add_row(blank.key, blank.question)
        show_table(table)
        out.print(f'Answer them in {answers}, a line each, as owner = "...", and write the paper again.', markup=False)
