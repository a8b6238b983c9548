"""An installation of which papers can be drawn up: a version in force, nights that looked at it, officers at work."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from flows.settings import Settings
from models.disclosure import Material, gather
from models.evidence import seal
from models.ledger import Entry, Keys
from models.ledger.book import SERVER, SERVICE
from models.ledger.storage import Ledger, Table
from models.policy import Desk as Rules
from models.registry import Registry
from tests.support import candidates, desks
from tests.support.signing import AUTHOR, POLICY, ROLES, on

SIGNERS = (("ann", "technical"), ("bob", "governance"), ("cid", "governance"))
AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
SAID = "the goods are perishable"  # by whoever departs three times in these words


@dataclass(frozen=True)
class Disclosed:
    """The installation in a folder; its desk and its log are open."""

    settings: Settings
    registry: Registry
    world: desks.World

    @property
    def answers(self) -> Path:
        return self.settings.state_folder / "dossier.toml"

    def material(self) -> Material:
        """Return what papers about the version are made from, window and desk included."""
        with TemporaryDirectory() as scratch:
            parts = (self.answers, self.world.log, self.world.desk)
            return gather(self.settings.places, 1, AT, Path(scratch), *parts)

    def write(self, *entries: Entry) -> None:
        """Add entries to the ledger, each judged by its rules."""
        keys = Keys(self.settings.signoff_folder)
        table = Table(self.settings.database_uri)
        with Ledger(table, keys.private_key, keys.head_file, POLICY).writing() as writer:
            for each in entries:
                writer.append(each)
        table.close()


def disclosed(folder: Path) -> Disclosed:
    """Make the installation: version 1 is in force, and two nights looked at it."""
    settings = Settings(state_folder=folder / "state", data_folder=folder / "data")
    registry = candidates.open_registry(settings.state_folder)
    settings.window_folder.mkdir()
    world = desks.world(settings.desk_folder, Rules(second_look_share=0.5), settings.decisions_uri)
    made = Disclosed(settings, registry, world)
    (folder / "evidence").mkdir()
    registry.register(candidates.candidate(candidates.evidence_folder(folder / "evidence")))
    Keys(settings.signoff_folder).make()
    _promote(made)
    _look(made, folder / "drift")
    _work(made)
    return made


def _promote(made: Disclosed) -> None:
    version = made.registry.version("1")
    with TemporaryDirectory() as scratch:
        stated = made.registry.fetch_evidence(version, Path(scratch))
        sealed = seal.read(Path(scratch))
    assert sealed
    about = {"version": 1, "digest": stated.digest}
    opened = {"seal": sealed.digest, "authors": (AUTHOR,), "steps": POLICY.steps, "valid_days": POLICY.valid_days}
    refused = {"actor": AUTHOR, "roles": ROLES[AUTHOR], "step": "technical", "refusal": "eve is an author"}
    made.write(
        Entry(at=on(0), actor=SERVER, action="open", **opened, **about),
        Entry(at=on(0), action="approve", reason="mine", **refused, **about),
        *(
            Entry(at=on(0), actor=name, roles=ROLES[name], action="approve", step=step, reason="sound", **about)
            for name, step in SIGNERS
        ),
        Entry(at=on(0), actor=SERVICE, action="promote", **about),
    )


def _look(made: Disclosed, folder: Path) -> None:
    folder.mkdir()
    usual = candidates.dossier().drift
    for verdict, is_breach in (("3 columns drifted.", True), ("Nothing drifted.", False)):
        (folder / "drift.json").write_text("{}")
        result = usual.model_copy(update={"verdict": verdict, "is_breach": is_breach})
        made.registry.record_drift(result, folder, "1", "0" * 40)


def _work(made: Disclosed) -> None:
    """Have officers close ten yellow cases and one red: three released unseen, one raised, one lowered; all in May."""
    world, day = made.world, date(2024, 5, 2)
    numbers = world.declare(*["yellow"] * 10, "red")
    world.log.commit_to(day, "0" * 64)
    for number in numbers[:3]:
        world.desk.queue.take(desks.ANA, number)
        world.desk.endings.override(desks.ANA, number, SAID)
    world.desk.queue.take(desks.ANA, numbers[3])
    world.desk.endings.pass_on(desks.ANA, numbers[3], "red", "a seal of Mr Smith is broken")
    world.desk.queue.take(desks.ANA, numbers[10])
    world.desk.endings.pass_on(desks.ANA, numbers[10], "blue", "the papers of Ms Jones are in order")
    world.desk.endings.confirm(desks.BEN, numbers[10])
    for number in numbers[3:]:
        world.close(desks.ANA, number)
    for case in world.every():
        if case.number not in numbers:
            world.close(desks.BEN, case.number)
    world.clock.wait(hours=1)
