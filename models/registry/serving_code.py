"""The part of this project's code that a served model needs: the rooms that the serving script imports, and no page.

Not here: which code made a model (models/evidence). Every file here is among those files, or sign-off refuses it.
"""

import ast
import functools
import shutil
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("features", "models")


def copy(script: Path, project: Path, folder: Path) -> list[Path]:
    """Copy the rooms that `script` imports from `project`, and those that they import, into `folder`.

    A room goes whole, as it may have data and may look for its own modules by their names; of a module that stands
    outside of any room only its file goes. Returns the folders of the packages, as MLflow wants them for `code_paths`.
    """
    for file in sorted(_needed(script, project)):
        place = folder / file.relative_to(project)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
    return [folder / package for package in PACKAGES]


def _needed(script: Path, project: Path) -> set[Path]:
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        for name in _imported(waiting.pop().read_text()):
            new = set(_files(name, project)) - found
            found |= new
            waiting.extend(file for file in new if file.suffix == ".py")
    return found


def _files(name: str, project: Path) -> Iterator[Path]:
    """Yield the files of the room of a module, or the module's own; none if `name` is no module of this project."""
    parts = name.split(".")
    if parts[0] not in PACKAGES:
        return
    package = project / parts[0]
    yield package / "__init__.py"
    room = package.joinpath(*parts[1:2])
    if len(parts) > 1 and room.is_dir():
        yield from (file for file in room.iterdir() if file.is_file())
    elif room.with_suffix(".py").is_file():
        yield room.with_suffix(".py")


@functools.cache
def _imported(source: str) -> tuple[str, ...]:
    """Return the names that a module imports anywhere; a name imported from a package may be a module of it."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    return tuple(found)
