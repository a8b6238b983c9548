"""The secrets are made once, whole or not at all, and are read only where nobody else can."""

import os
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from models.ledger.chain import Head
from models.ledger.keys import Keys, read_public_key

SECRETS = {"ledger.key", "form.secret", "service.password"}
FILES = {"ledger.pub", "head.json", *SECRETS}


@pytest.fixture
def keys(tmp_path):
    keys = Keys(tmp_path / "state" / "signoff")
    keys.make()
    return keys


def contents(keys):
    return {file.name: file.read_bytes() for file in keys.folder.rglob("*") if file.is_file()}


def modes(folder):
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def as_made_before(keys):
    """The folder as it was when there was one place for all."""
    for name in SECRETS:
        (keys.secret_folder / name).replace(keys.folder / name)
    keys.secret_folder.rmdir()
    for file in keys.folder.iterdir():
        file.chmod(0o600)
    keys.folder.chmod(0o700)


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o000])
def test_secrets_are_the_owners_and_the_rest_is_read_by_all_and_written_by_nobody_else(tmp_path, umask):
    keys, before = Keys(tmp_path / "signoff"), os.umask(umask)
    try:
        keys.make()
    finally:
        os.umask(before)
    keys.check()
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o755
    assert modes(keys.folder) == {"secret": 0o700, "ledger.pub": 0o644, "head.json": 0o644}
    assert modes(keys.secret_folder) == dict.fromkeys(SECRETS, 0o600)


def test_a_folder_as_made_before_is_read_and_put_in_order_with_nothing_lost(keys):
    before = contents(keys)
    as_made_before(keys)
    assert keys.exist()
    keys.private_key.sign(b"")
    assert len(keys.service_password) >= 32
    keys.make()
    keys.check()
    assert contents(keys) == before
    assert modes(keys.folder) == {"secret": 0o700, "ledger.pub": 0o644, "head.json": 0o644}
    assert modes(keys.secret_folder) == dict.fromkeys(SECRETS, 0o600)


@pytest.mark.parametrize("moved", [0, 1, 2, 3])
def test_putting_in_order_goes_on_where_it_was_killed(keys, moved):
    before = contents(keys)
    as_made_before(keys)
    keys.secret_folder.mkdir(0o700)
    for name in sorted(SECRETS)[:moved]:
        (keys.folder / name).replace(keys.secret_folder / name)
    keys.private_key.sign(b"")
    assert len(keys.form_secret) >= 32
    keys.make()
    keys.check()
    assert contents(keys) == before
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o755


def test_a_folder_as_made_before_that_is_open_to_others_is_told_not_put_in_order(keys):
    as_made_before(keys)
    (keys.folder / "ledger.key").chmod(0o644)
    with pytest.raises(ValueError, match=r"signoff/ledger\.key is open to others \(mode 644\); allowed: 600"):
        keys.make()


@pytest.mark.parametrize(("name", "mode"), [("", 0o775), ("", 0o777), ("ledger.pub", 0o664), ("head.json", 0o646)])
def test_what_others_could_write_is_told_at_the_start(keys, name, mode):
    keys.check()
    (keys.folder / name).chmod(mode)
    with pytest.raises(ValueError, match=rf"{name} can be written by others \(mode {mode:o}\); allowed: "):
        keys.check()


def test_they_fit_each_other_and_are_made_once(keys, tmp_path):
    message = b"signed"
    read_public_key(keys.public_key_file).verify(keys.private_key.sign(message), message)
    keys.public_key.verify(keys.private_key.sign(message), message)
    assert Head.model_validate_json(keys.head_file.read_bytes()).number == 0
    before = contents(keys)
    keys.make()
    assert contents(keys) == before
    other = Keys(tmp_path / "other")
    other.make()
    assert all(contents(other)[name] != content for name, content in before.items() if name != "head.json")
    assert min(len(keys.form_secret), len(keys.service_password)) >= 32


def test_a_folder_exists_when_it_holds_something(tmp_path):
    keys = Keys(tmp_path / "signoff")
    assert not keys.exist()
    keys.folder.mkdir(0o700)
    assert not keys.exist()
    keys.make()
    assert keys.exist()


def test_what_a_crash_left_half_made_is_made_anew(tmp_path):
    partial = tmp_path / "signoff.partial"
    partial.mkdir()
    (partial / "form.secret").write_text("ha")
    keys = Keys(tmp_path / "signoff")
    assert not keys.exist()
    keys.make()
    assert contents(keys).keys() == FILES
    assert not partial.exists()


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("ledger.key", lambda keys: keys.private_key),
        ("ledger.pub", lambda keys: keys.public_key),
        ("form.secret", lambda keys: keys.form_secret),
        ("service.password", lambda keys: keys.service_password),
    ],
)
def test_a_lost_or_emptied_file_is_named_and_never_made_again(keys, name, read):
    file = (keys.secret_folder if name in SECRETS else keys.folder) / name
    file.write_bytes(b"")
    with pytest.raises(ValueError, match=name):
        read(keys)
    file.unlink()
    keys.make()
    with pytest.raises(ValueError, match=name):
        read(keys)
    assert not file.exists()
    with pytest.raises(ValueError, match=name):
        keys.check()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_secret_open_to_others_is_refused(keys, mode):
    (keys.secret_folder / "ledger.key").chmod(mode)
    with pytest.raises(ValueError, match=rf"ledger\.key is open to others \(mode {mode:o}\); allowed: 600"):
        keys.private_key  # noqa: B018


@pytest.mark.parametrize("mode", [0o750, 0o707, 0o730])
def test_a_folder_open_to_others_is_refused(keys, mode):
    keys.secret_folder.chmod(mode)
    with pytest.raises(ValueError, match=rf"secret is open to others \(mode {mode:o}\); allowed: 700"):
        keys.service_password  # noqa: B018


def test_other_keys_are_refused(keys):
    key = generate_private_key(SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for content in (private, b"no key"):
        (keys.secret_folder / "ledger.key").write_bytes(content)
        with pytest.raises(ValueError, match=r"ledger\.key is not an Ed25519 key"):
            keys.private_key  # noqa: B018
    for content in (public, b"no key"):
        keys.public_key_file.write_bytes(content)
        with pytest.raises(ValueError, match=r"ledger\.pub is not an Ed25519 public key"):
            keys.public_key  # noqa: B018
