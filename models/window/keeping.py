"""The ground in force: a thread looks every few seconds whether the day, the champion or those that wait are others.

A new ground is made beside the one in force and takes its place at once, so nobody waits, and no answer mixes two
models. That of the next day is made before midnight, from what is stored by then: what the day itself brings is stored
in the night, and then a ground is made again. If no model can be asked, the ground says why and goes by the risk
profile, and if even that cannot be made, by chance alone. Such a ground is made anew at every look, until there is a
better one. A registry or ledger that only does not answer is asked again for a while before that.
"""

import gc
import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from features.matrix import Morning, cache
from features.store import Store
from models.criteria import Register
from models.decisions import DecisionLog, Spool, Unavailable, exports
from models.ledger import Keys, reading
from models.places import Places
from models.policy import Policy
from models.policy import load as load_policy
from models.window import making
from models.window.deciding import NotDecided
from models.window.ground import Ground
from models.window.secrets import Secrets
from models.workspace import Workspace, feature_code, incumbents, why_empty

LOOK_S = 5.0
START_S = 10.0
SETTLED_S = 60.0
AHEAD = timedelta(hours=1)  # before its day, the ground of the next day is made
PATIENCE_S = 30.0  # before a ground of today gives way because registry or ledger do not answer
_AWAY = (OSError, SQLAlchemyError, MlflowException)  # something does not answer, which says nothing about the champion
_NONE = "no model is in force; the first version that all have signed is asked"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Standing:
    """Identifies what a ground was made for: another one is needed when this changes."""

    day: date
    stored_at: int
    champion: int | None
    challenger: str | None


@dataclass(frozen=True)
class _Known:
    """Holds what is known before a day, for whichever model is asked."""

    built: cache.Built
    morning: Morning


@dataclass
class Keeper:
    """Keeps the ground of `source`; `now` gives the instant by the administration's legal time.

    `alarm` is told in a sentence when no model can be asked, once for each reason, and when days that are over are not
    handed over. `hand_over_findings` writes what officers found before a day into a folder.
    """

    places: Places
    source: str
    log: DecisionLog
    spool: Spool
    secrets: Secrets
    now: Callable[[], datetime]
    alarm: Callable[[str], None]
    hand_over_findings: Callable[[Path, date], object]
    _ground: Ground | None = field(default=None, init=False)
    _for: _Standing | None = field(default=None, init=False)
    _ahead: tuple[_Standing, Ground | None] | None = field(default=None, init=False)  # None if it cannot be made
    _known: dict[tuple[date, int, int], _Known] = field(default_factory=dict, init=False)
    _profiled: tuple[Ground, Ground] | None = field(default=None, init=False)  # for which, and what takes its place
    _criteria: Register = field(default_factory=Register, init=False)
    _ruled: tuple[Ground, Ground] | None = field(default=None, init=False)  # as it was made, and with criteria
    _why: str = field(default="the window is starting", init=False)
    _day: date | None = field(default=None, init=False)
    _since: float = field(default=0.0, init=False)
    _failing_since: float | None = field(default=None, init=False)
    _fell_back: tuple[date, int, str] | None = field(default=None, init=False)
    _ending: threading.Event = field(default_factory=threading.Event, init=False)

    def start(self, has_read: threading.Event) -> None:
        """Begin to look, in a thread that ends after `stop`, once `has_read` says that the log has been read.

        The tables are made by then. If the log cannot be read for START_S, the looks begin, and tell of it.
        """
        threading.Thread(target=self._run, args=(has_read,), name="keeper", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._ending.set()

    def ground(self) -> Ground:
        """Return the ground in force, with the criteria of its day; NotDecided if there is none yet.

        The criteria are those of the ledger when it was last found whole.
        """
        made = self._ground
        if self._ahead and self._ahead[1] and self._ahead[1].day == self.now().date():
            made = self._ahead[1]  # the day has turned since the last look
        if made is None:
            raise NotDecided(self._why)
        criteria, ruled = self._criteria.in_force(made.day), self._ruled
        if ruled is None or ruled[0] is not made or ruled[1].criteria != criteria:
            ruled = self._ruled = made, replace(made, criteria=criteria)
        return ruled[1]

    def without_model(self, why: str) -> Ground:
        """Return a ground of the same day on which no model is asked, because of `why`."""
        ground = self.ground()
        self._warn(why)
        if self._profiled is None or self._profiled[0] is not ground:
            self._profiled = ground, self._by_profile(ground.day, ground.policy, ground.secret, why)
        return replace(self._profiled[1], unscored=why, criteria=ground.criteria)

    def look(self) -> None:
        """Make the grounds that are needed now, unless they are there already."""
        day = self.now().date()
        self._keep(day)
        tomorrow = (self.now() + AHEAD).date()
        if tomorrow != day and self._for and self._for.day == day:
            self._prepare(replace(self._for, day=tomorrow))

    def _keep(self, day: date) -> None:
        """Have the ground in force be that of `day`, by the champion of today and what is stored."""
        if self._ahead and self._ahead[0].day == day:
            if self._ahead[1]:
                self._for, self._ground = self._ahead
            self._ahead = None
        try:
            secret = self.secrets.of(day, self.log)
        except (Unavailable, OSError, ValueError) as error:
            if self._ground is None or self._ground.day != day:
                self._ground = None
            self._warn(f"there is no secret of {day}: {error}")
            return
        stored_at = 0
        try:
            stored_at = Store(self.places.store(self.source)).committed_at
            standing = self._standing(day, stored_at)
            if standing != self._for:
                self._ground, self._for = self._scored(day, secret), standing
                self._why, self._fell_back = "", None
                _spare_collector()
            elif self._failing_since:
                self._why = ""
            self._failing_since = None
        except Exception as error:  # noqa: BLE001  whatever is wrong with a model or with data, people wait for answers
            self._fall_back(day, stored_at, secret, error)

    def _fall_back(self, day: date, stored_at: int, secret: bytes, error: Exception) -> None:
        """Have a ground without a model take its place, unless a ground of the day may stay for a while."""
        why = str(error) if isinstance(error, _Unasked) else f"{type(error).__name__}: {error}"
        self._failing_since = self._failing_since or time.monotonic()
        is_of_today = self._for is not None and self._for.day == day
        if is_of_today and isinstance(error, _AWAY) and time.monotonic() - self._failing_since < PATIENCE_S:
            self._warn(f"the model in force is asked for {PATIENCE_S:.0f} more seconds: {why}")
        elif (day, stored_at, why) != self._fell_back:
            _log.error("No model can be asked: %s", why, exc_info=not isinstance(error, _Unasked))
            self._warn(why)
            policy = self._ground.policy if self._ground else load_policy()
            self._ground, self._for = self._by_profile(day, policy, secret, why), None
            self._fell_back = day, stored_at, why

    def _prepare(self, standing: _Standing) -> None:
        """Make the ground of the next day, once; if that fails, it is made when its day has come."""
        if self._ahead and self._ahead[0] == standing:
            return
        made = None
        try:
            made = self._scored(standing.day, self.secrets.of(standing.day, self.log))
        except Exception as error:  # noqa: BLE001  the day itself will show whether something is wrong
            _log.warning("The ground of %s is not made ahead: %s", standing.day, error)
        self._ahead = standing, made

    def end_days(self) -> None:
        """Publish the secrets of days that are over, and hand these days and their findings over to the night.

        A day is over once the ground has been that of a later one for SETTLED_S, and nothing waits in the spool: what
        came in its last second is decided by then.
        """
        ground = self._ground
        if ground is None or ground.day != self._day:
            self._day, self._since = ground.day if ground else None, time.monotonic()
        if ground is None or time.monotonic() - self._since < SETTLED_S or not self.spool.is_empty:
            return
        try:
            self.secrets.publish(ground.day, self.log)
            folder = self.places.decided_days(self.source)
            exports.hand_over(self.log, folder, ground.day)
            self.hand_over_findings(folder, ground.day)
        except (Unavailable, OSError, ValueError) as error:
            self.alarm(f"days that are over are not handed over: {error}")

    def _run(self, has_read: threading.Event) -> None:
        has_read.wait(START_S)
        while not self._ending.is_set():
            self.look()
            self.end_days()
            self._ending.wait(LOOK_S)

    def _warn(self, why: str) -> None:
        """Tell of a reason once."""
        if why != self._why:
            self._why = why
            self.alarm(why)

    def _standing(self, day: date, stored_at: int) -> _Standing:
        """Return what the ledger says; whatever `reading` raises if it is not whole."""
        keys = Keys(self.places.signoff)
        if not keys.exist():
            raise _Unasked(_NONE)
        book = reading.signed_book(self.places.tracking_uri, keys, load_policy().signoff)
        self._criteria = book.criteria
        challenger = incumbents.registry_of(self.places).challenger_number()
        return _Standing(day, stored_at, book.champion, challenger)

    def _scored(self, day: date, secret: bytes) -> Ground:
        scratch = Path(tempfile.mkdtemp(prefix="tidewaiter-window-"))
        try:
            champion = incumbents.champion(self.places, scratch)
            if champion is None:
                raise _Unasked(_NONE)
            if champion.source != self.source:
                raise _Unasked(f"the champion, version {champion.version}, is of source {champion.source}")
            feature_code.check(champion.model, f"champion version {champion.version}", self.source)
            shadow = incumbents.challenger(self.places, scratch / "challenger", _log.warning)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        workspace, known = self._before(day, champion.policy)
        shadows = (shadow,) if shadow and shadow.source == self.source else ()
        return making.scored(workspace, known.built, known.morning, champion, shadows, secret)

    def _by_profile(self, day: date, policy: Policy, secret: bytes, why: str) -> Ground:
        """Return a ground on which no model is asked: by the risk profile, or by chance alone if nothing is known."""
        try:
            workspace, known = self._before(day, policy)
            return making.by_profile(workspace, known.built, known.morning, policy, secret, why)
        except Exception as error:  # noqa: BLE001  as in `look`
            _log.error("Nothing is known before %s: %s", day, error, exc_info=not isinstance(error, _Unasked))
            return Ground(day, policy, secret, making.NOTHING_PAST, unscored=why)

    def _before(self, day: date, policy: Policy) -> tuple[Workspace, _Known]:
        """Return what is known before a day, made once for all models that read features of one label delay."""
        workspace = Workspace(self.places, policy, self.source)
        if why := why_empty(workspace.store):
            raise _Unasked(why)
        stored_at, delay = workspace.store.committed_at, policy.features.label_delay_days
        key = day, stored_at, delay
        if key not in self._known:
            today = self.now().date()
            kept = {each: known for each, known in self._known.items() if each[0] >= today and each[1] == stored_at}
            self._known = kept | {key: _Known(workspace.features(), workspace.morning(day))}
        return workspace, self._known[key]


def _spare_collector() -> None:
    """Collect what the last ground left, and look no more through what stands: it would be done every few answers."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


class _Unasked(RuntimeError):
    """There is no model to ask. The message is a sentence for people."""
