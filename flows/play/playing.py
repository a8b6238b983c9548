"""Days and nights one after another: what is declared at its hour, officers at work, the night, and a promotion.

Nobody waits for the hours: the clock of window and desk is moved on. What the night does takes its own time.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from features.simulator import Parameters
from flows.play.cast import OFFICERS, Cast, Judged, wait_for
from flows.play.coming import Coming, Truth, coming
from flows.processes import children
from flows.settings import Settings
from flows.steps import Summary, Unchanged
from models import clock
from models.decisions import exports
from models.ledger import Keys, reading
from models.policy import Policy
from models.workspace import Workspace, incumbents

_ROUNDS = tuple(time(hour) for hour in (9, 11, 13, 15, 17))  # when officers look what there is
_NIGHT = time(0, 5)
_WINDOW = "models.window.service"
_KILLED_AFTER_S = 0.3
_HANDED_OVER_S = 600.0

Say = Callable[[str], None]


@dataclass
class Play:
    """`days` played days of an installation, from `first` on.

    `cast` has who plays, `retrain` is the night's run, and `say` is told what happens. Unanswered, from `run`, where a
    server keeps silent or refuses what it should take.
    """

    settings: Settings
    workspace: Workspace
    policy: Policy
    cast: Cast
    first: date
    days: int
    retrain: Callable[[], Summary | Unchanged]
    say: Say
    posted: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict, init=False)
    judged: list[Judged] = field(default_factory=list, init=False)
    trained: list[int | None] = field(default_factory=list, init=False)
    promoted: list[int] = field(default_factory=list, init=False)
    crashes: int = field(default=0, init=False)

    def run(self) -> None:
        """Play all days, each with its night."""
        world = self.workspace.store.manifest().world
        if world is None:
            raise ValueError(f"{self.workspace.store.root} names no simulated world; allowed: one made by retrain")
        due, truth = coming(Parameters.model_validate(world), self.first, self.days)
        middle = self.days // 2
        self._promote_if_none()
        first = len(self.promoted)
        for place in range(self.days):
            day = self.first + timedelta(days=place)
            self._day(day, [each for each in due if each.at.date() == day], truth, is_crashing=place == middle)
            self._night(day)
            is_between = middle - 1 <= place < self.days - 1
            if is_between and self.trained[-1] and len(self.promoted) == first:  # the gates may pass none in a night
                self._promote(self.trained[-1])

    @property
    def last(self) -> date:
        return self.first + timedelta(days=self.days - 1)

    def _day(self, day: date, due: list[Coming], truth: dict[tuple[str, int], Truth], *, is_crashing: bool) -> None:
        rounds = [datetime.combine(day, hour) for hour in _ROUNDS]
        crash_at = len(due) // 2 if is_crashing else None
        for place, each in enumerate(due):
            while rounds and rounds[0] <= each.at:
                self._round(rounds.pop(0), truth)
            move_to(self.settings, each.at)
            if place == crash_at:
                threading.Timer(_KILLED_AFTER_S, self._kill_window).start()
            decided = self.cast.declare(each)
            self.posted[each.declaration_id, each.version] = decided
        for at in rounds:
            self._round(at, truth)
        unscored = sum(self.posted[each.declaration_id, each.version]["unscored"] is not None for each in due)
        self.say(f"{day}: {len(due)} versions declared, {unscored} of them answered without a model")

    def _round(self, at: datetime, truth: dict[tuple[str, int], Truth]) -> None:
        move_to(self.settings, at)
        for name in OFFICERS:
            done = self.cast.work_off(name, truth, self.policy.targeting.lanes, f"{self.first}")
            self.judged += done

    def _night(self, day: date) -> None:
        move_to(self.settings, datetime.combine(day + timedelta(days=1), _NIGHT))
        handed_over = self.settings.places.decided_days(self.workspace.source) / exports.declarations_file(day)
        wait_for(f"{day} is handed over by the window", handed_over.exists, _HANDED_OVER_S)
        summary = self.retrain()
        version = summary.registration.version if isinstance(summary, Summary) else None
        failed = [gate.name for gate in summary.gates if not gate.passed] if isinstance(summary, Summary) else []
        self.trained.append(int(version) if version else None)
        why_not = f"no version was registered; gates that failed: {', '.join(failed) or 'none'}"
        self.say(f"night after {day}: " + (f"version {version} is trained" if version else why_not))

    def _promote_if_none(self) -> None:
        if self._champion() is None:
            waiting = incumbents.registry_of(self.settings.places).challenger_number()
            self._promote(int(waiting) if waiting else None)

    def _promote(self, version: int | None) -> None:
        """Have a version signed by all, and wait until it is in force."""
        if version is None:
            self.say("There is no version to sign: the window goes by the risk profile, or by the champion before.")
            return
        self.cast.sign(version)
        wait_for(f"version {version} is promoted", lambda: self._champion() == version)
        self.promoted.append(version)
        self.say(f"version {version} is signed and in force")

    def _champion(self) -> int | None:
        keys = Keys(self.settings.signoff_folder)
        return reading.signed_book(self.settings.tracking_uri, keys, self.policy.signoff).champion

    def _kill_window(self) -> None:
        for process in children.marked(self.settings.state_folder):
            if any(_WINDOW in part for part in process.cmdline()):
                process.kill()
                self.crashes += 1
        self.say("the window's process is killed while declarations come")


def morning(settings: Settings, world: Parameters, cast: Cast, until: time) -> int:
    """Declare what comes on the played day that it is, until an hour of it; return how many versions there were."""
    today = _clock(settings)().date()
    due = [each for each in coming(world, today, 1)[0] if each.at.time() <= until]
    for each in due:
        move_to(settings, each.at)
        cast.declare(each)
    return len(due)


def move_to(settings: Settings, at: datetime) -> None:
    """Move the played clock on; it never goes back."""
    now = _clock(settings)()
    then = at.replace(tzinfo=now.tzinfo)
    if settings.played_clock and now < then:
        clock.set_to(settings.played_clock, then)


def _clock(settings: Settings) -> clock.Now:
    if settings.played_clock is None:
        raise ValueError("no played_clock is set; allowed: a file that says what time it is")
    return clock.clock(settings.time_zone or "UTC", settings.played_clock)
