"""What the steps of people amount to: which criteria were proposed, confirmed, refused and withdrawn, and by whom.

The steps come from the ledger, in its order, and from nowhere else. `refusal` says what is allowed, apart from who has
which role: that is the ledger's business for all its entries (models/ledger/book.py).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from models.criteria.criterion import Criterion
from models.criteria.in_force import InForce

What = Literal["propose", "confirm", "refuse", "withdraw"]
STEPS: tuple[What, ...] = ("propose", "confirm", "refuse", "withdraw")
LONGEST_REASON = 1000


@dataclass(frozen=True)
class Step:
    """Tells what a person did about the criterion with this digest, when, and why.

    `criterion` and `longest_days` belong to `propose`: what is proposed, and how long the policy lets it live.
    """

    what: str
    actor: str
    at: datetime
    digest: str
    reason: str
    criterion: Criterion | None = None
    longest_days: int | None = None


@dataclass(frozen=True)
class Standing:
    """Tells how a criterion stands: the steps that were taken, of which `ended` is a refusal or a withdrawal."""

    criterion: Criterion
    proposed: Step
    confirmed: Step | None = None
    ended: Step | None = None

    def holds_on(self, day: date) -> bool:
        """Say whether it is in force on a day, by what is known now."""
        return self.confirmed is not None and self.ended is None and self.criterion.holds_on(day)

    def words(self, day: date) -> str:
        """Return its state on a day as a person reads it."""
        if self.ended:
            return "refused" if self.ended.what == "refuse" else "withdrawn"
        if day > self.criterion.ends_on:
            return "expired"
        if self.confirmed is None:
            return "proposed"
        return "in force" if self.holds_on(day) else "confirmed"


def _person(name: str) -> str:
    """Return the name by which a person is known however it is written."""
    return name.strip().casefold()


class Register:
    """All criteria that were ever proposed, by their digests, in the order of their proposals.

    `person` tells by one text all names under which a person takes steps.
    """

    def __init__(self, person: Callable[[str], str] = _person) -> None:
        self._person = person
        self._known: dict[str, Standing] = {}

    def __iter__(self) -> Iterator[Standing]:
        return iter(list(self._known.values()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Register) and self._known == other._known

    __hash__ = None

    def named(self, name: str) -> Standing | None:
        """Return the criterion of a name; None if there is none."""
        return next((each for each in self if each.criterion.name == name), None)

    def in_force(self, day: date) -> InForce:
        """Return the criteria that hold on a day, by what is known now."""
        return InForce.of(each.criterion for each in self if each.holds_on(day))

    def apply(self, step: Step) -> None:
        """Take a step in that `refusal` has nothing against."""
        if step.what == "propose":
            assert step.criterion is not None  # `refusal` has seen to it
            self._known[step.digest] = Standing(step.criterion, step)
            return
        change = {"confirmed": step} if step.what == "confirm" else {"ended": step}
        self._known[step.digest] = replace(self._known[step.digest], **change)

    def refusal(self, step: Step) -> str | None:
        """Return why a step is not allowed, in a sentence for the person who took it; None if it is allowed."""
        if step.what not in STEPS:
            return f"there is no step {step.what!r}; the steps are {', '.join(STEPS)}"
        if not 0 < len(step.reason.strip()) <= LONGEST_REASON:
            return f"a criterion needs a reason (up to {LONGEST_REASON} characters) at each step"
        if step.what == "propose":
            return self._refuse_proposal(step)
        standing = self._known.get(step.digest)
        if standing is None:
            return f"no criterion with the digest {step.digest[:12]} was proposed"
        name, words = standing.criterion.name, standing.words(step.at.date())
        is_author = self._person(step.actor) == self._person(standing.proposed.actor)
        if words in ("refused", "withdrawn", "expired"):
            return f"{name} is {words}: nothing more is done about it"
        if step.what == "withdraw":
            if standing.confirmed is None and not is_author:
                return f"{name} is not confirmed: who does not agree refuses it, and {step.actor} did not propose it"
            return None
        if standing.confirmed:
            return f"{name} is confirmed: it can be withdrawn"
        return f"{step.actor} proposed {name}: another person has to {step.what} it" if is_author else None

    def _refuse_proposal(self, step: Step) -> str | None:
        criterion, today = step.criterion, step.at.date()
        if criterion is None or criterion.digest != step.digest:
            return "a proposal needs a criterion and its digest"
        if self.named(criterion.name):
            return f"a criterion named {criterion.name} was proposed before; allowed: a name of its own for each"
        if criterion.ends_on < criterion.begins_on:
            return f"ends_on is {criterion.ends_on}, before begins_on, {criterion.begins_on}"
        if not step.longest_days:
            return "the policy allows no criteria: criterion_days in its [signoff] is 0"
        latest = today + timedelta(days=step.longest_days)
        if not today <= criterion.ends_on <= latest:
            return f"ends_on is {criterion.ends_on}; allowed: {today} to {latest}, {step.longest_days} days from now"
        return None
