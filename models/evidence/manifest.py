"""The evidence behind a model version: one canonical manifest, and the SHA-256 digest over it that people sign.

The manifest names the code, the data, the window, the lock file, and the digest of every file of the evidence folder:

    model/            the risk model's own files
    evaluation.json   metrics and gates
    validation.json   result of validating the data
    drift.json        drift verdict
    policy.toml       the policy in force
    card.md           the model card
    description.md    the card in short, which a reviewer reads on the version's page

What differs between two runs of the same (plots, HTML reports, run ids, clock times) does not belong in it.
"""

import hashlib
import json
import math
import re
import subprocess
import tarfile
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, field_validator, model_validator

from models.document import Document

MANIFEST_FILE = "evidence.json"
MODEL_FOLDER = "model"
DESCRIPTION = "description.md"
FILES = ("evaluation.json", "validation.json", "drift.json", "policy.toml", "card.md", DESCRIPTION)
# These stand in the description for the page of the run's artifacts and for the address of one of them, which exist
# only once the run does. They are as long as the longest of those, so that the final text still fits where this text
# did.
RUN_PAGE, RUN_FILE = "#run".ljust(80, "-"), "#file".ljust(60, "-")
_AGAINST_CHAMPION = {"evaluation.json", "drift.json", "card.md", DESCRIPTION}  # another champion, so another comparison
PACKAGES = ("features", "models", "flows")
LOCK_FILE = "requirements.lock"
_CODE = (*PACKAGES, LOCK_FILE, "pyproject.toml")  # the whole tree is not compared: data.dvc says nothing of the code
DELIVERED = "committed.json"  # what git would say of the code, for places without git; deploy/source.py lays it
NO_COMMIT = "none"
PROJECT = Path(__file__).resolve().parents[2]
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, StringConstraints(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Code(_Part):
    """The code in force. `source_sha256` covers the packages as they lie on disk, uncommitted changes included."""

    commit: Text  # "none" where neither git nor a delivered list knows one
    is_dirty: bool
    source_sha256: Sha256


class Uncommitted(Document):
    """What of the code differs from its commit: the files' names, and one digest over them as they lie there.

    >>> Uncommitted(files=("models/risk/forest.py",), sha256=None)
    Traceback (most recent call last):
    ...
    pydantic_core._pydantic_core.ValidationError: 1 validation error for Uncommitted
      Value error, sha256 is None for 1 files; allowed: a digest if there are files, and none otherwise [...]
    ...
    """

    files: tuple[str, ...]
    sha256: Sha256 | None  # None: nothing differs

    @model_validator(mode="after")
    def _has_a_digest_of_its_files(self) -> Self:
        if bool(self.files) != (self.sha256 is not None):
            raise ValueError(
                f"sha256 is {self.sha256} for {len(self.files)} files; allowed: a digest if there are files, and none "
                "otherwise"
            )
        return self


class Delivered(Document):
    """The list that an image or a bundle carries instead of git: a commit, and its files of code with their SHA-256."""

    layout: Literal[1] = 1
    commit: Text
    files: dict[str, Sha256]


class Manifest(_Part):
    """Holds what a signature stands for: strings, whole numbers and flags, nothing that can be written in two ways."""

    layout: Literal[1] = 1
    code: Code
    data_version: Text
    lock_sha256: Sha256 | None  # None: installed without the project's lock file
    window: dict[str, str]
    files: dict[str, Sha256]

    @field_validator("files")
    @classmethod
    def _names(cls, files: dict[str, str]) -> dict[str, str]:
        model = [name for name in files if _is_model_file(name)]
        odd = sorted(set(files) - set(FILES) - set(model))
        absent = sorted(set(FILES) - set(files))
        if odd or absent or not model:
            found = f"not allowed: {odd or 'none'}; absent: {absent or 'none'}; files of {MODEL_FOLDER}/: {len(model)}"
            raise ValueError(f"{found}. Allowed: each of {', '.join(FILES)}, and at least one {MODEL_FOLDER}/...")
        return files

    @property
    def digest(self) -> str:
        """Return the SHA-256 over the canonical form, in hexadecimal."""
        return json_digest(self.model_dump())

    @property
    def last_day(self) -> date:
        """Return the last day of the window, before which nobody can have had its data; ValueError if it names none."""
        return max(date.fromisoformat(span.partition("/")[2]) for span in self.window.values())

    def is_same_model(self, other: "Manifest") -> bool:
        """Whether both are one model, made of the same; the champion that they were compared with may differ."""
        mine, theirs = (
            each.model_dump() | {"files": {n: f for n, f in each.files.items() if n not in _AGAINST_CHAMPION}}
            for each in (self, other)
        )
        return mine == theirs

    def write(self, folder: Path) -> None:
        """Put the manifest into the evidence folder, in its canonical form."""
        (folder / MANIFEST_FILE).write_bytes(canonical(self.model_dump()))


def canonical(value: object) -> bytes:
    """Return a JSON value in the one way to write it, in the manner of RFC 8785: sorted keys, no blanks, UTF-8.

    Floats are written as Python's repr does: the shortest text that reads back as the same number.

    >>> canonical({"b": [1, 0.1], "a": "é"}).decode()
    '{"a":"é","b":[1,0.1]}'
    >>> canonical({1: "a"})
    Traceback (most recent call last):
    ...
    ValueError: key 1 is int; JSON has only text as keys
    >>> canonical(float("nan"))
    Traceback (most recent call last):
    ...
    ValueError: nan is not a JSON number
    """
    _check(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def json_digest(value: object) -> str:
    """Return the SHA-256 over the canonical form of a JSON value, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()


def read(text: str | bytes) -> Manifest:
    """Return a manifest from its JSON, however it is laid out.

    Raises ValueError for text that is not JSON, for a key given twice, and (pydantic) for what is not a manifest.
    """
    return Manifest.model_validate(json.loads(text, object_pairs_hook=_unique))


def bytes_digest(content: bytes) -> str:
    """Return the SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_state(project: Path = PROJECT) -> Code:
    """Return the commit, whether what was committed has been changed since, and the digest of the source."""
    commit, changed = _standing(project)
    return Code(commit=commit, is_dirty=bool(changed), source_sha256=source_digest(project))


def uncommitted(project: Path = PROJECT) -> Uncommitted | None:
    """Return what of the code differs from its commit; None if nobody can say, as no commit is known."""
    commit, changed = _standing(project)
    if commit == NO_COMMIT:
        return None
    digests = {name: _digest_if_there(project / name) for name in changed}
    return Uncommitted(files=changed, sha256=json_digest(digests) if changed else None)


def deliver(folder: Path, commit: str) -> None:
    """Write the list of the files of code that lie in a folder, as they were committed, beside them."""
    (folder / DELIVERED).write_bytes(canonical(Delivered(commit=commit, files=_code_files(folder)).model_dump()))


def _standing(project: Path) -> tuple[str, tuple[str, ...]]:
    """Return the commit of the code, and the files that differ from it, by git or by the delivered list."""
    return _in_git(project) or _as_delivered(project) or (NO_COMMIT, ())


def _in_git(project: Path) -> tuple[str, tuple[str, ...]] | None:
    # If installed elsewhere, the packages may lie inside the checkout of another project, whose commit says nothing.
    if _git(project, "ls-files", "--error-unmatch", "/".join(Path(__file__).parts[-3:])) is None:
        return None
    commit = _git(project, "rev-parse", "HEAD")
    changed = _git(project, "diff", "--name-only", "--no-renames", "--relative", "-z", "HEAD", "--", *_CODE)
    added = _git(project, "ls-files", "--others", "--exclude-standard", "-z", "--", *_CODE)
    if commit is None or changed is None or added is None:
        return None
    return commit, tuple(sorted({name for name in f"{changed}\0{added}".split("\0") if name}))


def _as_delivered(project: Path) -> tuple[str, tuple[str, ...]] | None:
    path = project / DELIVERED
    if not path.is_file():
        return None
    stated, found = Delivered.model_validate_json(path.read_bytes()), _code_files(project)
    names = sorted({*stated.files, *found})
    return stated.commit, tuple(name for name in names if stated.files.get(name) != found.get(name))


def _code_files(project: Path) -> dict[str, str]:
    beside = (name for name in _CODE if (project / name).is_file())
    return source(project) | {name: file_digest(project / name) for name in beside}


def source_digest(project: Path = PROJECT) -> str:
    """Return the SHA-256 over the packages' files by name; see `source`."""
    return json_digest(source(project))


def source(project: Path = PROJECT) -> dict[str, str]:
    """Return the packages' files by name, with their SHA-256: source, policy, templates; no caches, nothing hidden."""
    found = (path for package in PACKAGES for path in (project / package).rglob("*") if path.is_file())
    kept = (path.relative_to(project) for path in found)
    names = sorted(name.as_posix() for name in kept if not any(p[0] == "." or p == "__pycache__" for p in name.parts))
    if not names:
        raise FileNotFoundError(f"no source in {project}; expected the packages {', '.join(PACKAGES)}")
    return {name: file_digest(project / name) for name in names}


@contextmanager
def committed(commit: str, project: Path = PROJECT) -> Generator[Path | None]:
    """Give a folder with the packages and the lock file as they were committed; None if no such commit is known.

    It is the project itself if that was delivered as this commit and nothing was changed since.
    """
    with TemporaryDirectory(prefix="tidewaiter-") as scratch:
        if not _COMMIT.fullmatch(commit):
            yield None
            return
        if _git(project, "cat-file", "-e", f"{commit}^{{commit}}") is None:
            yield project if _as_delivered(project) == (commit, ()) else None
            return
        names = _git(project, "ls-tree", "--name-only", commit, "--", *PACKAGES, LOCK_FILE) or ""
        archive = f"{scratch}/committed.tar"
        _git(project, "archive", f"--output={archive}", commit, "--", *names.split())
        with tarfile.open(archive) as packed:
            packed.extractall(scratch, filter="data")
        yield Path(scratch)


def assemble(
    folder: Path, data_version: str, window: Mapping[str, str], code: Code | None = None, project: Path = PROJECT
) -> Manifest:
    """Return the manifest of an evidence folder; every file named in the module's docstring must be there.

    `data_version` is DVC's md5 of the data, `window` the parts of the time span ("train": "2024-01-01/2024-06-30").
    `code` is the state when training began, if that may differ from now.
    """
    names = [*FILES, *_model_files(folder)]
    absent = [name for name in FILES if not (folder / name).is_file()]
    if absent or len(names) == len(FILES):
        raise FileNotFoundError(f"evidence folder {folder} lacks {', '.join(absent) or f'files in {MODEL_FOLDER}/'}")
    return Manifest(
        code=code or code_state(project),
        data_version=data_version,
        lock_sha256=lock_digest(project),
        window=dict(window),
        files={name: file_digest(folder / name) for name in names},
    )


def verify(manifest: Manifest, folder: Path, project: Path | None = None) -> tuple[str, ...]:
    """Return what differs between the manifest and an evidence folder, a sentence each; empty if nothing does.

    With `project`, its source and lock file are compared too.
    """
    names = sorted({*manifest.files, *_model_files(folder)})
    pairs = [(name, manifest.files.get(name), _digest_if_there(folder / name)) for name in names]
    if project is not None:
        pairs.append(("source", manifest.code.source_sha256, source_digest(project)))
        pairs.append((LOCK_FILE, manifest.lock_sha256, lock_digest(project)))
    return tuple(_difference(name, stated, found) for name, stated, found in pairs if stated != found)


def description(folder: Path, page: str) -> str:
    """Return the version's description from its evidence folder; `page` is where MLflow shows the run's artifacts.

    >>> page = "#/experiments/1/runs/0af3/artifacts"
    >>> with TemporaryDirectory() as folder:
    ...     written = Path(folder, DESCRIPTION).write_text(f"[all]({RUN_PAGE}) ![gain]({RUN_FILE}plots/gain.png)")
    ...     description(Path(folder), page)
    '[all](#/experiments/1/runs/0af3/artifacts) ![gain](get-artifact?run_uuid=0af3&path=plots/gain.png)'
    """
    run = page.split("/")[-2]
    text = (folder / DESCRIPTION).read_text(encoding="utf-8")
    return text.replace(RUN_PAGE, page).replace(RUN_FILE, f"get-artifact?run_uuid={run}&path=")


def verify_description(folder: Path, page: str, shown: str | None) -> tuple[str, ...]:
    """Return what differs between the description that MLflow shows and the evidence, a sentence, or nothing."""
    if (folder / DESCRIPTION).is_file() and (shown or "") != description(folder, page):
        return ("the version's description is not the card that is in the evidence",)
    return ()


def _difference(name: str, stated: str | None, found: str | None) -> str:
    if found is None:
        return f"{name} is missing; the evidence has it as {stated}"
    if stated is None:
        return f"{name} is not in the evidence"
    return f"{name} differs: the evidence has {stated}, found {found}"


def _is_model_file(name: str) -> bool:
    parts = name.split("/")
    return parts[0] == MODEL_FOLDER and len(parts) > 1 and not {"", ".", ".."} & set(parts)


def _model_files(folder: Path) -> list[str]:
    found = (path for path in (folder / MODEL_FOLDER).rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def _digest_if_there(path: Path) -> str | None:
    return file_digest(path) if path.is_file() else None


def lock_digest(project: Path = PROJECT) -> str | None:
    """Return the SHA-256 of the lock file; None if there is none."""
    return _digest_if_there(project / LOCK_FILE)


def _git(project: Path, *arguments: str) -> str | None:
    """Return the output of a git command, or None if git refuses or is not there."""
    # A run may be another user's than the checkout (`run_as`), which git would refuse; its code runs in any case.
    command = ["git", "-c", "safe.directory=*", "-C", str(project), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _check(value: object) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ValueError(f"key {key!r} is {type(key).__name__}; JSON has only text as keys")
            _check(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check(inner)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a JSON number")


def _unique(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key {key!r} is there twice; which of the two was signed cannot be told")
        found[key] = value
    return found
