"""Every deployment's flow is found as a worker finds it: by its file, with the folder of the file before all others."""

import subprocess
import sys
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[4]
DEPLOYMENTS = yaml.safe_load((PROJECT / "prefect.yaml").read_text())["deployments"]
# A worker's process loads one flow. This one loads all, and forgets the project's modules and folders before each.
LOADED = """
import sys
from prefect.utilities.importtools import import_object
path, others = [*sys.path], set(sys.modules)
for entrypoint in sys.argv[1:]:
    for name in {*sys.modules} - others:
        if name.partition(".")[0] in ("features", "models", "flows", "__prefect_loader__"):
            del sys.modules[name]
    sys.path[:] = path
    print(import_object(entrypoint).name)
"""


def test_a_worker_finds_the_flows():
    entrypoints = sorted({each["entrypoint"] for each in DEPLOYMENTS})
    assert len(entrypoints) > 3
    command = [sys.executable, "-c", LOADED, *entrypoints]
    found = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    names = [entrypoint.rpartition(":")[2] for entrypoint in entrypoints]
    assert found.stdout.splitlines()[-len(names) :] == names, found.stderr
