"""A version of an earlier release's champion, exported and read: everything is verified, or it is refused."""

from datetime import UTC, datetime

import pytest

from models import policy, transfer
from models.ledger import Entry, Keys, LedgerError, chain, reading
from models.names import SERVER
from models.registry import Registry
from models.signoff import audit
from models.transfer import package
from tests.support import earlier, installed
from tests.support.ledgers import open_ledger, write

POLICY = policy.load().signoff
NOW = datetime.now(UTC)


class Origin:
    """An installation with a champion, and its export."""

    def __init__(self, folder):
        self.settings = installed.settings_of(folder)
        earlier.unpack(installed.NAME, self.settings.state_folder)
        self.keys = Keys(self.settings.signoff_folder)
        self.keys.secret_folder.chmod(0o700)
        self.uri = self.settings.tracking_uri
        self.registry = Registry(self.uri, self.settings.artifact_root)
        self.head = audit.head(self.uri, self.keys)
        self.file = folder / "version.tar"
        self.export(self.file)

    def export(self, file, number=1):
        book = reading.signed_book(self.uri, self.keys, POLICY)
        return transfer.export(self.registry, book, number, NOW, file)


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    return Origin(tmp_path_factory.mktemp("origin"))


def read(origin, folder, content=None, head=None, key=None):
    file = folder / "given.tar"
    file.write_bytes(content or origin.file.read_bytes())
    key, head = key or origin.keys.public_key, head or origin.head
    return transfer.read(file, key, head, POLICY, NOW, folder / "read")


def changed(origin, name, change):
    """Return the export with one of its files changed, packed as the command packs it."""
    files = package.unpacked(origin.file)
    files[name] = change(files[name])
    return package.packed(files)


def test_it_is_read_with_what_its_ledger_says_of_it(origin, tmp_path):
    found = read(origin, tmp_path)
    assert (found.origin.version, found.origin.state) == (1, "champion")
    assert found.origin.signers == ("ann", "bob", "cid")
    assert found.origin.head == origin.head
    assert found.manifest.digest == found.origin.digest
    assert found.origin.digest[:12] in found.origin.sentence
    assert (found.folder / "model" / "artifacts" / "model" / "model.json").is_file()


def test_it_is_the_same_file_each_time(origin, tmp_path):
    origin.export(tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == origin.file.read_bytes()


SPOILT = {
    "a figure": (
        "run/evaluation.json",
        lambda c: c.replace(b"0.7", b"0.8", 1),
        "evaluation.json of the run",
    ),
    "the model": ("model/artifacts/model/model.json", lambda c: c + b" ", "artifacts/model/model.json of the model"),
    "the card": (
        "run/card.md",
        lambda c: c.replace(b"customs", b"Customs", 1),
        "card.md of the run",
    ),
    "the seal": ("run/sealed.json", lambda c: c.replace(b"0", b"1", 1), "opened under seal"),
    "a reason": ("ledger.jsonl", lambda c: c.replace(b"sound", b"bound", 1), "row 2 does not follow"),
    "a row less": ("ledger.jsonl", lambda c: b"".join(c.splitlines(keepends=True)[:-1]), "row 5 is missing: it was"),
    "no row": ("ledger.jsonl", lambda c: b"", "row 5 is missing"),
    "no ledger": ("ledger.jsonl", lambda c: b"{}", "is no exported version"),
    "another version": ("version.json", lambda c: b'{"version":2}', "version 2 has not been opened"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_was_changed_is_refused(origin, tmp_path, what):
    name, change, says = SPOILT[what]
    with pytest.raises((ValueError, LedgerError), match=says):
        read(origin, tmp_path, changed(origin, name, change))


def test_a_file_more_or_less_is_refused(origin, tmp_path):
    files = package.unpacked(origin.file)
    for other, says in (
        (files | {"run/more.txt": b""}, "more.txt of the run of version 1 is not what was sealed"),
        (files | {"code/more.py": b""}, "'code/more.py' is no part of an exported version"),
        ({name: files[name] for name in files if name != "run/card.md"}, "card.md of the run"),
    ):
        folder = tmp_path / says[:8].replace("'", "").replace("/", "")
        folder.mkdir()
        with pytest.raises(ValueError, match=says):
            read(origin, folder, package.packed(other))


def test_another_key_and_a_head_that_it_does_not_reach_are_refused(origin, tmp_path):
    other = Keys(tmp_path / "other")
    other.make()
    with pytest.raises(LedgerError, match="row 5 is not signed with the server's key"):
        read(origin, tmp_path, key=other.public_key)
    later = chain.Head(number=origin.head.number + 1, hash="0" * 64)
    with pytest.raises(LedgerError, match="row 6 is missing: it was there when the head was taken"):
        read(origin, tmp_path, head=later)


def test_what_has_ended_is_neither_exported_nor_read(tmp_path):
    mine = Origin(tmp_path)
    files = package.unpacked(mine.file)
    ledger = open_ledger(mine.uri, mine.keys)
    write(ledger, Entry(at=NOW, actor=SERVER, action="void", version=1, digest="0" * 64))
    with pytest.raises(ValueError, match="version 1 is void; allowed: awaiting, expired, approved, champ"):
        mine.export(tmp_path / "other.tar")
    rows = reading.rows(mine.uri)
    files["ledger.jsonl"] = b"".join(row.model_dump_json().encode() + b"\n" for row in rows)
    with pytest.raises(ValueError, match="version 1 is void"):
        read(mine, tmp_path, package.packed(files))
