"""An installation whose champion has decided, by the window and by the night: all that a trace looks at is there."""

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from features.store import versioning
from flows.settings import Settings
from models import policy
from models.criteria import Register
from models.decisions import Decision, DecisionLog, Document, Spool
from models.desk import Desk, Finding, Officer
from models.dossier import Incumbent
from models.evidence import manifest, seal, source_code
from models.evidence.source_code import Code
from models.ledger import Entry, Keys
from models.ledger.book import SERVER, SERVICE
from models.ledger.storage import Ledger, Table
from models.live import chance
from models.registry import serving
from models.window.deciding import Decider
from models.workspace import Workspace
from tests.support import candidates
from tests.support.desks import Clock
from tests.support.opened import SECRET, Opened, message
from tests.support.signing import AUTHOR, POLICY, ROLES, on

SIGNERS = (("ann", "technical"), ("bob", "governance"), ("cid", "governance"))
IN_WINDOW = 4  # declarations that the window has decided; the night has selected the others


@dataclass(frozen=True)
class Traced:
    """The installation in a folder. The night has selected the world's last day, of which the window had some."""

    folder: Path
    settings: Settings
    decided: Sequence[Decision]
    selected: Sequence[str]

    @property
    def keys(self) -> Keys:
        return Keys(self.settings.signoff_folder)

    def write(self, *entries: Entry) -> None:
        """Add entries to the ledger, each accepted by its rules."""
        table = Table(self.settings.database_uri)
        ledger = Ledger(table, self.keys.private_key, self.keys.head_file, POLICY)
        with ledger.writing() as writer:
            for each in entries:
                writer.append(each)
        table.close()

    def seal(self, log: DecisionLog, day: float) -> None:
        """Seal the log as far as it has come."""
        head = log.head()
        self.write(Entry(at=on(day), actor=SERVER, action="decisions", digest=head.hash, reason=str(head.number)))


def traced(world: Opened, folder: Path) -> Traced:
    """Make the installation in `folder`, from a copy of the world."""
    shutil.copytree(world.workspace.places.data, folder / "data")
    shutil.copytree(world.workspace.places.state, folder / "state")
    settings = Settings(state_folder=folder / "state", data_folder=folder / "data")
    settings.window_folder.mkdir()
    project = _project(folder / "project")
    data_version = versioning.snapshot(settings.data_folder, settings.state_folder)
    champion = _registered(world, settings, folder, project, data_version)
    made = Traced(folder, settings, _decided(replace(world, champion=champion), settings), ())
    made.keys.make()
    _promote(made, champion.version)
    with closing(DecisionLog(settings.decisions_uri)) as log:
        made.seal(log, 1)
    _work(settings, made.decided)
    workspace = Workspace(settings.places, champion.policy, "simulator")
    choice = workspace.choose(workspace.features(), champion, Register())
    workspace.keep(choice, champion.model, "fr")
    versioning.snapshot(settings.data_folder, settings.state_folder)
    in_a_lane = choice.rows.filter(choice.rows["lane"] != "green")["declaration_id"].unique(maintain_order=True)
    decided = {each.declaration_id for each in made.decided}
    return replace(made, selected=[name for name in in_a_lane if name not in decided])


def at_home(monkeypatch: pytest.MonkeyPatch, made: Traced) -> None:
    """Have the commands work on an installation, whose code is in its project."""
    monkeypatch.chdir(made.folder)
    monkeypatch.setenv("TIDEWAITER_STATE_FOLDER", str(made.settings.state_folder))
    monkeypatch.setenv("TIDEWAITER_DATA_FOLDER", str(made.settings.data_folder))
    monkeypatch.setenv("TIDEWAITER_WINDOW_SOURCE", "simulator")
    monkeypatch.setattr(source_code, "PROJECT", made.folder / "project")


def _project(folder: Path) -> Path:
    for package in source_code.PACKAGES:
        (folder / package).mkdir(parents=True)
        (folder / package / "code.py").write_text(f"# {package}\n")
    identity = ("-c", "user.name=dan", "-c", "user.email=dan@example.org")
    for arguments in (("init", "--quiet"), ("add", "."), (*identity, "commit", "--quiet", "--message", "first")):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)
    return folder


def _registered(world: Opened, settings: Settings, folder: Path, project: Path, data_version: str) -> Incumbent:
    """Register the world's champion as version 1, and return it as the window has it."""
    model, usual = world.champion.model, candidates.dossier()
    importance = dict.fromkeys(model.encoder.names, 0.01)
    about = usual.judged.about.model_copy(update={"importance": importance})
    judged = usual.judged.model_copy(update={"about": about})
    made = replace(usual, judged=judged, model=model, policy=world.champion.policy.written)
    told = subprocess.run(["git", "-C", str(project), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    code = Code(commit=told.stdout.strip(), is_dirty=False, source_sha256=source_code.source_digest(project))
    for name in ("usual", "evidence"):
        (folder / name).mkdir()
    made.write(folder / "evidence", data_version, code.commit)
    stated = manifest.assemble(folder / "evidence", data_version, made.windows(), code)
    stated.write(folder / "evidence")
    candidate = replace(
        candidates.candidate(folder / "usual"),
        folder=folder / "evidence",
        manifest=stated,
        params=made.params(),
        metrics=made.metrics(),
        signature=serving.signature(model.encoder),
        input_example=serving.input_example(world.built.scan().head(5).collect(), model.encoder),
    )
    found = candidates.open_registry(settings.state_folder).register(candidate)
    assert found.version
    return replace(world.champion, version=found.version, manifest=stated)


def _decided(world: Opened, settings: Settings) -> list[Decision]:
    """Have the window decide the first declarations of the day, and the first of them again, amended."""
    with closing(DecisionLog(settings.decisions_uri)) as log:
        ground = world.ground()
        decider = Decider(log, Spool(settings.window_folder / "spool.jsonl"), lambda: ground, pytest.fail)
        decider.start()
        made: list[Decision] = []
        for asked in (*(world.asked(place, "fr") for place in range(IN_WINDOW)), world.asked(0, item_value=9e5)):
            content = message(asked.rows)
            named = replace(asked, message=hashlib.sha256(content).hexdigest())
            made += decider.ask([named], {named.message: Document("application/json", content)}).result(timeout=30)
        decider.stop()
        log.commit_to(world.day, chance.commitment(SECRET))
        log.publish(world.day, SECRET.hex())
    return made


def _promote(made: Traced, version: str) -> None:
    (sealed,) = (made.settings.state_folder / "artifacts").rglob(seal.SEAL_FILE)
    stated = manifest.read((sealed.parent / manifest.MANIFEST_FILE).read_bytes())
    about = {"version": int(version), "digest": stated.digest}
    made.write(
        Entry(
            at=on(0),
            actor=SERVER,
            action="open",
            seal=seal.read(sealed.parent).digest,
            authors=(AUTHOR,),
            steps=POLICY.steps,
            valid_days=POLICY.valid_days,
            **about,
        ),
        *(
            Entry(at=on(0), actor=name, roles=ROLES[name], action="approve", step=step, reason="sound", **about)
            for name, step in SIGNERS
        ),
        Entry(at=on(0), actor=SERVICE, action="promote", **about),
    )


def _work(settings: Settings, decided: Sequence[Decision]) -> None:
    """Have an officer look at the first case, and find something."""
    clock = Clock(datetime(2024, 6, 3, 12, tzinfo=ZoneInfo("UTC")))
    rules = policy.load().desk
    with (
        closing(DecisionLog(settings.decisions_uri)) as log,
        closing(Desk.kept_in(settings.desk_folder, settings.decisions_uri, rules, clock)) as desk,
    ):
        desk.migrate()
        desk.cases.follow(log)
        ana = Officer("ana", tuple({each.office for each in decided}))
        case = desk.queue.take_next(ana)
        assert case
        item = next(each for each in case.items if each.is_inspected)
        found = {"item_number": item.item_number, "kind": "origin", "revenue": 200.0, "words": "made\nelsewhere"}
        desk.findings.add(ana, Finding(key="k-1", case=case.number, found_at=clock(), **found))
