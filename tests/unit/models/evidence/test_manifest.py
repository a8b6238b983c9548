"""The manifest: what must be in it, and what verification names."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from models.evidence import manifest as evidence
from models.evidence import source_code

WINDOW = {"train": "2024-01-01/2024-06-30"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "evidence"
    (folder / evidence.MODEL_FOLDER).mkdir(parents=True)
    for name in (*evidence.FILES, "model/model.json", "model/illicit.txt"):
        (folder / name).write_text(name)
    return folder


def assemble(folder: Path, project: Path) -> evidence.Manifest:
    code = source_code.code_state(project)
    return evidence.assemble(folder, "abc.dir", WINDOW, code, project)


def test_manifest_reads_back_with_the_same_digest(folder: Path, project: Path) -> None:
    manifest = assemble(folder, project)
    manifest.write(folder)
    assert evidence.read((folder / evidence.MANIFEST_FILE).read_bytes()) == manifest
    assert evidence.read((folder / evidence.MANIFEST_FILE).read_bytes()).digest == manifest.digest


@pytest.mark.parametrize("name", evidence.FILES)
def test_the_same_model_may_be_held_against_another_champion_but_nothing_else_may_differ(
    folder: Path, project: Path, name: str
) -> None:
    before = assemble(folder, project)
    (folder / name).write_text("changed")
    after = assemble(folder, project)
    assert after.digest != before.digest
    assert after.is_same_model(before) == (name in ("evaluation.json", "drift.json", "card.md", "description.md"))


def test_another_booster_or_other_source_is_not_the_same_model(folder: Path, project: Path) -> None:
    before = assemble(folder, project)
    (folder / "model/illicit.txt").write_text("another booster")
    assert not assemble(folder, project).is_same_model(before)
    (folder / "model/illicit.txt").write_text("model/illicit.txt")
    assert assemble(folder, project).is_same_model(before)
    (project / "flows" / "__init__.py").write_text("# changed\n")
    assert not assemble(folder, project).is_same_model(before)


def test_unchanged_folder_verifies(folder: Path, project: Path) -> None:
    assert evidence.verify(assemble(folder, project), folder, project) == ()


def test_verification_names_what_differs(folder: Path, project: Path) -> None:
    manifest = assemble(folder, project)
    (folder / "model/illicit.txt").write_text("another booster")
    (folder / "model/extra.txt").write_text("more")
    (folder / "drift.json").unlink()
    (project / "flows" / "__init__.py").write_text("# changed\n")
    (project / source_code.LOCK_FILE).write_text("polars==2.2\n")
    told = evidence.verify(manifest, folder, project)
    assert [sentence.split(" ")[0] for sentence in told] == [
        "drift.json",
        "model/extra.txt",
        "model/illicit.txt",
        "source",
        source_code.LOCK_FILE,
    ]
    assert told[0].startswith("drift.json is missing")
    assert told[1] == "model/extra.txt is not in the evidence"
    assert "model/illicit.txt differs" in told[2]


@pytest.mark.parametrize("name", evidence.FILES)
def test_every_file_is_needed(folder: Path, project: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"lacks {name}"):
        assemble(folder, project)


def test_a_model_is_needed(folder: Path, project: Path) -> None:
    for path in (folder / evidence.MODEL_FOLDER).iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match="lacks files in model/"):
        assemble(folder, project)


@pytest.mark.parametrize("name", ["model/../card.md", "model/", "/etc/passwd", "notes.txt"])
def test_manifest_refuses_other_files(folder: Path, project: Path, name: str) -> None:
    values = assemble(folder, project).model_dump()
    values["files"][name] = "2" * 64
    with pytest.raises(ValidationError, match="not allowed"):
        evidence.Manifest.model_validate(values)


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="'a' is there twice"):
        evidence.read('{"a": 1, "a": 2}')


def test_numbers_that_can_be_written_in_two_ways_are_refused(folder: Path, project: Path) -> None:
    values = assemble(folder, project).model_dump() | {"data_version": 1.0}
    with pytest.raises(ValidationError, match="valid string"):
        evidence.Manifest.model_validate(values)
