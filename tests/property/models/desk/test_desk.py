"""Whatever officers do at the desk, in whatever order, it is what a plain account of their deeds says."""

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from models.desk import Finding, Refused
from models.desk.tables import events, results
from models.policy import Desk as Rules
from models.policy import Hours
from tests.support import desks
from tests.support.desks import ANA, BEN, CLEO, SUE, placed
from tests.support.examples import examples

LEASE = timedelta(minutes=30)
RULES = Rules(lease_minutes=30, second_look_share=0.5, hours=Hours(red=10, yellow=2, blue=100))
ORDER = ("red", "yellow", "blue", "green")
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # where nothing waits for the disk

officers = st.sampled_from([ANA, BEN, CLEO, SUE])
lanes = st.sampled_from(ORDER)
picks = st.integers(0, 20)


@dataclass
class Account:
    """What is known of a case from what was done to it: lanes of its two items, and findings in order."""

    declaration_id: str
    look: int
    lane: str
    items: dict[int, str]
    version: int = 1
    holder: str | None = None
    until: datetime | None = None
    closed_by: str | None = None
    asked: tuple[str, str] | None = None  # the lane, and by whom
    touched: set[str] = field(default_factory=set)
    had: set[str] = field(default_factory=set)
    cleared_after: dict[int, int] = field(default_factory=dict)  # findings until an item was raised
    findings: list[tuple[str, Finding, bool]] = field(default_factory=list)  # by whom, and whether it counts

    def held_by(self, now: datetime) -> str | None:
        return self.holder if self.holder and self.until > now else None

    def free(self) -> None:
        self.holder = self.until = None

    def judged(self) -> dict[int, tuple[bool, float | None]]:
        """Return what counts of each item: whether it infringes, and what was recovered; written out anew."""
        every = [finding for _, finding, _ in self.findings]
        counted = [finding for _, finding, counts in self.findings if counts]
        replaced = [finding.replaces for finding in counted]
        counted = [finding for finding in counted if finding.key not in replaced]
        told = {}
        for item, lane in self.items.items():
            bad = [finding for finding in counted if finding.kind and finding.item_number == item]
            recent = every[self.cleared_after.get(item, 0) :]
            good = [finding for finding in counted if not finding.kind and finding in recent]
            if bad:
                amounts = [finding.revenue for finding in bad if finding.revenue is not None]
                told[item] = (True, sum(amounts) if amounts else None)
            elif any(finding.item_number in ([item] if lane == "green" else [item, None]) for finding in good):
                told[item] = (False, 0.0)
        return told

    def is_judged(self) -> bool:
        told = self.judged()
        return all(item in told for item, lane in self.items.items() if lane != "green")


class AtTheDesk(RuleBasedStateMachine):
    """Officers of one office, and a plain account of what they did."""

    @initialize()
    def open_the_office(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY))
        self.world = desks.world(self.folder, RULES)
        self.desk, self.clock = self.world.desk, self.world.clock
        self.accounts: dict[int, Account] = {}
        self.declared = 0
        self.events: list[tuple] = []
        self.outcomes: dict[tuple[str, int], tuple[bool, float | None]] = {}
        self.declare("red")

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.desk.close()
            self.world.log.close()
            shutil.rmtree(self.folder)

    @rule(lane=lanes, other=lanes)
    def declare(self, lane, other="green") -> None:
        self.declared = self.world.log.head().number + 1
        made = placed(self.declared, lanes=(lane, other))
        self.world.decide(made)
        self.desk.cases.follow(self.world.log)
        top = min(lane, other, key=ORDER.index)
        if top != "green":
            self.accounts[len(self.accounts) + 1] = Account(made.declaration_id, 1, top, {1: lane, 2: other})

    @rule(pick=picks, lane=lanes, other=lanes)
    def amend(self, pick, lane, other) -> None:
        account = [each for each in self.accounts.values() if each.look == 1][pick % self.firsts]
        account.version += 1
        number = self.world.log.head().number + 1
        self.world.decide(
            placed(number, declaration_id=account.declaration_id, version=account.version, lanes=(lane, other))
        )
        self.desk.cases.follow(self.world.log)
        before = dict(account.items)
        for item, new in ((1, lane), (2, other)):
            account.items[item] = min(before[item], new, key=ORDER.index)
            if account.items[item] != before[item]:
                account.cleared_after[item] = len(account.findings)
        account.lane = min(account.lane, lane, other, key=ORDER.index)
        account.asked = None
        if account.items != before and account.closed_by:
            account.closed_by = None
            account.free()

    @property
    def firsts(self) -> int:
        return sum(each.look == 1 for each in self.accounts.values())

    @rule(minutes=st.sampled_from([1, 10, 31]))
    def wait(self, minutes) -> None:
        self.clock.wait(minutes=minutes)

    def may_judge(self, officer, account) -> bool:
        (first,) = (
            each for each in self.accounts.values() if (each.declaration_id, each.look) == (account.declaration_id, 1)
        )
        return account.look == 1 or officer.name not in first.touched

    def may_see(self, officer, account) -> bool:
        return officer.is_supervisor or self.may_judge(officer, account)

    def picked(self, pick) -> tuple[int, Account]:
        number = pick % len(self.accounts) + 1
        return number, self.accounts[number]

    @contextmanager
    def only_if(self, allowed):
        """Expect what is in the block to be refused unless it is `allowed`."""
        if allowed:
            yield
        else:
            with pytest.raises(Refused):
                yield

    def give(self, officer, account) -> None:
        account.holder, account.until = officer.name, self.clock() + LEASE
        account.touched.add(officer.name)
        account.had.add(officer.name)

    @rule(officer=officers, pick=picks)
    def take(self, officer, pick) -> None:
        number, account = self.picked(pick)
        allowed = self.may_judge(officer, account) and not account.closed_by
        allowed = allowed and account.held_by(self.clock()) in (None, officer.name)
        with self.only_if(allowed):
            assert self.desk.queue.take(officer, number).holder == officer.name
        if allowed:
            self.give(officer, account)

    @rule(officer=officers)
    def take_next(self, officer) -> None:
        case = self.desk.queue.take_next(officer)
        now = self.clock()
        free = [
            number
            for number, account in self.accounts.items()
            if not account.closed_by and account.held_by(now) is None and self.may_judge(officer, account)
        ]
        assert (case is None) == (not free)
        for account in self.accounts.values():
            if not account.closed_by and account.held_by(now) is None:
                account.free()
        if case is not None:
            assert case.number in free
            due = {each.number: each.due_at for each in self.desk.queue.page(SUE, most=1000)}
            assert (case.due_at, case.number) == min((due[number], number) for number in free)
            self.give(officer, self.accounts[case.number])

    @rule(officer=officers, pick=picks)
    def give_back(self, officer, pick) -> None:
        number, account = self.picked(pick)
        allowed = self.holds(officer, account)
        with self.only_if(allowed):
            self.desk.queue.give_back(officer, number)
        if allowed:
            account.free()

    def holds(self, officer, account) -> bool:
        is_held = account.held_by(self.clock()) == officer.name
        return self.may_see(officer, account) and not account.closed_by and is_held

    @rule(officer=officers, to=officers, pick=picks)
    def hand_over(self, officer, to, pick) -> None:
        number, account = self.picked(pick)
        may = self.holds(officer, account) or (officer.is_supervisor and not account.closed_by)
        allowed = may and self.may_judge(to, account)
        with self.only_if(allowed):
            assert self.desk.queue.hand_over(officer, number, to).holder == to.name
        if allowed:
            account.touched.add(officer.name)
            self.give(to, account)

    @rule(
        officer=officers,
        pick=picks,
        item=st.sampled_from([None, 1, 2]),
        kind=st.sampled_from(["", "origin", "quantity"]),
        revenue=st.sampled_from([None, 5.0, 7.5]),
        replaces=st.none() | picks,
    )
    def find(self, officer, pick, item, kind, revenue, replaces) -> None:
        number, account = self.picked(pick)
        told = {"item_number": item if item or not kind else 1, "kind": kind, "revenue": revenue if kind else None}
        if replaces is not None and account.findings:
            told["replaces"] = account.findings[replaces % len(account.findings)][1].key
        finding = self.world.finding(number, **told)
        by = {each.key: who for who, each, _ in account.findings}
        allowed = self.may_see(officer, account) and (officer.is_supervisor or officer.name in self.workers(account))
        allowed = allowed and (not finding.replaces or officer.is_supervisor or by[finding.replaces] == officer.name)
        with self.only_if(allowed):
            filed = self.desk.findings.add(officer, finding)
        if allowed:
            held_by = account.held_by(self.clock())
            counts = officer.is_supervisor or (not account.closed_by and held_by in (None, officer.name))
            assert bool(filed.conflict) == (not counts)
            account.findings.append((officer.name, finding, counts))
            account.touched.add(officer.name)
            if counts and account.look == 1:
                for number_, result in account.judged().items():
                    self.outcomes[account.declaration_id, number_] = result

    def workers(self, account) -> set[str]:
        return account.had | {who for who, _, _ in account.findings}

    @precondition(lambda self: any(account.findings for account in self.accounts.values()))
    @rule(pick=picks)
    def send_again(self, pick) -> None:
        every = [each for account in self.accounts.values() for each in account.findings]
        who, finding, counts = every[pick % len(every)]
        officer = next(each for each in (ANA, BEN, CLEO, SUE) if each.name == who)
        assert bool(self.desk.findings.add(officer, finding).conflict) == (not counts)

    @rule(officer=officers, pick=picks)
    def release(self, officer, pick) -> None:
        number, account = self.picked(pick)
        allowed = self.holds(officer, account) and account.is_judged()
        with self.only_if(allowed):
            assert self.desk.endings.release(officer, number).is_closed
        if allowed:
            self.close(account, officer.name)
            comes_back = self.desk.shared.draw("second look", number) < RULES.second_look_share
            twice = any(each.declaration_id == account.declaration_id and each.look == 2 for each in self.every())
            if account.look == 1 and comes_back and not twice:
                again = Account(account.declaration_id, 2, account.lane, dict(account.items), account.version)
                self.accounts[len(self.accounts) + 1] = again

    def every(self):
        return list(self.accounts.values())

    def close(self, account, who) -> None:
        account.closed_by, account.asked = who, None
        account.touched.add(who)
        account.free()

    @rule(officer=officers, pick=picks)
    def override(self, officer, pick) -> None:
        number, account = self.picked(pick)
        allowed = self.holds(officer, account)
        with self.only_if(allowed):
            self.desk.endings.override(officer, number, "a reason")
        if allowed and account.lane == "red":
            account.asked = ("green", officer.name)
            account.touched.add(officer.name)
        elif allowed:
            self.close(account, officer.name)

    @rule(officer=officers, pick=picks, lane=lanes)
    def pass_on(self, officer, pick, lane) -> None:
        number, account = self.picked(pick)
        allowed = self.holds(officer, account) and lane not in (account.lane, "green")
        with self.only_if(allowed):
            self.desk.endings.pass_on(officer, number, lane, "a reason")
        if allowed and account.lane == "red":
            account.asked = (lane, officer.name)
        elif allowed:
            self.pass_to(account, lane)

    def pass_to(self, account, lane) -> None:
        up = ORDER.index(lane) < ORDER.index(account.lane)
        for item, own in account.items.items():
            moves = ORDER.index(own) > ORDER.index(lane) if up else ORDER.index(own) < ORDER.index(lane)
            if own != "green" and moves:
                account.items[item] = lane
                if up:
                    account.cleared_after[item] = len(account.findings)
        account.lane, account.asked = lane, None
        account.free()

    @rule(officer=officers, pick=picks)
    def confirm(self, officer, pick) -> None:
        number, account = self.picked(pick)
        allowed = self.may_see(officer, account) and not account.closed_by and account.asked is not None
        allowed = allowed and account.asked[1] != officer.name
        with self.only_if(allowed):
            self.desk.endings.confirm(officer, number)
        if allowed:
            lane, who = account.asked
            account.touched.add(officer.name)
            self.close(account, who) if lane == "green" else self.pass_to(account, lane)

    @rule(officer=officers, pick=picks)
    def decline(self, officer, pick) -> None:
        number, account = self.picked(pick)
        allowed = self.may_see(officer, account) and not account.closed_by and account.asked is not None
        with self.only_if(allowed):
            self.desk.endings.decline(officer, number)
        if allowed:
            account.asked = None
            account.touched.add(officer.name)

    @invariant()
    def the_queue_is_as_accounted_for(self) -> None:
        if not hasattr(self, "world"):
            return
        now = self.clock()
        told = {
            case.number: (
                case.declaration_id,
                case.lane,
                {item.item_number: item.lane for item in case.items},
                case.version,
                case.holder,
                (case.asked_lane, case.asked_by) if case.asked_lane else None,
            )
            for case in self.desk.queue.page(SUE, most=1000)
        }
        assert told == {
            number: (each.declaration_id, each.lane, each.items, each.version, each.held_by(now), each.asked)
            for number, each in self.accounts.items()
            if not each.closed_by
        }
        for officer in (ANA, BEN):
            seen = {case.number for case in self.desk.queue.page(officer, most=1000)}
            assert seen == {number for number in told if self.may_see(officer, self.accounts[number])}
            counts = self.desk.queue.counts(officer)
            assert sum(count.waiting for count in counts) == len(seen)
            assert sum(count.free for count in counts) == sum(told[number][4] is None for number in seen)

    @invariant()
    def nothing_that_was_written_down_changes(self) -> None:
        if not hasattr(self, "world"):
            return
        with self.desk.shared.tables.reading() as connection:
            every = [tuple(row) for row in connection.execute(sa.select(events).order_by(events.c.number))]
            told = connection.execute(sa.select(results).order_by(results.c.number)).all()
        assert every[: len(self.events)] == self.events
        self.events = every
        assert [row.number for row in told] == list(range(1, len(told) + 1))
        last = {(row.declaration_id, row.item_number): (row.is_illicit, row.recovered_revenue) for row in told}
        assert last == self.outcomes
        for before, after in pairwise(told):
            if (before.declaration_id, before.item_number) == (after.declaration_id, after.item_number):
                assert before.known_at < after.known_at


TestAtTheDesk = AtTheDesk.TestCase
TestAtTheDesk.settings = settings(
    max_examples=examples(15),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
