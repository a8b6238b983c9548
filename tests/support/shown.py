"""The command lines that the pages show, and the commands that exist."""

import ast
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from flows.commands.cli import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_LINE = re.compile(r"^(?:    )?(?:\$ )?(?:\.venv/bin/)?tidewaiter (.+)$", re.MULTILINE)
_SPAN = re.compile(r"`(?:\.venv/bin/)?tidewaiter ([^`]+)`")

_PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Line(NamedTuple):
    """A command as a page shows it. `is_whole`: it can be typed; in a sentence, arguments may be left out."""

    page: str
    words: tuple[str, ...]
    is_whole: bool


def lines() -> Iterator[Line]:
    """Yield every command of every page, without `tidewaiter` and comments, and without placeholders."""
    for page in PAGES:
        text = page.read_text()
        name = page.relative_to(ROOT).as_posix()
        found = [(each, True) for each in _LINE.findall(text)] + [(each, False) for each in _SPAN.findall(text)]
        for words, is_whole in ((tuple(shlex.split(each, comments=True)), is_whole) for each, is_whole in found):
            if words[0].isidentifier() and words[0].islower():
                yield Line(name, words, is_whole)


def python() -> dict[str, str]:
    """Return every block of Python that a page shows, by page and place."""
    texts = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}
    return {f"{name} {place}": code for name, text in texts.items() for place, code in enumerate(_PYTHON.findall(text))}


def commands() -> dict[tuple[str, ...], TyperCommand]:
    """Return every command that `--help` shows, by its words."""
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    return dict(_commands(root, ()))


def _commands(group: TyperGroup, before: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    for name, each in group.commands.items():
        if isinstance(each, TyperGroup):
            yield from _commands(each, (*before, name))
        elif not each.hidden:
            assert isinstance(each, TyperCommand)
            yield (*before, name), each


def find(words: tuple[str, ...]) -> tuple[tuple[str, ...], TyperCommand] | None:
    """Return the command that a line begins with; None where there is none."""
    known = commands()
    return next(((words[:n], known[words[:n]]) for n in (1, 2) if words[:n] in known), None)


def given_in(file: Path) -> set[tuple[str, ...]]:
    """Return the texts that stand together in a call, tuple or list of a module: each alone, and two in a row."""
    found: set[tuple[str, ...]] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        items = node.args if isinstance(node, ast.Call) else getattr(node, "elts", [])
        texts = [each.value if isinstance(each, ast.Constant) else None for each in items]
        found |= {(text,) for text in texts if isinstance(text, str)}
        found |= {pair for pair in pairwise(texts) if all(isinstance(text, str) for text in pair)}
    return found
