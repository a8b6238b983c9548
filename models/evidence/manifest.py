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

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from models.document import Document
from models.evidence import digests, source_code
from models.evidence.digests import Sha256
from models.evidence.source_code import Code

MANIFEST_FILE = "evidence.json"
MODEL_FOLDER = "model"
DESCRIPTION = "description.md"
FILES = ("evaluation.json", "validation.json", "drift.json", "policy.toml", "card.md", DESCRIPTION)
# These stand in the description for the page of the run's artifacts and for the address of one of them, which exist
# only once the run does. They are as long as the longest of those, so that the final text still fits where this text
# did.
RUN_PAGE, RUN_FILE = "#run".ljust(80, "-"), "#file".ljust(60, "-")
_AGAINST_CHAMPION = {"evaluation.json", "drift.json", "card.md", DESCRIPTION}  # another champion, so another comparison


class Manifest(Document, strict=True):
    """Holds what a signature stands for: strings, whole numbers and flags, nothing that can be written in two ways."""

    layout: Literal[1] = 1
    code: Code
    data_version: str = Field(min_length=1)
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
        return digests.json_digest(self.model_dump())

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
        (folder / MANIFEST_FILE).write_bytes(digests.canonical(self.model_dump()))


def read(text: str | bytes) -> Manifest:
    """Return a manifest from its JSON, however it is laid out.

    Raises ValueError for text that is not JSON, for a key given twice, and (pydantic) for what is not a manifest.
    """
    return Manifest.model_validate(json.loads(text, object_pairs_hook=_unique))


def assemble(
    folder: Path,
    data_version: str,
    window: Mapping[str, str],
    code: Code | None = None,
    project: Path = source_code.PROJECT,
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
        code=code or source_code.code_state(project),
        data_version=data_version,
        lock_sha256=source_code.lock_digest(project),
        window=dict(window),
        files={name: digests.file_digest(folder / name) for name in names},
    )


def verify(manifest: Manifest, folder: Path, project: Path | None = None) -> tuple[str, ...]:
    """Return what differs between the manifest and an evidence folder, a sentence each; empty if nothing does.

    With `project`, its source and lock file are compared too.
    """
    names = sorted({*manifest.files, *_model_files(folder)})
    pairs = [(name, manifest.files.get(name), digests.digest_if_there(folder / name)) for name in names]
    if project is not None:
        pairs.append(("source", manifest.code.source_sha256, source_code.source_digest(project)))
        pairs.append((source_code.LOCK_FILE, manifest.lock_sha256, source_code.lock_digest(project)))
    return tuple(_difference(name, stated, found) for name, stated, found in pairs if stated != found)


def description(folder: Path, page: str) -> str:
    """Return the version's description from its evidence folder; `page` is where MLflow shows the run's artifacts.

    >>> from tempfile import TemporaryDirectory
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


def _is_model_file(name: str) -> bool:
    parts = name.split("/")
    return parts[0] == MODEL_FOLDER and len(parts) > 1 and not {"", ".", ".."} & set(parts)


def _unique(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key {key!r} is there twice; which of the two was signed cannot be told")
        found[key] = value
    return found


def _model_files(folder: Path) -> list[str]:
    found = (path for path in (folder / MODEL_FOLDER).rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def _difference(name: str, stated: str | None, found: str | None) -> str:
    if found is None:
        return f"{name} is missing; the evidence has it as {stated}"
    if stated is None:
        return f"{name} is not in the evidence"
    return f"{name} differs: the evidence has {stated}, found {found}"
