"""How a run says what it is doing: it shows bars on a terminal and writes lines into a log.

Stages report through the reporter that is in force, so that a task is the same under the command line and a worker.
"""

import logging
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from time import perf_counter
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from features.progress import Progress
from models import spans


class Reporter(Protocol):
    """A callable that opens a stage. What the stage yields takes (done, all), and need not be called.

    `is_wait` says that nobody knows how long the stage lasts; it is then announced when it begins.
    """

    def __call__(self, name: str, is_wait: bool = False) -> AbstractContextManager[Progress]: ...


@contextmanager
def _to_log(name: str, is_wait: bool = False) -> Generator[Progress]:
    # Imported here, because importing Prefect takes seconds and makes a folder at home, and a back-test needs neither.
    from prefect.logging import get_run_logger

    started = perf_counter()
    logger = get_run_logger()
    logger.info("%s", name)
    yield lambda done, every: None
    logger.info("%s: done in %.1f s", name, perf_counter() - started)


_reporter: ContextVar[Reporter] = ContextVar("reporter", default=_to_log)


def run_name(flow: str) -> str:
    """Return the name by which people know a run: its deployment and its name in Prefect, or its command."""
    from prefect.runtime import deployment, flow_run

    return f"{flow}/{deployment.name}, run {flow_run.name}" if deployment.name else f"tidewaiter {flow}"


@contextmanager
def stage(name: str) -> Generator[Progress]:
    """Open a stage of the run under way; the reporter in force shows it."""
    with spans.span(name), _reporter.get()(name) as advance:
        yield advance


def wait(name: str) -> AbstractContextManager[Progress]:
    """Open a stage in which the run waits for others."""
    return _reporter.get()(name, is_wait=True)


class _Warnings(logging.Handler):
    """A log handler that shows warnings on a console."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self.console = console

    def emit(self, record: logging.LogRecord) -> None:
        self.console.print(record.getMessage(), markup=False, soft_wrap=True)


@contextmanager
def on_terminal(console: Console, is_flow: bool = True) -> Generator[None]:
    """Show stages on `console`: live bars where a person looks on, otherwise a line when each is done.

    The stages of a flow are also written to the log of its run, and so are the warnings of the features' code.
    """
    features, warnings = logging.getLogger("features"), _Warnings(console)
    columns = (
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
        # Without `tidewaiter up` a flow first starts a server of its own: ten seconds, a minute on a busy machine.
        start = bars.add_task("Start Prefect", total=None) if is_flow else None

        @contextmanager
        def report(name: str, is_wait: bool = False) -> Generator[Progress]:
            if start is not None:
                bars.update(start, completed=1, total=1)
            started = perf_counter()
            bar = bars.add_task(name, total=None)
            if is_wait and not console.is_terminal:
                console.print(f"{name} ...", markup=False)
            with _to_log(name) if is_flow else nullcontext():
                yield lambda done, every: bars.update(bar, completed=done, total=every)
            total = bars.tasks[bar].total or 1
            bars.update(bar, completed=total, total=total)
            if not console.is_terminal:
                console.print(f"{name}: {perf_counter() - started:.1f} s", markup=False)

        token = _reporter.set(report)
        features.addHandler(warnings)
        try:
            yield
        finally:
            features.removeHandler(warnings)
            _reporter.reset(token)
