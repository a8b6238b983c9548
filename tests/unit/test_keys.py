"""The secrets are made once, whole or not at all, and are read only where nobody else can."""

import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from models.signoff.chain import Head
from models.signoff.keys import Keys, read_public_key

FILES = {"ledger.key", "ledger.pub", "head.json", "form.secret", "service.password"}


@pytest.fixture
def keys(tmp_path):
    keys = Keys(tmp_path / "state" / "signoff")
    keys.make()
    return keys


def contents(keys):
    return {file.name: file.read_bytes() for file in keys.folder.iterdir()}


def test_only_the_owner_can_read_them(keys):
    assert {file.name for file in keys.folder.iterdir()} == FILES
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in keys.folder.iterdir()} == {0o600}


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
    (keys.folder / name).write_bytes(b"")
    with pytest.raises(ValueError, match=name):
        read(keys)
    (keys.folder / name).unlink()
    keys.make()
    with pytest.raises(ValueError, match=name):
        read(keys)
    assert not (keys.folder / name).exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_secret_open_to_others_is_refused(keys, mode):
    (keys.folder / "ledger.key").chmod(mode)
    with pytest.raises(ValueError, match=rf"ledger\.key is open to others \(mode {mode:o}\); allowed: 600"):
        keys.private_key  # noqa: B018


@pytest.mark.parametrize("mode", [0o750, 0o707, 0o730])
def test_a_folder_open_to_others_is_refused(keys, mode):
    keys.folder.chmod(mode)
    with pytest.raises(ValueError, match=rf"signoff is open to others \(mode {mode:o}\); allowed: 700"):
        keys.service_password  # noqa: B018


def test_other_keys_are_refused(keys):
    key = generate_private_key(SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for content in (private, b"no key"):
        (keys.folder / "ledger.key").write_bytes(content)
        with pytest.raises(ValueError, match=r"ledger\.key is not an Ed25519 key"):
            keys.private_key  # noqa: B018
    for content in (public, b"no key"):
        keys.public_key_file.write_bytes(content)
        with pytest.raises(ValueError, match=r"ledger\.pub is not an Ed25519 public key"):
            keys.public_key  # noqa: B018
