"""The files that MLflow stores with a model to serve it. `mlflow.pyfunc.load_model` runs them, so none may be foreign.

Not here: the risk model's own files, which are evidence.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from models.evidence import seal
from models.names import REQUIREMENTS, RISK_MODEL

_SCRIPT = "serving.py"
_SCRIPT_SOURCES = (f"models/registry/{_SCRIPT}", f"models/{_SCRIPT}")  # the place in today's code, and in earlier code
_CODE = "code/"
_OWN = frozenset(
    {"MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt", "input_example.json", "serving_input_example.json"}
)
_PINNED = re.compile(r"(?P<name>[A-Za-z0-9-]+)==[0-9][0-9A-Za-z.+]*")
_PYTHON = re.compile(r"[0-9]+(\.[0-9]+)*")
# MLflow loads by these: another module or script would be code that nobody has looked at.
_LOADED_BY = {"loader_module": "mlflow.pyfunc.loaders.code_model", "code": "code"}
_BUILT_BY = re.compile(r"(pip|setuptools)([<=]=[0-9.]+)?|wheel([<=]=[0-9.]+)?")


def faults(logged: Path, source: Mapping[str, str]) -> Iterator[str]:
    """Yield what in a logged model's folder is not made of `source`, which has files by name with their SHA-256."""
    for name, digest in seal.listed(logged).items():
        if name.startswith(f"{seal.RISK_MODEL}/") or name in _OWN:
            continue
        origins = _SCRIPT_SOURCES if name == _SCRIPT else (name.removeprefix(_CODE),) if name.startswith(_CODE) else ()
        if digest not in (source.get(origin) for origin in origins):
            yield f"{name} of the logged model is not a file of the code that made it"
    try:
        yield from _loading(yaml.safe_load((logged / "MLmodel").read_text()))
        yield from _requirements(logged)
        for name in ("input_example.json", "serving_input_example.json"):
            json.loads((logged / name).read_text())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        yield f"the logged model's description cannot be read: {error!r}"


def _loading(described: Mapping[str, Any]) -> Iterator[str]:
    flavors = described["flavors"]
    if set(flavors) != {"python_function"}:
        yield f"MLmodel names the flavors {', '.join(sorted(map(str, flavors)))}; allowed: python_function"
        return
    by = flavors["python_function"]
    for key, wanted in _LOADED_BY.items():
        if by.get(key) != wanted:
            yield f"MLmodel has {key} {by.get(key)!r}; allowed: {wanted!r}"
    if str(by.get("model_code_path")).rpartition("/")[2] != _SCRIPT:
        yield f"MLmodel has model_code_path {by.get('model_code_path')!r}; allowed: {_SCRIPT}"
    artifacts = {name: each["path"] for name, each in by["artifacts"].items()}
    if artifacts != {RISK_MODEL: seal.RISK_MODEL}:
        yield f"MLmodel has artifacts {artifacts}; allowed: {RISK_MODEL} at {seal.RISK_MODEL}"


def _requirements(logged: Path) -> Iterator[str]:
    lines = (logged / "requirements.txt").read_text().split("\n")
    matches = [_PINNED.fullmatch(line) for line in lines]
    if [match and match["name"] for match in matches] != list(REQUIREMENTS):
        yield f"requirements.txt is not one version each of {', '.join(REQUIREMENTS)}"
    conda = yaml.safe_load((logged / "conda.yaml").read_text())
    *plain, last = conda["dependencies"]
    if conda["channels"] != ["conda-forge"] or set(conda) != {"channels", "dependencies", "name"}:
        yield "conda.yaml takes packages from elsewhere than conda-forge"
    if last != {"pip": lines} or not all(re.fullmatch(r"(python=|pip<=|pip==)[0-9.]+|pip", each) for each in plain):
        yield "conda.yaml asks for other packages than requirements.txt"
    environment = yaml.safe_load((logged / "python_env.yaml").read_text())
    if (
        set(environment) != {"python", "build_dependencies", "dependencies"}
        or not _PYTHON.fullmatch(str(environment["python"]))
        or environment["dependencies"] != ["-r requirements.txt"]
        or not all(_BUILT_BY.fullmatch(each) for each in environment["build_dependencies"])
    ):
        yield "python_env.yaml asks for other packages than requirements.txt"
