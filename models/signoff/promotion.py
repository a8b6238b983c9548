"""Makes MLflow's aliases and tags what the ledger says, and promotes what all have signed.

It looks at the present state, not at what happened, so it can be killed anywhere and run again. Its own memory (aliases
and tags as it last left them) decides nothing: it only tells a change of the ledger, which is to be carried out, from a
change that somebody made past the ledger, which is also to be reported.

It uses plain HTTP and no MLflow, since it runs each minute and mostly finds nothing to do.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from models.evidence import manifest as evidence
from models.evidence import seal
from models.ledger import Book, Case, Keys, reading
from models.ledger.chain import LedgerError
from models.ledger.lifecycle import State
from models.names import CHALLENGER, CHAMPION, MODEL
from models.policy import Signoff
from models.signoff.projection import Memory, Plan, Stored, Tags, aliases_of, compare, named, to_inspect

_SECOND_LOOK_S = 2.0  # by then the server has written what it was just about to write
_PAGE = 1000

Tell = Callable[[Sequence[str]], None]


@dataclass(frozen=True)
class Outcome:
    """Tells what one pass did. `alarms` are all that it found, including those that an earlier pass told."""

    promoted: tuple[int, ...] = ()
    repaired: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        done = [*(f"version {number} is {CHAMPION} now" for number in self.promoted), *self.repaired]
        return "; ".join([*done, *(f"ALARM: {alarm}" for alarm in self.alarms)]) or "nothing to do"


class Server:
    """The MLflow server with the sign-off guard, as its service account sees it."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def stored(self) -> Stored:
        """Return aliases and versions of the model; nothing before the first version."""
        response = self._client.get("/api/2.0/mlflow/registered-models/get", params={"name": MODEL})
        if response.status_code == httpx.codes.NOT_FOUND:
            return Stored({}, {})
        model = _checked(response)["registered_model"]
        aliases = {each["alias"]: int(each["version"]) for each in model.get("aliases", [])}
        return Stored(aliases, dict(self._versions()), model.get("description", ""))

    def inspect(self, version: int) -> str | None:
        """Have the evidence of a version looked at; return why the server cannot open the version, or None."""
        return _refusal(self._client.post("/api/2.0/tidewaiter/inspect", json={"version": str(version)}))

    def promote(self, version: int) -> str | None:
        """Make a version champion, which the server writes into the ledger; return why it does not, or None."""
        body = {"name": MODEL, "alias": CHAMPION, "version": str(version)}
        return _refusal(self._client.post("/api/2.0/mlflow/registered-models/alias", json=body))

    def set_alias(self, alias: str, version: int | None) -> None:
        body = {"name": MODEL, "alias": alias}
        if version is None:
            _checked(self._client.request("DELETE", "/api/2.0/mlflow/registered-models/alias", json=body))
        else:
            body["version"] = str(version)
            _checked(self._client.post("/api/2.0/mlflow/registered-models/alias", json=body))

    def set_tag(self, version: int, key: str, value: str) -> None:
        body = {"name": MODEL, "version": str(version), "key": key, "value": value}
        _checked(self._client.post("/api/2.0/mlflow/model-versions/set-tag", json=body))

    def describe(self, text: str) -> None:
        """Say on the page of the model which version decides and which wait.

        If somebody has signed meanwhile, the server refuses what is no longer so, and the next pass says it.
        """
        _refusal(
            self._client.patch("/api/2.0/mlflow/registered-models/update", json={"name": MODEL, "description": text})
        )

    def verify(self, case: Case) -> None:
        """Raise ValueError if the stored evidence of a case is not what was signed, file by file.

        Only the manifest's files are compared: a request for each of the hundreds of other sealed files takes longer
        than everything else. The server checks those, and whether anything was added, before it moves the alias.
        """
        asked = {"name": MODEL, "version": str(case.version)}
        version = _checked(self._client.get("/api/2.0/mlflow/model-versions/get", params=asked))["model_version"]
        run, source = version.get("run_id", ""), version.get("source", "")
        manifest = evidence.read(self._file("/get-artifact", run_id=run, path=evidence.MANIFEST_FILE))
        if manifest.digest != case.digest:
            raise ValueError(f"it was signed over evidence {case.digest}, and what is stored is {manifest.digest}")
        in_run = {name: digest for name, digest in manifest.files.items() if name in evidence.FILES}
        in_model = {f"artifacts/{name}": manifest.files[name] for name in manifest.files.keys() - in_run.keys()}
        if case.seal:
            sealed = seal.parse(self._file("/get-artifact", run_id=run, path=seal.SEAL_FILE))
            if sealed.digest != case.seal:
                raise ValueError(f"it was opened under seal {case.seal}, and what is stored is {sealed.digest}")
        model = f"/ajax-api/2.0/mlflow/logged-models/{source.removeprefix('models:/')}/artifacts/files"
        for name, stated in in_run.items():
            _compare(name, self._file("/get-artifact", run_id=run, path=name), stated)
        for name, stated in in_model.items():
            _compare(name, self._file(model, artifact_file_path=name), stated)

    def _file(self, route: str, **asked: str) -> bytes:
        response = self._client.get(route, params=asked)
        if response.is_error:
            raise ValueError(f"{' '.join(asked.values())} cannot be read: {response.status_code} {response.text[:200]}")
        return response.content

    def _versions(self) -> list[tuple[int, Tags]]:
        found, token = [], ""
        while True:
            asked = {"filter": f"name = '{MODEL}'", "max_results": _PAGE, "page_token": token}
            page = _checked(self._client.get("/api/2.0/mlflow/model-versions/search", params=asked))
            for each in page.get("model_versions", []):
                tags = {tag["key"]: tag["value"] for tag in each.get("tags", [])}
                found.append((int(each["version"]), tags))
            token = page.get("next_page_token", "")
            if not token:
                return found


@dataclass
class Promoter:
    """The promotion of one installation. `tell` gets alarms that were not told before, before anything is corrected."""

    server: Server
    read_book: Callable[[], Book]
    memory_file: Path
    tell: Tell
    now: Callable[[], datetime]
    sleep: Callable[[float], None] = time.sleep
    _memory: Memory = field(init=False)

    def run(self) -> Outcome:
        """Make one pass. A broken ledger stops it at the alarm: what it says then is not to be carried out.

        The person who gave the last signature need not wait for slow work: approved versions go first, and again after
        each candidate, whose judging takes seconds.
        """
        self._memory = Memory.read(self.memory_file)
        try:
            book = self.read_book()
        except LedgerError as error:
            return self._ended([Outcome(alarms=self._alarm((f"the ledger is broken: {error}",)))])
        at = self.now()
        by_state: dict[State, list[int]] = {}
        for number in to_inspect(book, self.server.stored(), at):
            by_state.setdefault(book.state(number, at), []).append(number)
        approved, candidates = (by_state.pop(state, []) for state in (State.APPROVED, State.CANDIDATE))
        steps = [self._step(approved)] if approved else []
        closed: list[str] = []
        for number in candidates:
            closed += self._inspected([number])
            if list(self.read_book().approved(self.now())):
                steps.append(self._step(()))
        others = [number for numbers in by_state.values() for number in numbers]
        return self._ended([*steps, self._step(others, closed)])

    def _inspected(self, versions: Sequence[int]) -> list[str]:
        """Have evidence looked at; return why versions cannot be opened."""
        return [answer for version in versions if (answer := self.server.inspect(version))]

    def _step(self, versions: Sequence[int], closed: Sequence[str] = ()) -> Outcome:
        """Have the evidence of `versions` looked at, correct what differs by now, and promote what is approved."""
        closed = [*closed, *self._inspected(versions)]
        book, plan = self._survey()
        sound, unsound = self._verified(book)
        alarms = self._alarm((*closed, *plan.lasting, *unsound), plan.moved)
        repaired = self._carry_out(plan, book)
        promoted, refused = [], []
        for version in sound:
            if refusal := self.server.promote(version):
                refused.append(_not_promoted(version, refusal))
                continue
            promoted.append(version)
            self._memory.aliases[CHAMPION] = version
            self._memory.write(self.memory_file)
        if sound:
            book, plan = self._survey()
            alarms += self._alarm((*refused, *plan.lasting))
            self._carry_out(plan, book)
        return Outcome(tuple(promoted), repaired, alarms)

    def _ended(self, steps: Sequence[Outcome]) -> Outcome:
        """Return all steps of a pass as one; an alarm that no step had is forgotten, and told when it comes again."""
        alarms = tuple(dict.fromkeys(alarm for step in steps for alarm in step.alarms))
        self._memory.told = [alarm for alarm in self._memory.told if alarm in alarms]
        self._memory.write(self.memory_file)
        promoted = (version for step in steps for version in step.promoted)
        repaired = (what for step in steps for what in step.repaired)
        return Outcome(tuple(promoted), tuple(repaired), alarms)

    def _survey(self) -> tuple[Book, Plan]:
        """Return the book, and how MLflow differs from it. Alarms must be seen twice: a signature may be on its way."""
        book = self.read_book()
        plan = compare(book, self.server.stored(), self._memory, self.now())
        if plan.moved or plan.lasting:
            self.sleep(_SECOND_LOOK_S)
            book = self.read_book()
            plan = compare(book, self.server.stored(), self._memory, self.now())
        return book, plan

    def _verified(self, book: Book) -> tuple[list[int], list[str]]:
        """Return the approved versions whose evidence is what was signed, and why others are not promoted."""
        sound, unsound = [], []
        for case in book.approved(self.now()):
            try:
                self.server.verify(case)
            except ValueError as error:
                unsound.append(_not_promoted(case.version, error))
            else:
                sound.append(case.version)
        return sound, unsound

    def _carry_out(self, plan: Plan, book: Book) -> tuple[str, ...]:
        for version, key, value in plan.tags:
            self.server.set_tag(version, key, value)
        for alias, version in plan.aliases:
            self.server.set_alias(alias, version)
        if plan.description is not None:
            self.server.describe(plan.description)
        at = self.now()
        self._memory.aliases = aliases_of(book)
        self._memory.tags = {number: case.tags(at) for number, case in book.cases.items()}
        self._memory.write(self.memory_file)
        return (
            *(f"{key} of version {version} is {value!r} again" for version, key, value in plan.tags),
            *(f"{alias} is {named(version)} again" for alias, version in plan.aliases if alias != CHALLENGER),
        )

    def _alarm(self, lasting: Sequence[str], moved: Sequence[str] = ()) -> tuple[str, ...]:
        """Tell what was not told before, and return all of it."""
        lasting_new = [alarm for alarm in lasting if alarm not in self._memory.told]
        if lasting_new or moved:
            self.tell([*lasting_new, *moved])
        self._memory.told += lasting_new
        self._memory.write(self.memory_file)
        return (*lasting, *moved)


def promoter(
    tracking_uri: str, keys: Keys, policy: Signoff, client: httpx.Client, memory_file: Path, tell: Tell
) -> Promoter:
    """Return a promoter for the server at `tracking_uri`, by the clock of this machine."""

    def read_book() -> Book:
        return reading.signed_book(tracking_uri, keys, policy)

    return Promoter(Server(client), read_book, memory_file, tell, lambda: datetime.now(UTC))


def _compare(name: str, content: bytes, stated: str) -> None:
    if hashlib.sha256(content).hexdigest() != stated:
        raise ValueError(f"{name} is not the file that was signed")


def _not_promoted(version: int, why: object) -> str:
    return f"version {version} is signed, and not promoted: {why}"


def _refusal(response: httpx.Response) -> str | None:
    """Return why the server refuses, or None; RuntimeError if it fails."""
    if response.status_code == httpx.codes.FORBIDDEN:
        return str(response.json()["message"])
    _checked(response)
    return None


def _checked(response: httpx.Response) -> dict[str, Any]:
    """Return the answer; RuntimeError with the server's own sentence if it refuses."""
    if response.is_error:
        content = response.json() if "json" in response.headers.get("content-type", "") else {}
        sentence = content.get("message", response.reason_phrase)
        raise RuntimeError(f"{response.request.method} {response.request.url.path}: {response.status_code} {sentence}")
    return response.json() if response.content else {}
