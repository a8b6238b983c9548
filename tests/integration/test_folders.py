"""With every folder elsewhere, a run keeps its files there and nowhere else, so a backup of them is complete."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
from rich.console import Console

from features.store.store import Store
from flows.parameters import RetrainParameters
from flows.progress import on_terminal
from flows.retrain import compute_features, ingest_declarations, version_data
from flows.settings import Settings
from models import policy
from models.workspace import Workspace

settings, rules = Settings(), policy.load()
store = Store(settings.data_folder / "simulator")
with on_terminal(Console(stderr=True), is_flow=False):
    ingest_declarations.fn(RetrainParameters(rows=1_000, months=6), settings, rules, store)
    version_data.fn(settings)
    compute_features.fn(Workspace(settings.places, rules, "simulator"))
"""


def test_what_is_ingested_versioned_and_computed_lies_in_the_two_folders_of_the_settings(tmp_path: Path) -> None:
    working, home, state, lake = (tmp_path / name for name in ("working", "home", "state", "lake"))
    for folder in (working, home):
        folder.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TIDEWAITER_STATE_FOLDER": str(state),
        "TIDEWAITER_DATA_FOLDER": str(lake / "data"),
        "PREFECT_HOME": str(state / "prefect"),
        "MPLCONFIGDIR": str(state / "runs" / "matplotlib"),
    }
    subprocess.run([sys.executable, "-c", SCRIPT], cwd=working, env=environment, check=True, capture_output=True)
    assert list(working.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"working", "home", "state", "lake"}
    assert {path.name for path in lake.iterdir()} == {"data", ".dvc", ".dvcignore"}
    kept = {path.name for path in state.iterdir()}
    assert {"cache", "dvc-cache", "dvc-remote", "reports", "simulated", "versions"} <= kept
    assert sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()) == []
