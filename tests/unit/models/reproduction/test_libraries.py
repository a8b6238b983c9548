"""Whose libraries a version is made again with: those that run, or new ones from a folder of wheels."""

import base64
import hashlib
import subprocess
import sys
from importlib.metadata import version
from zipfile import ZipFile

import pytest

from models.evidence import digests, source_code
from models.reproduction import NotTried, libraries

POLARS = f"polars=={version('polars')} \\\n    --hash=sha256:{'0' * 64}\n"


def test_pins_are_compared_with_what_is_installed():
    assert libraries.is_in_force(POLARS + "some-tool==1.0 ; sys_platform == 'win32'\n")
    assert libraries.is_in_force(f"# numpy==0.1\nmlflow[auth]=={version('mlflow')}\n")
    assert libraries.is_in_force("polars==0.1 ; python_version < '3'\n" + POLARS)
    assert not libraries.is_in_force("polars==0.1\n")
    assert not libraries.is_in_force(POLARS + "mlflow[auth]==0.1\n")


@pytest.fixture
def code(tmp_path, monkeypatch):
    """The code of a version beside the project that runs here; both have a lock file."""
    for name in ("here", "code"):
        (tmp_path / name).mkdir()
        (tmp_path / name / source_code.LOCK_FILE).write_text(POLARS)
    monkeypatch.setattr(source_code, "PROJECT", tmp_path / "here")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "code"


def wheel(folder):
    """Write a wheel of one module, and return the line that pins it."""
    folder.mkdir()
    path = folder / "made_up-1.0-py3-none-any.whl"
    files = {
        "made_up.py": "here = True\n",
        "made_up-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\n",
        "made_up-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},"
        f"{len(text)}\n"
        for name, text in files.items()
    )
    with ZipFile(path, "w") as packed:
        for name, text in {**files, "made_up-1.0.dist-info/RECORD": record}.items():
            packed.writestr(name, text)
    return f"made-up==1.0 \\\n    --hash=sha256:{digests.file_digest(path)}\n"


def test_the_same_lock_in_force_needs_no_others(code, tmp_path):
    assert str(libraries.python(code, tmp_path / "libraries")) == sys.executable
    assert not (tmp_path / "libraries").exists()


def test_another_lock_is_installed_from_a_folder_of_wheels(code, tmp_path, monkeypatch):
    (code / source_code.LOCK_FILE).write_text(wheel(tmp_path / "wheels"))
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "wheels"))
    python = libraries.python(code, tmp_path / "libraries")
    assert python.is_relative_to(tmp_path / "libraries")
    asked = "import made_up, importlib.util; print(made_up.here, importlib.util.find_spec('polars'))"
    done = subprocess.run([str(python), "-c", asked], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "True None\n"


def test_the_same_lock_is_installed_too_where_something_else_is_in_force(code, tmp_path):
    for folder in (code, tmp_path / "here"):
        (folder / source_code.LOCK_FILE).write_text(POLARS.replace(version("polars"), "0.1"))
    with pytest.raises(NotTried, match=r"could not be installed: .*polars.*UV_DEFAULT_INDEX.*UV_FIND_LINKS"):
        libraries.python(code, tmp_path / "libraries")


def test_without_uv_it_says_so(code, tmp_path, monkeypatch):
    (code / source_code.LOCK_FILE).write_text("# other\n")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotTried, match="there is no uv"):
        libraries.python(code, tmp_path / "libraries")
