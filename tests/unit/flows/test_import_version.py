"""What may be imported: a version of another installation, and none of this one."""

from contextlib import nullcontext

import pytest

from flows import import_version
from flows.import_version import ImportParameters, verify
from flows.settings import Settings
from models.ledger import Keys
from models.ledger.chain import Head


def test_what_was_made_here_is_not_imported_as_its_importer_would_be_its_author(tmp_path, monkeypatch):
    monkeypatch.setenv("TIDEWAITER_STATE_FOLDER", str(tmp_path / "state"))
    monkeypatch.setattr(import_version, "stage", nullcontext)  # there is no run whose log it could write
    monkeypatch.setattr(import_version.transfer, "read", lambda *given: "read")
    own, other = Keys(Settings().signoff_folder), Keys(tmp_path / "origin")
    for keys in (own, other):
        keys.make()
    of_own, of_other = (
        ImportParameters(file=tmp_path / "version.zip", key=keys.public_key_file, head=Head(number=0, hash=""))
        for keys in (own, other)
    )
    with pytest.raises(ValueError, match="is the key of this installation: what was made here cannot be imported"):
        verify.fn(of_own, tmp_path)
    assert verify.fn(of_other, tmp_path) == "read"
