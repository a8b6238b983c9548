"""The rules that follow from the ledger, request by request: signatures, the aliases that they move, and accounts.

Each rule looks at one call and either raises Refused, or returns the call to pass on, at times with another body:
MLflow then stores what these rules say. Book decides; here its decisions are added to the ledger, in the same
transaction that reads it.
"""

import re
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mlflow.entities.model_registry import ModelVersion

from models.access import LONGEST_TEXT, Call, Refused, account_changes
from models.criteria import Criterion, criterion
from models.evidence import digests
from models.ledger import Case, Entry, chain, lifecycle, storage
from models.names import CHALLENGER, CHAMPION, MODEL, PENDING, PREVIOUS, SERVER, SERVICE, SIGNOFF
from models.registry import tracking
from models.server import restrictions, stored
from models.server.admission import Unjudged
from models.server.looks import Looks
from models.server.restrictions import Rule
from models.server.stored import Admission
from models.signoff import waiting

_DECISION = re.compile(r"\s*(approved|rejected|revoked|withdrawn)\s*:\s*(.*)", re.DOTALL | re.IGNORECASE)
_ACTIONS: dict[str, chain.Action] = {"approved": "approve", "rejected": "reject", "revoked": "revoke"}
_ACTIONS["withdrawn"] = "withdraw"


@dataclass(frozen=True)
class Rules:
    """The rules over one ledger. `changed` is called when something happened that the promotion flow waits for.

    `grant` says by which rule MLflow lets an account write the tags of a version, and is empty if it does not. It is
    asked before anything is added to the ledger, since what is in there counts. `role_numbers` are MLflow's roles as
    they are now, and `accounts` the names of its accounts. `admit` judges a version before it is opened. `linked`
    returns the accounts that somebody has at the house's identity provider; None where people have passwords.
    """

    ledger: storage.Followed
    changed: Callable[[], None]
    grant: Callable[[str], str]
    role_numbers: Callable[[], Mapping[str, int]]
    accounts: Callable[[], Collection[str]]
    admit: Callable[[ModelVersion], Admission]
    linked: Callable[[], Collection[str]] | None = None
    _looks: Looks = field(default_factory=Looks)

    def judge(self, call: Call) -> Call:
        """Return the call as it is to be passed on. If it is not allowed, it is Refused, and noted in the ledger."""
        with self.noting(call):
            passed = self._rule(call)(call)
            if call.name in ("mlflow/runs/create", "mlflow/model-versions/create"):
                restrictions.judge_author_tag(passed, self._is_account)
            return passed

    def judge_artifact(self, call: Call, path: str) -> None:
        """Raise Refused if the file below the artifacts' root may not be written or deleted."""
        with self.noting(call):
            restrictions.judge_artifact(path)

    def judge_registration(self, call: Call) -> dict[str, object]:
        """Judge whether an account may register a version by an author; asked before training, which takes its time."""
        with self.noting(call):
            restrictions.judge_registration(call, self._is_account)
        return {}

    def inspect(self, call: Call) -> dict[str, object]:
        """Look at the evidence of a version, and open or void it; return where it stands and what its tags say."""
        with self.noting(call):  # only this is noted: a candidate that cannot be opened is asked about each minute
            if not call.is_service:
                raise Refused(f"only the promotion service asks for an inspection, not {call.actor}")
        number, at = call.number(), storage.now()
        self._admit(number)
        is_due = self._looks.is_due(number)
        with self.ledger.writing() as writer:
            self._look(writer, number, at, is_thorough=is_due)
        if is_due:
            self._looks.was_thorough(number)
        book = self.ledger.book
        tags = book.cases[number].tags(at)
        return {"state": book.state(number, at), "words": book.words(number, at), "tags": tags}

    def roll_back(self, call: Call) -> dict[str, object]:
        """Make the last champion whose evidence still stands the champion again."""
        with self.noting(call):
            reason, at = call.text("reason"), storage.now()
            with self.ledger.writing() as writer:
                if target := self._fallback(writer, at):
                    about = {"version": target.version, "digest": target.digest, "reason": reason}
                    refusal = writer.attempt(call.entry("roll back", at, **about))
            if target is None:
                raise Refused("there is no earlier champion whose evidence still stands")
            if refusal:
                raise Refused(refusal, is_noted=True)
        self.changed()
        return {"version": str(target.version)}

    def unlinked(self, number: int) -> list[str]:
        """Return the accounts whose names keep a version from being approved, as nobody is linked to them."""
        return self._unlinked(self._people(number, storage.now()))

    def take_step(self, call: Call) -> dict[str, object]:
        """Propose, confirm, refuse or withdraw a criterion; return the criterion."""
        with self.noting(call):
            step, reason, about = call.text("step"), call.text("reason"), self._criterion(call)
            said: dict[str, Any] = {"step": step, "reason": reason, "digest": about.digest}
            if step == "propose":
                said |= {"criterion": about, "valid_days": self.ledger.book.criterion_days}
            elif step == "confirm" and (standing := self.ledger.book.criteria.named(about.name)):
                self._refuse_unlinked(f"criterion {about.name}", [standing.proposed.actor])
            with self.ledger.writing() as writer:
                refusal = writer.attempt(call.entry("criterion", storage.now(), **said))
            if refusal:
                raise Refused(refusal, is_noted=True)
        return {"criterion": about.model_dump(mode="json")}

    def _criterion(self, call: Call) -> Criterion:
        """Return the criterion that a call proposes, or names; Refused for one that cannot be, or that there is not."""
        if call.text("step") == "propose":
            try:
                return criterion.read(call.body.get("criterion"))
            except ValueError as error:
                raise Refused(str(error), 400) from error
        name = call.text("name")
        standing = self.ledger.refresh().criteria.named(name)
        if standing is None:
            raise Refused(f"no criterion is named {name}; `tidewaiter criteria list` names all", 404)
        return standing.criterion

    def _fallback(self, writer: storage.Writer, at: datetime) -> Case | None:
        """Return the last earlier champion whose evidence stands now; void those whose evidence does not."""
        while target := self.ledger.book.fallback():
            try:
                if self._look(writer, target.version, at) == target.digest:
                    return target
            except Refused as error:
                raise Refused(
                    f"nothing was rolled back, to version {target.version}: {error}. Is a folder lost for good, make "
                    "an empty one in its place: that voids the version, and the rollback goes to the one before",
                    error.status,
                ) from error
        return None

    # The rules of what people sign, and of what follows from it.

    def _set_version_tag(self, call: Call) -> Call:
        if not restrictions.is_ours(call):
            return call
        key = call.text("key")
        if key.startswith(SIGNOFF):
            return self._repair(call) if call.is_service else self._decide(call)
        return restrictions.judge_tag(call)

    def _decide(self, call: Call) -> Call:
        number, value, at = call.number(), call.text("value"), storage.now()
        key = call.text("key")
        match = _DECISION.fullmatch(value)
        if match is None:
            raise Refused(
                f"{value!r} is not a decision; write 'approved: reason', 'rejected: reason', 'revoked: reason' or "
                "'withdrawn: reason'",
                400,
            )
        action, reason = _ACTIONS[match[1].lower()], match[2].strip()
        self._admit(number)
        if action == "approve":
            self._refuse_unlinked(f"version {number}", self._people(number, at))
        with self.ledger.writing() as writer:
            digest = self._look(writer, number, at)
            step = key.removeprefix(SIGNOFF)
            about = {"version": number, "step": step, "digest": digest, "reason": reason}
            refusal = writer.attempt(call.entry(action, at, grant=self.grant(call.actor), **about))
        if refusal:
            raise Refused(refusal, is_noted=True)
        if self.ledger.book.state(number, at) is lifecycle.State.APPROVED:
            self.changed()
        return call.with_body(value=self.ledger.book.cases[number].tags(at)[key])

    def _people(self, number: int, at: datetime) -> list[str]:
        """Return whose work and whose signatures a version has, as they count at a moment."""
        case = self.ledger.refresh().cases.get(number)
        return (
            [*case.authors, *(each.user for each in case.in_force(at))] if case else [*stored.authors(_there(number))]
        )

    def _refuse_unlinked(self, what: str, names: Iterable[str]) -> None:
        """Raise Refused if who is behind one of these names may come by the identity provider under another one."""
        if unlinked := self._unlinked(names):
            raise Refused(
                f"{what} bears the name of {', '.join(unlinked)}, and it is not known who that is at the identity "
                "provider: an administrator links the account first (tidewaiter users link)"
            )

    def _unlinked(self, names: Iterable[str]) -> list[str]:
        if self.linked is None:
            return []
        person = self.ledger.book.person
        known = {person(name) for name in (*self.linked(), SERVICE)}
        return sorted({name for name in names if person(name) not in known})

    def _repair(self, call: Call) -> Call:
        """Let the service set a tag to what the ledger says, or to `pending` if it says nothing yet."""
        number, key = call.number(), call.text("key")
        case = self.ledger.refresh().cases.get(number)
        expected = case.tags(storage.now()).get(key) if case else PENDING
        if call.text("value") != expected:
            raise Refused(f"{call.actor} signs nothing: by the ledger, {key} of version {number} is {expected!r}")
        return call

    def _set_alias(self, call: Call) -> Call:
        if not restrictions.is_ours(call) or not restrictions.is_reserved(call.text("alias")):
            return call
        alias, number, at = call.text("alias"), call.number(), storage.now()
        if not call.is_service:
            raise Refused(f"only the promotion service moves {alias}, not {call.actor}: sign the steps, and it follows")
        if alias == CHALLENGER:
            return call
        if alias == PREVIOUS:
            if self.ledger.refresh().previous != number:
                raise Refused(f"by the ledger, {alias} is {self.ledger.book.previous}, not {number}")
            return call
        self._admit(number)
        with self.ledger.writing() as writer:
            if self.ledger.book.champion == number:
                return call
            digest = self._look(writer, number, at)
            refusal = writer.attempt(call.entry("promote", at, version=number, digest=digest))
        if refusal:
            raise Refused(refusal, is_noted=True)
        return call

    def _delete_alias(self, call: Call) -> Call:
        if not restrictions.is_ours(call) or not restrictions.is_reserved(call.text("alias")):
            return call
        alias, book = call.text("alias"), self.ledger.refresh()
        if alias == CHALLENGER and call.is_service:
            return call
        belongs = book.champion if alias == CHAMPION else book.previous
        if not call.is_service or belongs is not None:
            raise Refused(f"{alias} is not taken away; by the ledger, it is {belongs}")
        return call

    def _describe(self, call: Call) -> Call:
        """Let the service set the model's description to what the ledger says, and to nothing else."""
        if not restrictions.is_ours(call) or not call.is_service:
            return restrictions.leave_ours(call)
        if call.text("description") != waiting.describe(self.ledger.refresh(), stored.numbers(), storage.now()):
            raise Refused(f"{call.actor} describes nothing: {MODEL} is described as the ledger has it at that moment")
        return call

    def _is_account(self, name: str) -> bool:
        return name in self.accounts()

    def _clear(self, call: Call) -> Call:
        """Let a version be deleted that was never opened, and so was never anybody's to sign."""
        if not restrictions.is_ours(call):
            return call
        number = call.number()
        if stored.version(number) is None:
            raise Refused(f"there is no version {number} of {MODEL}", 404)
        with self.ledger.writing() as writer:
            refusal = writer.attempt(call.entry("clear", storage.now(), version=number))
        if refusal:
            raise Refused(refusal, is_noted=True)
        return call

    def _admit(self, number: int) -> None:
        """Have a version judged before it is opened; not inside the ledger's transaction, since it takes seconds."""
        if number not in self.ledger.refresh().cases:
            self._looks.admit(number, lambda: self.admit(_there(number)))

    def _look(self, writer: storage.Writer, number: int, at: datetime, is_thorough: bool = True) -> str:
        """Return the digest of a version's evidence in the store; open or void the version as the evidence demands."""
        found, book = _there(number), self.ledger.book
        case = book.cases.get(number)
        if case is None:
            admitted = self._looks.admitted(number)
            finding = _found(found, admitted.seal, is_thorough=True)
            if finding.differences or finding.digest != admitted.digest:
                said = "; ".join(finding.differences) or "another evidence lies in its place"
                raise Refused(f"version {number} was altered while it was judged: {said}")
            writer.append(book.opening(number, finding.digest, stored.authors(found), at, admitted.seal))
            return finding.digest
        finding = _found(found, case.seal, is_thorough)
        if finding.digest != case.digest and not case.is_void:
            writer.append(
                Entry(
                    at=at,
                    actor=SERVER,
                    action="void",
                    version=number,
                    digest=finding.digest,
                    reason=tracking.cut(
                        "; ".join(finding.differences) or "another evidence lies in its place", LONGEST_TEXT
                    ),
                )
            )
        return finding.digest

    @contextmanager
    def noting(self, call: Call) -> Generator[None]:
        """Add what the block refuses to the ledger."""
        try:
            yield
        except Refused as refusal:
            if not refusal.is_noted:
                entry = call.entry(
                    "write", storage.now(), version=call.version, refusal=tracking.cut(str(refusal), LONGEST_TEXT)
                )
                with self.ledger.writing() as writer:
                    writer.append(entry)
            raise

    def _rule(self, call: Call) -> Rule:
        own: dict[tuple[str, str], Rule] = {
            ("POST", "mlflow/model-versions/set-tag"): self._set_version_tag,
            ("POST", "mlflow/registered-models/alias"): self._set_alias,
            ("DELETE", "mlflow/registered-models/alias"): self._delete_alias,
            ("DELETE", "mlflow/model-versions/delete"): self._clear,
            ("PATCH", "mlflow/registered-models/update"): self._describe,
        }
        if account_changes.ROUTES.fullmatch(call.name):
            return self._change_account
        return own.get((call.method, call.name)) or restrictions.rule(call.method, call.name)

    def _change_account(self, call: Call) -> Call:
        told = account_changes.judge(call, self.role_numbers(), self.accounts())
        with self.ledger.writing() as writer:
            writer.append(call.entry("account", storage.now(), reason=digests.canonical(told).decode()))
        return call

    def answered(self, call: Call, status: int) -> None:
        """Note whether MLflow has made a change of an account that was noted before MLflow was asked."""
        told = account_changes.judge(call, self.role_numbers(), ())  # a new account exists by now
        with self.ledger.writing() as writer:
            writer.append(
                call.entry("account", storage.now(), reason=digests.canonical({**told, "answer": status}).decode())
            )

    def note_roles(self) -> None:
        """Note which number each role has, if the ledger has others."""
        found = dict(self.role_numbers())
        with self.ledger.writing() as writer:
            if self.ledger.book.role_numbers != found:
                what = "the roles as they stand when the server starts"
                writer.append(Entry(at=storage.now(), actor=SERVER, action="account", reason=what, role_numbers=found))


def _found(version: ModelVersion, sealed: str | None, is_thorough: bool) -> stored.Finding:
    """Return the evidence of a version. Refused, with nothing said about it, if it cannot be read now."""
    try:
        return stored.find_evidence(version, sealed, is_thorough)
    except Unjudged as error:
        raise Refused(str(error), 503) from error


def _there(number: int) -> ModelVersion:
    found = stored.version(number)
    if found is None:
        raise Refused(f"there is no version {number} of {MODEL}", 404)
    return found
