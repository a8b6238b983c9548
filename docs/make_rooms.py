"""Writes docs/rooms.md, the house floor by floor as the import contracts define it: `python -m docs.make_rooms`."""

import ast
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PAGE = Path(__file__).with_name("rooms.md")

_INTRO = """\
# The rooms

A room is a sub-package, or a module that stands for itself; its docstring says what belongs there and what does not.
A room imports from the floors below it, and rooms of one floor know nothing of each other. Its face is what its
`__init__` hands on: names, and modules that others may import as a whole. Other rooms import from the face, and never
from a module behind it. This page is written by `python -m docs.make_rooms` from the contracts in `pyproject.toml`,
which `make test` holds with import-linter.

```
{drawing}
```
"""


def page() -> str:
    """Return the whole page, as Markdown."""
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    houses = [each for each in contracts if each["type"] == "layers" and "containers" in each]
    drawing = "\n".join(_drawn(house["containers"][0], house["layers"]) for house in reversed(houses))
    return "\n".join([_INTRO.format(drawing=drawing), *(_told(house) for house in houses)])


def _drawn(package: str, floors: Sequence[str]) -> str:
    """Return a box of floors under the package's name, the highest floor first."""
    texts = [floor.replace(" | ", "   ") for floor in floors]
    width = max(len(text) for text in texts)
    rows = [f"  | {text.center(width)} |" for text in texts]
    return "\n".join([f"{package}/", f"  +{'-' * (width + 2)}+", *rows, f"  +{'-' * (width + 2)}+"])


def _told(house: dict[str, list[str]]) -> str:
    (package,) = house["containers"]
    head = ["| floor | room | what belongs there | what does not | its face |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([f"## {package}", "", *head, *_rows(package, house["layers"]), ""])


def _rows(package: str, floors: Sequence[str]) -> Iterator[str]:
    for number, floor in enumerate(reversed(floors), 1):
        for room in floor.split(" | "):
            text = _file(package, room).read_text()
            there, elsewhere = _docstring(text)
            yield f"| {number} | `{room}` | {there} | {elsewhere} | {', '.join(f'`{name}`' for name in _face(text))} |"


def _file(package: str, room: str) -> Path:
    place = PROJECT / package / room
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _docstring(module: str) -> tuple[str, str]:
    """Return the first paragraph of a room's docstring, and what its 'Not here' says, or '' where it has none."""
    text = ast.get_docstring(ast.parse(module)) or ""
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    elsewhere = next((each.removeprefix("Not here: ") for each in paragraphs if each.startswith("Not here: ")), "")
    return paragraphs[0].replace("|", "\\|"), elsewhere.replace("|", "\\|")


def _face(module: str) -> list[str]:
    """Return what the room hands on, as its `__all__` lists it; nothing where the room is one module."""
    for statement in ast.parse(module).body:
        if isinstance(statement, ast.Assign) and [ast.unparse(target) for target in statement.targets] == ["__all__"]:
            return list(ast.literal_eval(statement.value))
    return []


if __name__ == "__main__":
    PAGE.write_text(page())
