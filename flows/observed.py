"""What others are told of every run: its lineage and its spans, in one place for all flows.

    @flow(name="retrain")
    @observed
    def retrain(...): ...

What a run reads and writes is said where it does so, by `reads` and `writes`; outside a run they say it to nobody. If
lineage cannot be written down, as on a full disk, the run goes on, and its log says so.
"""

import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from uuid import uuid5

from openlineage.client.event_v2 import RunState
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger

from features.store import Store, versioning
from flows.settings import Settings
from models import spans
from models.evidence import source_code
from models.lineage import Dataset, Log, Run, published

_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")


@dataclass
class _Observed:
    """A run under way, and what it has read and written so far."""

    run: Run
    reads: dict[Dataset, None] = field(default_factory=dict)
    writes: dict[Dataset, None] = field(default_factory=dict)


_under_way: ContextVar[_Observed | None] = ContextVar("under_way", default=None)


def observed(flow: Callable[_Given, _Found]) -> Callable[_Given, _Found]:
    """Return the flow's function such that each of its runs is told."""
    file = Path(inspect.getfile(flow)).relative_to(source_code.PROJECT).as_posix()

    @wraps(flow)
    def run(*args: _Given.args, **kwargs: _Given.kwargs) -> _Found:
        context = FlowRunContext.get()
        if context is None or context.flow is None or context.flow_run is None:
            return flow(*args, **kwargs)
        settings = Settings()
        spans.begin(settings.traces_url, "tidewaiter-flows")
        try:
            with spans.span(context.flow.name), _told(settings, context.flow.name, file, context.flow_run):
                return flow(*args, **kwargs)
        finally:
            spans.end()

    return run


def reads(*datasets: Dataset) -> None:
    """Say what the run under way reads."""
    if found := _under_way.get():
        found.reads |= dict.fromkeys(datasets)


def writes(*datasets: Dataset) -> None:
    """Say what the run under way has written."""
    if found := _under_way.get():
        found.writes |= dict.fromkeys(datasets)


def tell_published(settings: Settings) -> None:
    """Tell of every file that is stored, and of the version that was taken last, unless it was told before."""
    found, data = _under_way.get(), settings.data_folder
    if found is None or not data.is_dir():
        return

    def tell() -> None:
        stores = {store.root.name: store for store in map(Store, sorted(data.iterdir())) if store.exists}
        version, now = versioning.taken(data, settings.state_folder), _now()
        _log(settings).tell_once(published.events(stores, version, found.run, now), now)

    _written(tell)


@contextmanager
def _told(settings: Settings, name: str, file: str, flow_run: FlowRun) -> Generator[None]:
    """Tell that a run has started and how it has ended."""
    code = source_code.code_state()
    commit = f"{code.commit}-dirty" if code.is_dirty else code.commit
    under_way = _Observed(Run(_id(flow_run), name, settings.lineage_namespace, commit, file))
    begun = _written(lambda: _log(settings).begin(under_way.run, _now()))

    def end(state: RunState, why: str = "") -> None:
        namespace = settings.lineage_namespace
        read = [each.read(namespace) for each in under_way.reads]
        written = [each.written(namespace) for each in under_way.writes]
        if begun:
            _written(lambda: begun.end(state, _now(), read, written, why))

    token = _under_way.set(under_way)
    try:
        yield
    except Exception as error:
        # What an error says may be of a declaration; the run's log has it.
        end(RunState.FAIL, f"{type(error).__name__}; the log of the run says more.")
        raise
    except BaseException:  # the run was cancelled, or its process was asked to end
        end(RunState.ABORT)
        raise
    else:
        end(RunState.COMPLETE)
    finally:
        _under_way.reset(token)


def _id(flow_run: FlowRun) -> str:
    """Return the run's id in Prefect; one that is run again is another run for others."""
    return str(flow_run.id if flow_run.run_count <= 1 else uuid5(flow_run.id, str(flow_run.run_count)))


def _log(settings: Settings) -> Log:
    return Log(settings.lineage_folder)


def _written(write: Callable[[], Any]) -> Any:  # noqa: ANN401  whatever `write` returns
    try:
        return write()
    except Exception as error:  # noqa: BLE001  whatever is wrong with what is told of a run, the run goes on
        get_run_logger().warning("Lineage of this run is not written: %s", error)
        return None


def _now() -> datetime:
    return datetime.now(UTC)
