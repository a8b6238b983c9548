"""What the ledger amounts to: the state of every version, who signed it, and which one is champion.

Only `Book.refusal` says what is allowed. The server asks it before it accepts an attempt, and an auditor of a ledger
asks it again about every entry that was accepted, so that the history itself is proof.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from models.criteria import Register, Step
from models.ledger.chain import Entry, LedgerError
from models.ledger.lifecycle import State
from models.names import ADMINISTRATOR, ANALYST, LONGEST_TAG, SERVER, SERVICE, SIGNOFF
from models.policy import Signoff, SignoffStep

_LONGEST_REASON = 1000


@dataclass(frozen=True)
class Signature:
    """An approval or a rejection of a step by a user."""

    step: str
    user: str
    reason: str
    at: datetime


@dataclass
class Case:
    """One version under judgement: its evidence digest, its authors, the policy it was opened under, its signatures.

    `seal` is the digest of the list of its files; it is None for versions of the first layout, which had none.
    `is_signed_alone` says that nobody signs it while people are signing another; earlier versions were not opened so.
    """

    version: int
    digest: str
    authors: tuple[str, ...]
    steps: tuple[SignoffStep, ...]
    valid_for: timedelta
    seal: str | None = None
    is_signed_alone: bool = False
    approvals: list[Signature] = field(default_factory=list)
    rejection: Signature | None = None
    withdrawal: Signature | None = None
    promoted_at: datetime | None = None
    is_void: bool = False

    def in_force(self, at: datetime) -> list[Signature]:
        """Return the approvals that have not run out; those that made a champion stand as they stood then."""
        until = self.promoted_at or at
        return [signature for signature in self.approvals if until - signature.at <= self.valid_for]

    def missing(self, step: SignoffStep, at: datetime) -> int:
        """Return how many signatures a step still needs."""
        return step.signatures - sum(signature.step == step.name for signature in self.in_force(at))

    def awaited(self, at: datetime) -> SignoffStep | None:
        """Return the first step that is not complete; None if all are."""
        return next((step for step in self.steps if self.missing(step, at) > 0), None)

    def tally(self, step: SignoffStep, at: datetime) -> str:
        """Return the text of a step's tag: who has signed, and what is missing.

        People's own words come last, so that nobody can write there what reads like another's signature.
        """
        if self.is_void:
            return "void: the evidence was altered"
        if self.rejection and self.rejection.step == step.name:
            return f"rejected by {self.rejection.user}: {self.rejection.reason}"
        if self.withdrawal and self.withdrawal.step == step.name:
            return f"withdrawn by {self.withdrawal.user}: {self.withdrawal.reason}"
        signed = [signature for signature in self.in_force(at) if signature.step == step.name]
        if not signed:
            return "pending"
        facts = f"approved by {', '.join(signature.user for signature in signed)}"
        if step.signatures > 1:
            facts = f"{len(signed)} of {step.signatures}: {facts}"
        if missing := self.missing(step, at):
            facts += f"; {'one' if missing == 1 else missing} more {step.role}{'' if missing == 1 else 's'} needed"
        return ". ".join([facts, *(f"{signature.user}: {signature.reason}" for signature in signed)])

    def tags(self, at: datetime) -> dict[str, str]:
        """Return what the sign-off tags of the version say, cut to what MLflow keeps."""
        tallies = {f"{SIGNOFF}{step.name}": self.tally(step, at) for step in self.steps}
        return {
            key: text if len(text) <= LONGEST_TAG else f"{text[: LONGEST_TAG - 1]}…" for key, text in tallies.items()
        }


class Book:
    """A ledger that was read from its start. `policy` holds for the versions that are opened from now on."""

    def __init__(self, policy: Signoff) -> None:
        self._policy = policy
        self.cases: dict[int, Case] = {}
        self.role_numbers: dict[str, int] = {}  # as the server noted them last; empty before it did so
        self.cleared: set[int] = set()  # versions never opened, taken away by an administrator
        self._persons: dict[str, str] = {}  # the name that stands for all names of one person, by each other of them
        self.criteria = Register(self.person)
        self.reigns: list[int] = []  # champions, each above the one it replaced; a rollback removes the upper ones

    @property
    def champion(self) -> int | None:
        """Return the version that decides, by what was signed."""
        return self.reigns[-1] if self.reigns else None

    @property
    def previous(self) -> int | None:
        """Return the version that decides after a rollback."""
        case = self.fallback()
        return case.version if case else None

    def person(self, name: str) -> str:
        """Return one name for all names of a person, however they are written.

        Names of accounts never differ by capitals only (models/access/accounts.py), and an author's may be typed by
        hand.
        """
        plain = name.strip().casefold()
        return self._persons.get(plain, plain)

    def state(self, version: int, at: datetime) -> State:
        """Return the state of a version at a moment, by the entries that were applied."""
        case = self.cases.get(version)
        if case is None:
            return State.CANDIDATE
        if case.is_void:
            return State.VOID
        if case.rejection:
            return State.REJECTED
        if case.withdrawal:
            return State.WITHDRAWN
        if case.promoted_at:
            return State.CHAMPION if version == self.champion else State.SUPERSEDED
        if case.awaited(at) is None:
            return State.APPROVED
        return State.AWAITING if len(case.in_force(at)) == len(case.approvals) else State.EXPIRED

    def approved(self, at: datetime) -> Iterator[Case]:
        """Yield versions that all have signed and that were not promoted yet, in the order of their last signature."""
        cases = list(self.cases.values())  # another thread may open one meanwhile
        done = [case for case in cases if self.state(case.version, at) is State.APPROVED]
        yield from sorted(done, key=lambda case: max(signature.at for signature in case.approvals))

    def being_signed(self, at: datetime) -> list[int]:
        """Return the versions that people are signing: those with signatures, none of which has run out.

        It is one at most, unless versions are among them that were opened when several could be signed at once.
        """
        cases = list(self.cases.values())  # another thread may open one meanwhile
        signed = [case.version for case in cases if case.approvals]
        return [version for version in signed if self.state(version, at) in (State.AWAITING, State.APPROVED)]

    def waits_behind(self, version: int, at: datetime) -> int | None:
        """Return the version that people are signing, while which nobody signs this one; None if it need not wait."""
        case, signed = self.cases.get(version), self.being_signed(at)
        if version in signed or (case and not case.is_signed_alone):
            return None
        return next(iter(signed), None)

    def fallback(self) -> Case | None:
        """Return what a rollback goes to: the last champion before the present one whose evidence still stands."""
        earlier = (self.cases[version] for version in reversed(self.reigns[:-1]))
        return next((case for case in earlier if not case.is_void), None)

    def opening(
        self, version: int, digest: str, authors: Sequence[str], at: datetime, seal: str | None = None
    ) -> Entry:
        """Return the entry that opens a version under the present policy."""
        return Entry(
            at=at,
            actor=SERVER,
            action="open",
            version=version,
            digest=digest,
            seal=seal,
            one_at_a_time=True,
            authors=tuple(authors),
            steps=self._policy.steps,
            valid_days=self._policy.valid_days,
        )

    @property
    def criterion_days(self) -> int:
        """Return how long a criterion may live that is proposed under the present policy."""
        return self._policy.criterion_days

    def check(self, entry: Entry) -> None:
        """Raise LedgerError if an entry is accepted against the rules."""
        if entry.is_accepted and (refusal := self.refusal(entry)):
            what = entry.action if entry.version is None else f"{entry.action} of version {entry.version}"
            raise LedgerError(f"{what} by {entry.actor} at {entry.at}: {refusal}")

    def apply(self, entry: Entry) -> None:
        """Take an entry in. LedgerError if it was accepted against the rules."""
        if not entry.is_accepted:
            return
        self.check(entry)
        match entry.action:
            case "open":
                self._open(entry)
            case "approve":
                case = self.cases[_version(entry)]
                case.approvals = [s for s in case.in_force(entry.at) if not self._is_same(s.user, entry.actor)]
                case.approvals.append(_signature(entry))
            case "reject":
                self.cases[_version(entry)].rejection = _signature(entry)
            case "withdraw":
                self.cases[_version(entry)].withdrawal = _signature(entry)
            case "revoke":
                case = self.cases[_version(entry)]
                mine = [s for s in case.approvals if s.step == entry.step and self._is_same(s.user, entry.actor)]
                case.approvals = [s for s in case.approvals if s not in mine]
            case "promote":
                self.reigns.append(_version(entry))
                self.cases[_version(entry)].promoted_at = entry.at
            case "roll back":
                del self.reigns[self.reigns.index(_version(entry)) + 1 :]
            case "void":
                self.cases[_version(entry)].is_void = True
            case "account" if entry.actor == SERVER and entry.role_numbers:
                self.role_numbers = dict(entry.role_numbers)
            case "account" if entry.one_person:
                self._join(entry.one_person)
            case "clear":
                self.cleared.add(_version(entry))
            case "criterion":
                self.criteria.apply(_step(entry))
            case "align" | "account" | "write" | "decisions":
                pass

    def refusal(self, entry: Entry) -> str | None:
        """Return why an attempt is not allowed, in one sentence for the person who made it; None if it is allowed."""
        if entry.one_person and (entry.action != "account" or ADMINISTRATOR not in entry.roles):
            return f"an administrator says which accounts are one person's, not {entry.actor}"
        if entry.action in ("align", "account", "write"):
            return None
        if entry.action == "decisions":
            return _refuse_sealing(entry)
        if entry.action == "criterion":
            return self._refuse_criterion(entry)
        if entry.action == "clear":
            return _refuse_clearing(entry, self.cases)
        if entry.version is None or entry.digest is None:
            return f"{entry.action} needs a version and its evidence digest"
        if entry.action == "open":
            if entry.version in self.cleared:
                return f"version {entry.version} was cleared away by an administrator"
            return _refuse_opening(entry, self.cases)
        case = self.cases.get(entry.version)
        if case is None:
            return f"version {entry.version} has not been opened: its evidence was never verified"
        if entry.action == "void":
            return _refuse_voiding(entry, case)
        if entry.digest != case.digest:
            return (
                f"the evidence of version {case.version} was altered: it was opened over {case.digest[:12]} and is "
                f"{entry.digest[:12]} now, so nothing signed for it counts"
            )
        if entry.action == "promote":
            return self._refuse_promotion(entry, case)
        if entry.action == "roll back":
            return self._refuse_rollback(entry, case)
        if entry.action == "withdraw":
            return self._refuse_withdrawal(entry, case)
        return self._refuse_decision(entry, case)

    def _is_same(self, one: str, other: str) -> bool:
        return self.person(one) == self.person(other)

    def _is_author(self, name: str, case: Case) -> bool:
        return any(self._is_same(name, author) for author in case.authors)

    def _join(self, names: Sequence[str]) -> None:
        """Let names be one person's from now on: of what they have signed and not promoted yet, one signature counts.

        What a person has signed who made the version does not count at all.
        """
        stands = self.person(names[0])
        joined = {self.person(name) for name in names}
        self._persons |= {name: stands for name, each in self._persons.items() if each in joined}
        self._persons |= dict.fromkeys(joined - {stands}, stands)
        for case in self.cases.values():
            if case.promoted_at is None:
                by_person = {self.person(s.user): s for s in reversed(case.approvals)}
                made = {self.person(author) for author in case.authors}
                case.approvals = [
                    s for s in case.approvals if s in by_person.values() and self.person(s.user) not in made
                ]

    def _open(self, entry: Entry) -> None:
        version, digest = _version(entry), entry.digest or ""
        valid_for = timedelta(days=entry.valid_days or 0)
        self.cases[version] = Case(
            version, digest, entry.authors, entry.steps, valid_for, entry.seal, entry.one_at_a_time
        )

    def _refuse_promotion(self, entry: Entry, case: Case) -> str | None:
        if entry.actor != SERVICE:
            return f"only the promotion service moves champion, not {entry.actor}: sign the steps, and it follows"
        state = self.state(case.version, entry.at)
        if state is State.APPROVED:
            return None
        return f"version {case.version} is {self.words(case.version, entry.at)}, not approved"

    def _refuse_rollback(self, entry: Entry, case: Case) -> str | None:
        role = case.steps[-1].role
        if role not in entry.roles or ADMINISTRATOR in entry.roles:
            return f"a rollback takes the role {role}; {entry.actor} has {_roles(entry)}"
        if impostor := self._refuse_impostor(entry, role):
            return impostor
        if not entry.reason.strip():
            return "a rollback needs a reason"
        target = self.fallback()
        if target is None:
            return "there is no earlier champion whose evidence still stands"
        return None if target is case else f"a rollback goes to version {target.version}, not {case.version}"

    def _refuse_withdrawal(self, entry: Entry, case: Case) -> str | None:
        if not self._is_author(entry.actor, case):
            return f"a version is withdrawn by its author: {', '.join(case.authors)}, not {entry.actor}"
        if entry.step not in [step.name for step in case.steps]:
            return _no_step(entry, case)
        return _refuse_reason(entry) or self._refuse_decided(case, entry.at)

    def _refuse_decision(self, entry: Entry, case: Case) -> str | None:
        step = next((step for step in case.steps if step.name == entry.step), None)
        if step is None:
            return _no_step(entry, case)
        if ADMINISTRATOR in entry.roles or entry.actor in (SERVICE, SERVER):
            return f"{entry.actor} administers or serves, and so signs nothing"
        if step.role not in entry.roles:
            return f"{step.name} is signed by the role {step.role}; {entry.actor} has {_roles(entry)}"
        if impostor := self._refuse_impostor(entry, step.role):
            return impostor
        if self.role_numbers and not entry.grant:
            return f"MLflow does not let {entry.actor} write the tags of a version"
        if self._is_author(entry.actor, case):
            return f"{entry.actor} made version {case.version}, and so may not sign it"
        if refusal := _refuse_reason(entry) or self._refuse_decided(case, entry.at):
            return refusal
        mine = next((s for s in case.in_force(entry.at) if self._is_same(s.user, entry.actor)), None)
        if entry.action == "revoke":
            return (
                None if mine and mine.step == step.name else f"{entry.actor} has no signature on {step.name} to revoke"
            )
        if entry.action == "reject":
            return self._refuse_out_of_turn(case, step, entry.at)
        if mine:
            return f"{entry.actor} has signed {mine.step} already; one person signs one step, once"
        if case.missing(step, entry.at) <= 0:
            return f"{step.name} has all its signatures"
        return self._refuse_out_of_turn(case, step, entry.at) or self._refuse_waiting(case, entry.at)

    def _refuse_waiting(self, case: Case, at: datetime) -> str | None:
        other = self.waits_behind(case.version, at)
        if other is None:
            return None
        return (
            f"version {case.version} waits while people are signing version {other}, until that is promoted, refused, "
            "run out or withdrawn by its author"
        )

    def _refuse_decided(self, case: Case, at: datetime) -> str | None:
        if self.state(case.version, at) in (State.AWAITING, State.EXPIRED, State.APPROVED):
            return None
        return f"version {case.version} is {self.words(case.version, at)}: nothing more can be signed"

    def _refuse_criterion(self, entry: Entry) -> str | None:
        if ADMINISTRATOR in entry.roles or entry.actor in (SERVICE, SERVER):
            return f"{entry.actor} administers or serves, and so has no say in criteria"
        if ANALYST not in entry.roles:
            return f"criteria take the role {ANALYST}; {entry.actor} has {_roles(entry)}"
        return self._refuse_impostor(entry, ANALYST) or self.criteria.refusal(_step(entry))

    def _refuse_impostor(self, entry: Entry, role: str) -> str | None:
        """Return why a role with this name but another number does not count; None if the number is right."""
        if not self.role_numbers or entry.role_numbers.get(role) == self.role_numbers.get(role):
            return None
        return (
            f"the role {role} is number {self.role_numbers.get(role)}; what {entry.actor} has under this name is "
            f"number {entry.role_numbers.get(role)}"
        )

    def _refuse_out_of_turn(self, case: Case, step: SignoffStep, at: datetime) -> str | None:
        awaited = case.awaited(at)
        if awaited is not None and case.steps.index(awaited) < case.steps.index(step):
            return f"{step.name} comes after {awaited.name}, which still needs {case.missing(awaited, at)} signature(s)"
        return None

    def words(self, version: int, at: datetime) -> str:
        """Return the state as a person reads it: an awaiting version names its step."""
        state = self.state(version, at)
        if state not in (State.AWAITING, State.EXPIRED):
            return state.value
        awaited = self.cases[version].awaited(at)
        assert awaited is not None  # otherwise it would be approved
        return f"awaiting {awaited.name}" if state is State.AWAITING else f"expired, awaiting {awaited.name}"


def _refuse_opening(entry: Entry, cases: dict[int, Case]) -> str | None:
    if entry.actor != SERVER:
        return f"only the server opens a version, not {entry.actor}"
    if entry.version in cases:
        return f"version {entry.version} is open already"
    if entry.seal is None and any(case.seal for case in cases.values()):
        return f"version {entry.version} is not sealed, as versions before it were"
    if not entry.one_at_a_time and any(case.is_signed_alone for case in cases.values()):
        return f"version {entry.version} is opened to be signed beside others, as versions before it were not"
    names = [step.name for step in entry.steps]
    if not names or len(set(names)) < len(names):
        return f"a version is opened with steps of different names, not {', '.join(names) or 'none'}"
    return "a version is opened with the days that a signature lasts" if entry.valid_days is None else None


def _no_step(entry: Entry, case: Case) -> str:
    return f"there is no step {entry.step!r}; the steps are {', '.join(step.name for step in case.steps)}"


def _refuse_reason(entry: Entry) -> str | None:
    if 0 < len(entry.reason.strip()) <= _LONGEST_REASON:
        return None
    return f"a decision needs a reason (up to {_LONGEST_REASON} characters), as in 'approved: finds more'"


def _refuse_clearing(entry: Entry, cases: dict[int, Case]) -> str | None:
    if ADMINISTRATOR not in entry.roles:
        return f"versions that were never opened are cleared by an administrator, not by {entry.actor}"
    if entry.version is None:
        return "clear needs a version"
    return f"version {entry.version} was opened, and stays as it was registered" if entry.version in cases else None


def _refuse_sealing(entry: Entry) -> str | None:
    if entry.actor != SERVER:
        return f"only the window seals its decisions, not {entry.actor}"
    return None if entry.digest and entry.reason.isdecimal() else "decisions are sealed by number and hash"


def _refuse_voiding(entry: Entry, case: Case) -> str | None:
    if entry.actor != SERVER:
        return f"only the server voids a version, not {entry.actor}"
    if case.is_void:
        return f"version {case.version} is void already"
    return "the evidence stands" if entry.digest == case.digest else None


def _version(entry: Entry) -> int:
    assert entry.version is not None  # `refusal` has seen to it
    return entry.version


def _step(entry: Entry) -> Step:
    reason = " ".join(entry.reason.split())
    digest = entry.digest or ""
    return Step(entry.step or "", entry.actor, entry.at, digest, reason, entry.criterion, entry.valid_days)


def _signature(entry: Entry) -> Signature:
    return Signature(entry.step or "", entry.actor, " ".join(entry.reason.split()), entry.at)


def _roles(entry: Entry) -> str:
    return ", ".join(entry.roles) or "none"
