"""Backups of an installation with an earlier release's state: of one moment, whole, refused where a byte differs."""

import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from features.disk import PARTIAL
from flows.backup import KEYS, backup, databases, kept, making, manifest, references, restore
from flows.processes import running, unfinished
from flows.settings import Settings
from models.decisions import DecisionLog
from models.decisions.record import linked
from models.ledger import Keys
from models.retention import TOMBSTONES, Tombstones
from tests.support import commands, installed
from tests.support.decided import decision
from tests.support.desks import NOON


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return installed.install(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def made(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return backup(settings, tmp_path_factory.mktemp("backups"))


def copy_of(made: Path, folder: Path) -> Path:
    """Return a copy of a backup with its keys, to be spoilt."""
    for suffix in ("", KEYS):
        shutil.copytree(f"{made}{suffix}", folder / f"{made.name}{suffix}")
    return folder / made.name


def faults(settings: Settings) -> list[str]:
    return list(references.whole(settings, settings.artifact_root).faults())


def test_an_installation_comes_back_whole_in_another_place(settings, made, tmp_path):
    found = restore(installed.settings_of(tmp_path), made, None)
    there = installed.settings_of(tmp_path)
    assert (found.faults, faults(there)) == ((), [])
    assert installed.rows(there) == installed.rows(settings)
    assert all(installed.rows(there))
    assert Keys(there.signoff_folder).service_password == Keys(settings.signoff_folder).service_password
    Keys(there.signoff_folder).check()
    (before,), (after,) = (list((each.desk_folder / "photos").rglob("*.png")) for each in (settings, there))
    assert after.read_bytes() == before.read_bytes()
    (data,) = (path for path in there.data_folder.rglob("*.parquet"))
    assert data.read_bytes() == next(settings.data_folder.rglob("*.parquet")).read_bytes()
    assert unfinished.read(there.state_folder) is None


def test_keys_and_addresses_lie_apart_and_nobody_else_can_read_anything(made):
    everything = {path.relative_to(made).as_posix(): path.read_bytes() for path in made.rglob("*") if path.is_file()}
    secrets = Path(f"{made}{KEYS}")
    apart = {path.relative_to(secrets).as_posix() for path in secrets.rglob("*") if path.is_file()}
    kinds = {"ledger.key", "form.secret", "service.password"}
    assert apart == {f"state/signoff/secret/{name}" for name in kinds} | {
        "state/notices.toml",
        "state/desk/secret.hex",
        manifest.NAME,
    }
    for name in apart - {manifest.NAME}:
        content = (secrets / name).read_bytes()
        assert not [other for other, held in everything.items() if content in held], name
    for path in [made, secrets, *made.rglob("*"), *secrets.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)


def test_the_secret_of_one_sign_on_is_kept_apart_too(settings):
    file = settings.state_folder / "sign-on.secret"
    file.write_text("known to the provider")
    try:
        named = settings.model_copy(update={"sign_on_secret_file": file})
        assert {each.is_secret for each in kept.files(named) if each.path == file} == {True}
        assert {each.is_secret for each in kept.files(settings) if each.path == file} == {False}
    finally:
        file.unlink()


def test_nobody_writes_to_a_database_at_the_moment_and_all_can_afterwards(settings, tmp_path, monkeypatch):
    refused, real = [], kept.files

    def files(given):
        for each in databases.of(given):
            if each.exists():
                other = sqlite3.connect(each.file, timeout=0)
                with closing(other), pytest.raises(sqlite3.OperationalError, match="locked"):
                    other.execute("BEGIN IMMEDIATE")
                refused.append(each.name)
        yield from real(given)

    monkeypatch.setattr(kept, "files", files)
    backup(settings, tmp_path)
    assert refused == ["mlflow", "accounts", "decisions"]
    for name in ("mlflow.db", "accounts.db", "window/decisions.db"):
        with closing(sqlite3.connect(settings.state_folder / name, timeout=0)) as other:
            other.execute("BEGIN IMMEDIATE")


def test_what_is_written_after_the_moment_is_not_in_it(settings, tmp_path, monkeypatch):
    here = installed.copied(settings, tmp_path / "installed")
    real, at_once = making._place, []

    def place(folder, name):
        if not at_once:
            with closing(DecisionLog(here.decisions_uri)) as log:
                head = log.head()
                log.append(list(linked([decision(77)], head.number, head.hash)), {})
            (here.state_folder / "signoff" / "head.json").write_text('{"number": 99, "hash": "later"}')
            at_once.append(name)
        return real(folder, name)

    monkeypatch.setattr(making, "_place", place)
    made = backup(here, tmp_path / "backups")
    monkeypatch.undo()
    restored = installed.settings_of(tmp_path / "restored")
    assert restore(restored, made, None).faults == ()
    assert installed.rows(restored) == installed.rows(settings)


def test_a_day_that_is_replaced_meanwhile_begins_the_copy_again(settings, tmp_path, monkeypatch):
    real, gone = kept.Found.copy, []

    def copy(found, target):
        if found.path.suffix == ".parquet" and not gone:
            gone.append(found.place)
            raise FileNotFoundError(2, "gone", str(found.path))
        real(found, target)

    monkeypatch.setattr(kept.Found, "copy", copy)
    made = backup(settings, tmp_path)
    assert gone[0] in manifest.read(made).files
    assert sorted(path.name for path in tmp_path.iterdir()) == [made.name, made.name + KEYS]


SPOILT = {
    "a byte": (lambda made: flip(made / "state" / "mlflow.db"), "state/mlflow.db is not as it was written"),
    "a key": (lambda made: flip(Path(f"{made}{KEYS}") / "state/notices.toml"), "state/notices.toml is not as it was"),
    "a file less": (lambda made: (made / "state/accounts.db").unlink(), "state/accounts.db is missing"),
    "a file more": (lambda made: (made / "state/more.txt").write_text("x"), "state/more.txt is not in the list"),
    "other keys": (
        lambda made: flip(Path(f"{made}{KEYS}") / manifest.NAME, b'"size": 16', b'"size": 17'),
        "has the keys of an",
    ),
    "no list": (lambda made: (made / manifest.NAME).unlink(), "is no backup: backup.json cannot be read"),
    "a hook of git": (
        lambda made: flip(made / manifest.NAME, b"state/accounts.db", b"beside/.git/hooks/x"),
        "is no place of a",
    ),
    "a path": (lambda made: flip(made / manifest.NAME, b"state/accounts.db", b"state/../s/ccount"), "is no place of a"),
}


def flip(file: Path, before: bytes | None = None, after: bytes = b"") -> None:
    content = file.read_bytes()
    middle = len(content) // 2
    changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    file.write_bytes(changed if before is None else content.replace(before, after))


@pytest.mark.parametrize("what", SPOILT)
def test_a_backup_that_is_not_as_it_was_written_is_refused(made, tmp_path, what):
    spoil, says = SPOILT[what]
    copied = copy_of(made, tmp_path)
    spoil(copied)
    with pytest.raises(ValueError, match=says):
        restore(installed.settings_of(tmp_path / "new"), copied, None)
    assert not (tmp_path / "new").exists()


def test_a_list_that_was_made_to_fit_does_not_hide_what_the_ledger_knows(made, tmp_path):
    copied = copy_of(made, tmp_path)
    card = next((copied / "state" / "artifacts").rglob("card.md"))
    card.write_text("Everything is fine.")
    place, listed = card.relative_to(copied).as_posix(), manifest.read(copied)
    listed.model_copy(update={"files": listed.files | {place: manifest.listed(card, 0o600)}}).write(copied)
    with pytest.raises(ValueError, match=r"does not verify, so nothing was restored: evidence of version 1: card\.md"):
        restore(installed.settings_of(tmp_path / "new"), copied, None)
    left = {path.name for path in (tmp_path / "new" / "state").iterdir()}
    assert left == {running.LOCK}


def test_what_is_not_whole_in_the_installation_is_told_and_backed_up_all_the_same(settings, tmp_path):
    here = installed.copied(settings, tmp_path / "installed")
    next((here.desk_folder / "photos").rglob("*.png")).unlink()
    made = backup(here, tmp_path / "backups")
    (fault,) = manifest.read(made).faults
    assert fault.startswith("photo ")
    assert fault.endswith("of a case is missing or not as it was kept")
    assert fault in restore(installed.settings_of(tmp_path / "new"), made, None).faults


def test_a_photo_that_a_rule_has_purged_is_no_fault_and_one_that_came_again_is_looked_at(settings, tmp_path):
    here = installed.copied(settings, tmp_path / "installed")
    photo = next((here.desk_folder / "photos").rglob("*.png"))
    content = photo.read_bytes()
    photo.with_suffix(".purged").write_text("purged by a rule")
    photo.unlink()
    assert [each.startswith("photo ") for each in faults(here)] == [True]  # nothing tells by which
    tombstones, taken = Tombstones(here.state_folder / TOMBSTONES), NOON.date()
    tombstones.add("photos", {photo.stem: taken - timedelta(days=1)}, 30, taken + timedelta(days=60))
    assert [each.startswith("photo ") for each in faults(here)] == [True]  # it had not been taken in by then
    tombstones.add("photos", {photo.stem: taken}, 30, taken + timedelta(days=60))
    assert faults(here) == []
    made = backup(here, tmp_path / "backups")
    assert manifest.read(made).faults == ()
    assert restore(installed.settings_of(tmp_path / "new"), made, None).faults == ()
    photo.write_bytes(content)
    assert faults(here) == []
    photo.write_bytes(content[:-1])
    assert [each.startswith("photo ") for each in faults(here)] == [True]


def test_a_restore_takes_empty_places_and_names_what_is_there(settings, made, tmp_path):
    with pytest.raises(ValueError, match=r"state/\.mlflow\.db\.lock is there; a restore takes empty places"):
        restore(settings, made, None)
    (tmp_path / "lake" / "data" / "simulator").mkdir(parents=True)
    with pytest.raises(ValueError, match="data/simulator is there"):
        restore(installed.settings_of(tmp_path), made, None)


def test_a_backup_lies_elsewhere(settings):
    with pytest.raises(ValueError, match=r"lies in .*state, which is backed up; allowed: a folder elsewhere"):
        backup(settings, settings.state_folder / "backups")


def test_a_killed_backup_is_none_and_the_next_one_removes_it(settings, tmp_path):
    installed.dies(settings.state_folder.parent, "backup", tmp_path, "flows.backup.manifest", "listed", 20)
    left = [path.name for path in tmp_path.iterdir()]
    assert len(left) == 2
    assert all(name.endswith(PARTIAL) for name in left)
    made = backup(settings, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [made.name, made.name + KEYS]


def test_a_killed_restore_is_no_installation_and_begins_again(settings, made, tmp_path):
    there = installed.settings_of(tmp_path)
    installed.dies(tmp_path, "restore", made, "shutil", "copyfile", 30)
    assert (there.state_folder / "artifacts").exists() or any(there.data_folder.iterdir())
    with pytest.raises(ValueError, match=f"a restore was cut short, .* run `tidewaiter restore {made}` again"):
        unfinished.refuse(there.state_folder)
    with pytest.raises(ValueError, match="a restore was cut short"):
        backup(there, tmp_path / "backups")
    other = tmp_path / "other" / "data"
    (other / "simulator").mkdir(parents=True)
    with pytest.raises(ValueError, match=f"data_folder is {other}; allowed: {there.data_folder}, as when the restore"):
        restore(there.model_copy(update={"data_folder": other}), made, None)
    assert (other / "simulator").exists()
    restore(there, made, None)
    unfinished.refuse(there.state_folder)
    assert installed.rows(there) == installed.rows(settings)
    assert faults(there) == []


def test_the_commands_say_what_they_did_and_what_is_wrong(settings, tmp_path):
    here = {"state_folder": str(settings.state_folder), "data_folder": str(settings.data_folder)}
    told = commands.invoke(tmp_path, "backup", str(tmp_path / "backups"), **here)
    assert told.code == 0, told.err
    (made,) = (path for path in (tmp_path / "backups").iterdir() if not path.name.endswith(KEYS))
    assert f"{made}: " in told.out.replace("\n", "")
    assert "-keys: the keys. Move them to another place" in told.out.replace("\n", "")
    (made.parent / f"{made.name}{KEYS}").rename(tmp_path / "keys")
    told = commands.invoke(tmp_path, "restore", str(made))
    assert (told.code, "is no backup: backup.json cannot be read" in told.err.replace("\n", " ")) == (1, True)
    told = commands.invoke(tmp_path, "restore", str(made), "--keys", str(tmp_path / "keys"))
    assert (told.code, "and verified. Next: `tidewaiter up`." in told.out) == (0, True)
    with running.claim(tmp_path / ".tidewaiter"):
        told = commands.invoke(tmp_path, "upgrade", str(tmp_path / "backups"))
        assert (told.code, "stop it first" in told.err) == (1, True)
    told = commands.invoke(tmp_path, "upgrade", str(tmp_path / "backups"))
    assert told.code == 0, told.err
    assert "Migrated: accounts" in told.out
    unfinished.Unfinished(what="restore", backup=made, places={}).write(tmp_path / ".tidewaiter")
    told = commands.invoke(tmp_path, "upgrade", str(tmp_path / "backups"))
    assert (told.code, f"run `tidewaiter restore {made}` again" in told.err.replace("\n", "")) == (1, True)
