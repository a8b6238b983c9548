"""A desk keeps its secret in a folder: made once, whoever comes first, and for nobody else to read."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.desk import Desk
from models.policy import Desk as Rules
from tests.support.desks import Clock


def kept_in(folder):
    desk = Desk.kept_in(folder, f"sqlite:///{folder / 'decisions.db'}", Rules(), Clock())
    desk.close()
    return desk


def test_a_secret_is_made_once_also_by_several_at_once(tmp_path):
    folder = tmp_path / "desk"
    with ThreadPoolExecutor(8) as pool:
        made = {desk.shared.secret for desk in pool.map(kept_in, [folder] * 16)}
    assert len(made) == 1
    assert {len(secret) for secret in made} == {32}
    assert [path.name for path in folder.iterdir()] == ["secret.hex"]
    assert stat.S_IMODE((folder / "secret.hex").stat().st_mode) == 0o600
    assert kept_in(tmp_path / "other").shared.secret not in made
    assert kept_in(folder).photos.folder == folder / "photos"


def test_a_file_that_holds_no_secret_is_named(tmp_path):
    (tmp_path / "secret.hex").write_text("00" * 31)
    with pytest.raises(ValueError, match=r"secret\.hex holds 31 bytes; allowed: 32, in hexadecimal"):
        kept_in(tmp_path)
