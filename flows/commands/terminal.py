"""What the commands have in common on the terminal: where they print, how they fail, and their exit codes."""

import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tomllib import TOMLDecodeError
from types import FrameType
from typing import Annotated, NoReturn, TypeVar

import psutil
import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError
from rich.console import Console
from rich.table import Table
from typer._click import Context
from typer.core import TyperGroup

from features.validation import verdicts
from flows.processes import machine, running, unfinished
from flows.servers import embedded
from flows.settings import FILE, PREFIX, Settings

OK, FAILED, USAGE, NOT_RUNNING, GATES_FAILED, NOT_JUDGED, PURGED = range(7)
INTERRUPTED = 128 + signal.SIGINT
FAILURES_SHOWN = 3
_WIDEST = 100_000  # characters of a table's line; no table is wider
EXIT_CODES = "Exit codes: 0 done; 1 failed, the reason is on stderr; 2 wrong options or settings"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts, and nothing else on stdout.")]
InputFiles = Annotated[
    list[str] | None, typer.Option("--input", metavar="GLOB", help="Files, quoted ('data/*.csv'); may be repeated.")
]
MappingFile = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="Which column is which, TOML; for --source files.")
]

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

_T = TypeVar("_T")


def checked(build: Callable[[], _T]) -> _T:
    """Return what `build` makes; if it refuses values, print each refusal and end the command."""
    try:
        return build()
    except ValidationError as error:
        for each in error.errors():
            err.print(_refused(each, is_setting=error.title == Settings.__name__), markup=False)
        raise typer.Exit(USAGE) from None
    except SettingsError as error:
        fail(f'{error}: {error.__cause__}; allowed: JSON, as ["first", "second"]', USAGE)
    except (TOMLDecodeError, UnicodeDecodeError) as error:
        fail(f"{FILE}: not TOML in UTF-8: {error}", USAGE)


class Commands(TyperGroup):
    """The group of commands; it words the refusal of options and arguments as that of settings."""

    def invoke(self, ctx: Context) -> object:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            if isinstance(error.__cause__, ValidationError):
                error.message = _sentence(error.__cause__.errors()[0])
            raise


def _refused(error: ErrorDetails, is_setting: bool) -> str:
    """Return one line that says which value was given where, and what is allowed."""
    if not error["loc"]:
        return _sentence(error)
    name = ".".join(str(part) for part in error["loc"])
    if not is_setting:
        return f"--{name.replace('_', '-')}: {_sentence(error)}"
    variable = PREFIX + name.upper()
    return f"{variable if variable in os.environ else f'{FILE}: {name}'}: {_sentence(error)}"


def _sentence(error: ErrorDetails) -> str:
    """Return the value and what is allowed.

    Our own sentences name the value; one that may hold a password is not repeated.
    """
    said = error["msg"].removeprefix("Value error, ")
    is_told = error["type"] == "value_error" or "@" in str(error["input"])
    return said if is_told else f"{error['input']!r} is not allowed: {said}"


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Print a sentence and end the command with an exit code."""
    err.print(message, markup=False)
    raise typer.Exit(code)


def begin() -> Settings:
    """Return the settings; set this process's environment up for Prefect and MLflow, before either is imported."""
    signal.signal(signal.SIGINT, _stop)
    settings = checked(Settings)
    with failures():
        unfinished.refuse(settings.state_folder)
        return embedded.use(settings)


def _stop(signum: int, frame: FrameType | None) -> None:
    """End at once.

    An orderly end would take a minute: Ctrl-C ends the temporary server too, and Prefect would go on asking it. Every
    stage can be killed and taken up again.
    """
    for child in psutil.Process().children(recursive=True):
        child.kill()
    err.print("Stopped. What was done is kept; the same command goes on from there.")
    os._exit(INTERRUPTED)


def tell_whom_to_wait_for(settings: Settings) -> None:
    """Say at once that another run has to end first: starting a flow takes a while before it can say so itself."""
    if other := running.holder(settings.state_folder):
        err.print(f"This waits for {other}.", markup=False)


def show_table(table: Table) -> None:
    """Print a table whole: its lines are as long as they have to be, in a narrow terminal and in a file too."""
    for column in table.columns:
        column.no_wrap = True
    wide = Console(width=_WIDEST)
    wide.width = wide.measure(table).maximum
    wide.print(table)


@contextmanager
def failures() -> Generator[None]:
    """End the command with a sentence if a user caused the error; other errors are our faults and keep their traces."""
    from features.ingestion import IngestRejected
    from features.reading import files
    from features.store import StoreError, versioning
    from flows.compute import ClusterError
    from models.ledger import LedgerError

    named = (files.ReadError, StoreError, versioning.VersionError, LedgerError, ClusterError)
    try:
        yield
    except IngestRejected as error:
        fail("\n".join([str(error), *_worst(error.rejected.results)]))
    except Exception as error:
        if told := machine.refusal(error, checked(Settings)):
            fail(told)
        if isinstance(error, OSError) and error.filename is not None:
            fail(f"{error.filename}: {error.strerror}")
        # The first two are faults of ours, whose text alone says nothing.
        is_fault = isinstance(error, (KeyError, IndexError))
        if is_fault or not isinstance(error, (*named, ValueError, LookupError)):
            raise
        fail(str(error))


def _worst(results: Iterable[verdicts.ExpectationResult]) -> Iterator[str]:
    """Yield a line for each of the expectations that most lines of a rejected batch fail."""
    failed = {(each.name, each.column): each for each in results if each.severity == "row" and each.unexpected}
    for each in sorted(failed.values(), key=lambda each: -each.unexpected)[:FAILURES_SHOWN]:
        first = next(iter(each.examples), None)
        example = f"the first is line {first.source_line}: {first.value}" if first else each.says
        yield f"  {each.unexpected:,} lines: {each.name} ({each.column}), {example}"
