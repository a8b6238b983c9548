"""One declaration after another gets its decision, which is kept before it is told; places are used up in this order.

One thread decides. What waits when it comes round is judged together, decided one by one, and kept in one commit. If
the database does not answer, decisions go to the spool, and if that fails too nobody is answered and nothing has
happened. A declaration that comes again with the same content gets the answer that it had.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import date
from typing import NamedTuple

import polars as pl

from models import spans
from models.decisions import Decision, DecisionLog, Document, Head, Spool, Unavailable, record
from models.live import Plan, State
from models.window.answering import Asked, decide
from models.window.ground import Ground, Judged, columns_as_json, digest_of_columns

MOST_ROWS = 500  # items judged together
MOST_WAITING = 5_000  # items
LATEST_S = 5.0  # whoever has waited longer has given up, or soon will
RETRY_S = 1.0  # until the spool is tried again
_JSON = "application/json"

_log = logging.getLogger(__name__)


class NotDecided(RuntimeError):
    """There is no decision, and asking again later is right. The message says why."""


class NotYours(ValueError):
    """A declaration was lodged by somebody else, and the caller may speak of its own alone. The message is its id."""


@dataclass(frozen=True)
class _Job:
    """The declarations of one message, and who waits for their decisions."""

    asked: Sequence[Asked]
    documents: Mapping[str, Document]
    came_at: float
    decisions: "Future[list[Decision]]"
    asked_in: "spans.Parent" = field(default_factory=spans.here)

    @property
    def rows(self) -> int:
        return sum(each.rows.height for each in self.asked)


class _Before(NamedTuple):
    """Holds the `last` decision about a declaration, and the one in which chance was `drawn` for its goods."""

    last: Decision | None
    drawn: Decision | None


@dataclass
class _Memory:
    """Remembers what was decided, as far as the next decision needs it.

    `last` has the last decision about each declaration of the day, and `drawn` the first about the goods of each key.
    `known` has the ids of all declarations ever decided, and `keys` what their chances were drawn for. `offices` has
    each office's last day, and the state after its last decision.
    """

    head: Head
    day: date | None = None
    last: dict[str, Decision] = field(default_factory=dict)
    drawn: dict[str, Decision] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    offices: dict[str, tuple[date, State]] = field(default_factory=dict)

    def take(self, decision: Decision) -> None:
        """Take a decision in that follows on all before it."""
        if decision.day != self.day:
            self.day, self.last, self.drawn = decision.day, {}, {}
        self.last[decision.declaration_id] = decision
        self.known.add(decision.declaration_id)
        if decision.key not in self.keys:
            self.keys.add(decision.key)
            self.drawn[decision.key] = decision
        self.offices[decision.office] = (decision.day, State.from_json(decision.after.encode()))

    def state(self, office: str, day: date, plan: Plan) -> State:
        """Return the state of an office on a day; before its first decision it is the morning's by `plan`."""
        last, state = self.offices.get(office, (None, None))
        if state is None or last != day:
            return State.morning(plan, state.evening() if state else None)
        return state


class Decider:
    """The one who decides; `ground` gives the present ground, and `fallback` one for the case that the model fails.

    `has_read` is set once the tables of the log are made, and what was decided before is read.
    """

    def __init__(
        self, log: DecisionLog, spool: Spool, ground: Callable[[], Ground], fallback: Callable[[str], Ground]
    ) -> None:
        self._log, self._spool, self._ground, self._fallback = log, spool, ground, fallback
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        self._waiting, self._lock = 0, threading.Lock()
        self._plans: dict[str, Plan] = {}
        self._kept: set[str] = set()  # digests of documents that are in the log for sure
        self._memory: _Memory | None = None
        self.has_read = threading.Event()
        self._thread = threading.Thread(target=self._run, name="decider", daemon=True)

    def start(self) -> None:
        """Begin to decide; decisions made before are read first."""
        self._thread.start()

    def stop(self) -> None:
        """Decide what waits, and end."""
        self._jobs.put(None)
        self._thread.join()

    @property
    def is_ready(self) -> bool:
        """Say whether earlier decisions have been read; until then, nothing can be decided."""
        return self._memory is not None

    def ask(
        self, asked: Sequence[Asked], documents: Mapping[str, Document], came_at: float | None = None
    ) -> "Future[list[Decision]]":
        """Return what will be the decisions, in the order of `asked`; NotDecided, here or later, if there are none.

        `documents` are those that the declarations name by digest. No declaration may be there twice. `came_at` is when
        somebody began to wait, by `time.monotonic`: now, if it is not given.
        """
        job = _Job(asked, documents, time.monotonic() if came_at is None else came_at, Future())
        job.decisions.set_running_or_notify_cancel()  # who gives up waiting cannot take back what is being decided
        with self._lock:
            if self._waiting + job.rows > MOST_WAITING and self._waiting:
                raise NotDecided(f"{self._waiting} items are waiting")
            self._waiting += job.rows
        self._jobs.put(job)
        return job.decisions

    def _run(self) -> None:
        put_off: list[_Job] = []
        is_ending = False
        while not (is_ending and not put_off):
            jobs, put_off = put_off, []
            try:
                job = self._jobs.get(timeout=0 if jobs else RETRY_S)
                is_ending = is_ending or job is None
                jobs += [job] if job else []
                while sum(each.rows for each in jobs) < MOST_ROWS:
                    job = self._jobs.get_nowait()
                    is_ending = is_ending or job is None
                    jobs += [job] if job else []
            except queue.Empty:
                pass
            now, put_off = _apart(jobs)
            self._serve(now)

    def _serve(self, jobs: list[_Job]) -> None:
        """Decide jobs, none of which asks about a declaration of another one; whatever happens, each is answered."""
        try:
            memory, ground = self._ready(), self._ground()
            before: dict[str, _Before] = {}
            going = [job for job in jobs if self._goes(job, memory, ground, before)]
            if going:
                asked = [each for job in going for each in job.asked]
                with spans.under(job.asked_in for job in going):
                    found = self._decided(memory, ground, asked, before, going)
                for job in going:
                    self._answer(job, [found[each.declaration_id] for each in job.asked])
        except (Unavailable, NotDecided, OSError) as error:
            self._give_up(jobs, error)
        except Exception as error:  # noqa: BLE001  one message must not end the decisions about all others
            _log.error("Nothing was decided", exc_info=error)
            self._give_up(jobs, error)

    def _give_up(self, jobs: Sequence[_Job], error: Exception) -> None:
        for job in jobs:
            self._answer(job, NotDecided(f"nothing can be decided now: {error}"))

    def _goes(self, job: _Job, memory: _Memory, ground: Ground, before: dict[str, _Before]) -> bool:
        """Say whether a job can be decided now; if not, answer it. Put what was decided on it earlier into `before`."""
        try:
            if time.monotonic() - job.came_at > LATEST_S:
                raise NotDecided("others were asked about before, and it took too long")
            if any(each.day != ground.day for each in job.asked):
                raise NotDecided(f"the day has turned to {ground.day}")
            found = {each.declaration_id: self._before(memory, each) for each in job.asked}
            for each in job.asked:
                last = found[each.declaration_id].last
                if each.is_own_alone and last and last.caller != each.caller:
                    raise NotYours(each.declaration_id)
            before |= found
        except (NotDecided, NotYours) as error:
            self._answer(job, error)
            return False
        except Unavailable as error:
            self._answer(job, NotDecided(str(error)))
            return False
        return True

    def _answer(self, job: _Job, answer: "list[Decision] | NotDecided | NotYours") -> None:
        if job.decisions.done():
            return
        with self._lock:
            self._waiting -= job.rows
        if isinstance(answer, Exception):
            job.decisions.set_exception(answer)
        else:
            job.decisions.set_result(answer)

    def _ready(self) -> _Memory:
        """Return the memory; the log is read at first, and whatever waits in the spool goes there as soon as it can."""
        if self._memory is None:
            if not self.has_read.is_set():
                self._log.migrate()
            self._spool.empty_into(self._log)
            known, keys = self._log.known()
            memory = _Memory(self._log.head(), known=known, keys=keys)
            for decision in self._log.last_of_offices():
                memory.take(decision)
            if memory.day:
                for decision in self._log.of_day(memory.day):
                    memory.take(decision)
            self._memory = memory
            self.has_read.set()
        elif not self._spool.is_empty:
            try:
                self._spool.empty_into(self._log)
            except Unavailable as error:
                _log.warning("Decisions wait in %s: %s", self._spool.file, error)
        return self._memory

    def _decided(
        self,
        memory: _Memory,
        ground: Ground,
        asked: Sequence[Asked],
        before: Mapping[str, _Before],
        jobs: Sequence[_Job],
    ) -> dict[str, Decision]:
        """Return the decision about each declaration by its id, old or new; new ones are kept."""
        same = {each.declaration_id: decision for each in asked if (decision := _same(each, before)) is not None}
        fresh = [each for each in asked if each.declaration_id not in same]
        if not fresh:
            return same
        made, named = self._made(memory, ground, fresh, before)
        links = list(record.linked(made, memory.head.number, memory.head.hash))
        named |= {digest: document for job in jobs for digest, document in job.documents.items()}
        try:
            with spans.span("log", rows=len(links)):
                self._keep(links, {digest: document for digest, document in named.items() if digest not in self._kept})
        except BaseException:
            self._memory = None  # whether the database has taken it is not known: it is asked before the next decision
            raise
        self._kept |= named.keys() - {each.message for each in asked}
        memory.head = Head(links[-1].number, links[-1].hash)
        for decision in made:
            memory.take(decision)
        return same | {decision.declaration_id: decision for decision in made}

    def _made(
        self, memory: _Memory, ground: Ground, fresh: Sequence[Asked], before: Mapping[str, _Before]
    ) -> tuple[list[Decision], dict[str, Document]]:
        """Return decisions, and what they name besides messages; nothing is kept or remembered yet."""
        states: dict[str, State] = {}
        made, named = [], {digest_of_columns(): Document(_JSON, columns_as_json())}
        for asked, (by, said) in zip(fresh, self._judged(ground, fresh), strict=True):
            plan = by.plan(asked.office)
            self._plans[plan.digest] = plan
            state = states.get(asked.office) or memory.state(asked.office, by.day, plan)
            state = replace(state, plan=plan.digest)  # another ground has another plan, for the places that are left
            with spans.span("lane", rows=asked.rows.height):
                decision, states[asked.office] = decide(
                    by, asked, said, state, *before[asked.declaration_id], self._earlier_plan
                )
            made.append(decision)
            named[by.policy.digest] = Document("application/toml", by.policy.written)
            if by.criteria.digest:
                named[by.criteria.digest] = Document(_JSON, by.criteria.as_json())
        new = [plan for digest, plan in self._plans.items() if digest not in self._kept]
        return made, named | {plan.digest: Document(_JSON, plan.as_json()) for plan in new}

    def _judged(self, ground: Ground, fresh: Sequence[Asked]) -> list[tuple[Ground, Judged]]:
        """Return what is said of each, and the ground that says it: one at which the model fails has another ground.

        If the model fails at several together, each is judged by itself, so that one message spoils no other's answer.
        """
        try:
            return [(ground, judged) for judged in _judged(ground, fresh)]
        except Exception as error:  # noqa: BLE001  whatever it is, no answer of the model is not a release
            if len(fresh) > 1:
                return [found for each in fresh for found in self._judged(ground, [each])]
            _log.error("The model does not answer", exc_info=error)
            ground = self._fallback(f"the model failed: {type(error).__name__}: {error}")
            return [(ground, judged) for judged in _judged(ground, fresh)]

    def _earlier_plan(self, digest: str) -> Plan:
        if digest not in self._plans:
            found = self._log.document(digest)
            if found is None:
                raise NotDecided(f"the plan {digest} by which this was decided at first is not in the log")
            self._plans[digest] = Plan.from_json(found.content)
        return self._plans[digest]

    def _before(self, memory: _Memory, asked: Asked) -> _Before:
        """Return what was decided before; Unavailable if the database, which alone knows it, is away."""
        last = memory.last.get(asked.declaration_id)
        if last is None and asked.declaration_id in memory.known:
            last = self._log.versions(asked.declaration_id)[-1]
        key = last.key if last else asked.key
        drawn = memory.drawn.get(key)
        if drawn is None and key in memory.keys:
            drawn = self._log.first_of_key(key)
        return _Before(last, drawn)

    def _keep(self, links: Sequence[record.Link], documents: Mapping[str, Document]) -> None:
        """Keep links in the log, or in the spool if the log does not answer or older ones wait there."""
        if self._spool.is_empty:
            try:
                self._log.append(links, documents)
            except Unavailable as error:
                _log.warning("Decisions go to %s: %s", self._spool.file, error)
            else:
                return
        self._spool.append(links, documents)


def _apart(jobs: Sequence[_Job]) -> tuple[list[_Job], list[_Job]]:
    """Return the jobs to be decided now, and those that ask about a declaration that one before them asks about."""
    now, later, taken = [], [], set()
    for job in jobs:
        names = {each.declaration_id for each in job.asked}
        (later if taken & names else now).append(job)
        taken |= names
    return now, later


def _same(asked: Asked, before: Mapping[str, _Before]) -> Decision | None:
    """Return the last decision if it was about the same content."""
    last = before[asked.declaration_id].last
    return last if last and last.content == asked.content else None


def _judged(ground: Ground, fresh: Sequence[Asked]) -> list[Judged]:
    """Return what the ground says of each, in order; those of one language are judged together."""
    found: dict[int, Judged] = {}
    for language in {each.language for each in fresh}:
        places = [place for place, each in enumerate(fresh) if each.language == language]
        whole = ground.judged(pl.concat(fresh[place].rows for place in places), language)
        start = 0
        for place in places:
            end = start + fresh[place].rows.height
            found[place] = whole.part(start, end)
            start = end
    return [found[place] for place in range(len(fresh))]
