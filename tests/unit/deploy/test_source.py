"""What is laid for bundle and image: what was committed, and committed.json, which says so."""

import re
import subprocess
import tomllib

import pytest

from deploy import source
from models.evidence import source_code


@pytest.fixture
def project(tmp_path):
    """Return a repository of one commit that has each part, with something beside it that is not committed."""
    folder = tmp_path / "project"
    for part in source.PARTS:
        file = folder / part if "." in part else folder / part / "here.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{part}\n")
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "all")):
        identity = ("-c", "user.name=ann", "-c", "user.email=ann@customs.example")
        subprocess.run(["git", "-C", folder, *identity, *command], check=True)
    (folder / "models" / "here.py").write_text("edited\n")
    (folder / "flows" / "new.py").touch()
    return folder


def test_what_was_committed_is_laid_and_nothing_else(project, tmp_path):
    laid = tmp_path / "laid"
    commit = source.lay(laid, project)
    assert (laid / "models" / "here.py").read_text() == "models\n"
    assert not (laid / "flows" / "new.py").exists()
    assert re.fullmatch("[0-9a-f]{40}", commit)
    listed = source_code.Delivered.model_validate_json((laid / source_code.DELIVERED).read_bytes())
    assert listed.commit == commit
    assert source_code.source(laid).items() <= listed.files.items()
    assert listed.files.keys() - source_code.source(laid).keys() == {"pyproject.toml", source_code.LOCK_FILE}


def test_where_git_knows_nothing_it_fails(tmp_path):
    with pytest.raises(subprocess.CalledProcessError):
        source.lay(tmp_path / "laid", tmp_path)


def test_the_image_is_made_of_what_is_laid():
    text = (source.ROOT / "deploy" / "Containerfile").read_text()
    copied = {word for words in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) for word in words.split()}
    assert source_code.DELIVERED in copied
    assert {word.partition("/")[0] for word in copied} - {source_code.DELIVERED} <= set(source.PARTS)
    extras = tomllib.loads((source.ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"--extra (\S+)", text)) == set(extras) - {"ray"}
