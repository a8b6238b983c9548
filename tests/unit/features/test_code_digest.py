"""The digest shows that other code computed a value, whichever module on the way was changed."""

import ast
import shutil
from pathlib import Path

import pytest

from features import code_digest
from features.code_digest import code_version, reached

PROJECT = Path(__file__).parents[3]
MODULES = reached(PROJECT)


def constants(tree):
    """Numbers and texts of the code, docstrings left out."""
    texts = {id(node.body[0].value) for node in ast.walk(tree) if getattr(node, "body", None) and _is_text(node.body)}
    kinds = (int, float, str)
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and type(node.value) in kinds and id(node) not in texts
    ]


def _is_text(body):
    return isinstance(body, list) and isinstance(body[0], ast.Expr)


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(PROJECT / "features", folder / "features", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def digest(project):
    return code_version.__wrapped__(project)


@pytest.mark.parametrize(
    "name", sorted(name for name, file in MODULES.items() if constants(ast.parse(file.read_text())))
)
def test_one_constant_in_a_module_moves_the_digest(copied, name):
    file = reached(copied)[name]
    before, text = digest(copied), file.read_text()
    tree = ast.parse(text)
    first = constants(tree)[0]
    first.value = f"{first.value}x" if isinstance(first.value, str) else first.value + 1
    file.write_text(ast.unparse(tree))
    try:
        assert digest(copied) != before
    finally:
        file.write_text(text)
    assert digest(copied) == before


def test_the_way_leads_through_everything_that_decides_a_value():
    deciding = ("contract", "codes", "facts.windows", "families.price", "network.matching")
    assert {f"features.{name}" for name in deciding} <= {*MODULES}
    assert not any(
        name.startswith(("features.sources", "features.simulator", "features.validation.rows")) for name in MODULES
    )


def test_comments_layout_and_docstrings_change_nothing(copied):
    file = copied / "features" / "contract.py"
    before, text = digest(copied), file.read_text()
    file.write_text(ast.unparse(ast.parse(text)).replace('"""', '"""Another sentence. ', 1) + "\n# a remark\n")
    assert digest(copied) == before
    file.write_text(text)


def test_another_sentence_changes_nothing(copied):
    file = copied / "features" / "families" / "calendar.py"
    before, text = digest(copied), file.read_text()
    file.write_text(text.replace("The declaration was accepted on a {weekday}.", "Accepted on a {weekday}."))
    assert file.read_text() != text
    assert digest(copied) == before
    file.write_text(text)


def test_a_family_counts_where_it_stands(copied):
    added = copied / "features" / "families" / "added.py"
    before = digest(copied)
    added.write_text("FACTOR = 1\n")
    once = digest(copied)
    added.write_text("FACTOR = 2\n")
    assert len({before, once, digest(copied)}) == 3
    added.unlink()


@pytest.mark.parametrize("statement", ["import features.added\n", "def late():\n    from features import added\n"])
def test_a_module_counts_once_it_is_imported(copied, statement):
    added, user = copied / "features" / "added.py", copied / "features" / "families" / "price.py"
    before, text = digest(copied), user.read_text()
    added.write_text("FACTOR = 1\n")
    assert digest(copied) == before
    user.write_text(text + "\n\n" + statement)
    used = digest(copied)
    added.write_text("FACTOR = 2\n")
    assert len({before, used, digest(copied)}) == 3
    user.write_text(text)
    added.unlink()


def test_data_beside_the_code_counts(copied):
    file = copied / "features" / "network" / "matching.json"
    before, text = digest(copied), file.read_text()
    file.write_text(text + " ")
    assert digest(copied) != before
    file.write_text(text)


@pytest.mark.parametrize("library", ["numpy", "numba", "scipy", "polars", "duckdb", "splink"])
def test_another_version_of_a_library_counts(monkeypatch, library):
    before, real = digest(PROJECT), code_digest.version
    monkeypatch.setattr(code_digest, "version", lambda name: "0" if name == library else real(name))
    assert digest(PROJECT) != before
