"""The walls between rooms stand, and they catch a wrong import."""

import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PACKAGES = ("features", "models", "flows")


def linted(project: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    for package in PACKAGES:
        shutil.copytree(PROJECT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "tests" / "support").mkdir(parents=True)
    for file in ("tests/__init__.py", "tests/support/__init__.py", "tests/support/faces.py"):
        shutil.copy(PROJECT / file, folder / file)
    shutil.copy(PROJECT / "pyproject.toml", folder)
    return folder


def test_the_walls_stand():
    found = linted(PROJECT)
    assert found.returncode == 0, found.stdout
    assert "0 broken" in found.stdout


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("features/facts/asof.py", "from models import policy", "Flows use models, models use features"),
        ("models/targeting/lanes.py", "import flows.settings", "Flows use models, models use features"),
        ("models/ledger/book.py", "import prefect", "Prefect is known to flows alone"),
        ("features/store/store.py", "import features.ingestion.batches", "Floors of features"),
        ("features/network/links.py", "import features.validation.verdicts", "Floors of features"),
        ("models/risk/forest.py", "from models.training import splits", "Floors of models"),
        ("flows/host/up.py", "import flows.retrain", "Floors of flows"),
        ("models/dossier/card.py", "from models.risk.forest import Forest", "Other rooms import from a room's face"),
        ("features/matrix/cache.py", "from features.store.store import Store", "Other rooms import from a room's face"),
        ("flows/select.py", "from features.ingestion.batches import ingest", "Other rooms import from a room's face"),
        ("models/server/app.py", "import models.ledger.book", "Other rooms import from a room's face"),
    ],
)
def test_a_wrong_import_is_caught(copied, module, statement, contract):
    file = copied / module
    text = file.read_text()
    file.write_text(f"{text}\n{statement}\n")
    try:
        found = linted(copied)
    finally:
        file.write_text(text)
    assert found.returncode == 1
    assert any(line.startswith(contract) and line.endswith("BROKEN") for line in found.stdout.splitlines())


def test_a_face_that_lists_what_is_not_there_is_caught(copied):
    file = copied / "models" / "risk" / "__init__.py"
    text = file.read_text()
    file.write_text(text.replace('"boosting"', '"boosted"'))
    try:
        found = linted(copied)
    finally:
        file.write_text(text)
    assert found.returncode == 1
    assert "models.risk.boosted is listed in the face of models.risk and does not exist" in " ".join(
        found.stdout.split()
    )


def test_a_room_without_a_floor_is_caught(copied):
    (copied / "models" / "attic").mkdir()
    (copied / "models" / "attic" / "__init__.py").write_text("")
    try:
        assert linted(copied).returncode == 1
    finally:
        shutil.rmtree(copied / "models" / "attic")


def test_no_module_of_flows_is_called_as_one_that_others_import():
    """Prefect's worker puts the folder of a flow's file before all others, and whoever imports then would find it."""
    places = [*(PROJECT / "flows").glob("*.py"), *(each.parent for each in (PROJECT / "flows").glob("*/__init__.py"))]
    ours = {place.stem for place in places}
    assert {"retrain", "run_requests"} <= ours
    theirs = set(packages_distributions()) - {"flows"} | sys.stdlib_module_names
    assert ours & theirs == {"select"}  # which Python itself has imported by then
