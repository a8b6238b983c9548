"""Whether tests fail where the code is wrong: modules of mutants.toml with one change at a time, by Cosmic Ray.

    make mutants                                       every module; hours
    make mutants MODULES=models/ledger/lifecycle.py   some; the others' results stay
    make mutants MOST=50                               so many places of each module, drawn by lot
    make mutants AGAIN=1                               only what survived, now that there are more tests

The changes are made in a copy of the project. For each module, `places` is how many changes there are, and `mutants`
how many of them were tried. The share of these that survives goes to results/mutants.json, with the survivors and the
reasons that mutants.toml gives for them. The exit code is 1 if a survivor has no reason.
"""

import ast
import difflib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import measuring

if TYPE_CHECKING:
    from cosmic_ray.work_item import MutationSpec

PROJECT = Path(__file__).parents[1]
SETTINGS = Path(__file__).with_suffix(".toml")
LIBRARIES = ("cosmic-ray", "hypothesis", "pytest")
WORKERS = os.cpu_count() or 1
# These tests need neither plugins nor what tests/conftest.py imports; without them a start takes a third of the time.
# The fixtures of their own folder are given to them one by one, see `_within`.
LEAN = ("--noconftest", "-W", "ignore::pytest.PytestConfigWarning")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS", "NUMBA_NUM_THREADS")
ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **dict.fromkeys(THREADS, "1")}
MOST, AGAIN = "MOST", "AGAIN"  # environment variables
SEED = 7
PATIENCE = 5  # a change that makes the tests take so many times as long counts as noticed


def main(names: list[str]) -> int:
    told = tomllib.loads(SETTINGS.read_text())
    modules: dict[str, list[str]] = {name: told["modules"][name] for name in names or told["modules"]}
    reasons = {
        (each["module"], each["was"], becomes): each["why"]
        for each in told.get("survivors", [])
        for becomes in each["becomes"]
    }
    with ThreadPoolExecutor(WORKERS) as pool:
        for module, found in zip(modules, pool.map(_apart, modules, modules.values()), strict=True):
            for one in found["survivors"]:
                one["why"] = reasons.get((module, one["was"], one["becomes"]))
            if AGAIN in os.environ:
                found = _joined(_known()[module], found)
            known = _known() | {module: found}
            print(f"{module}: {found['survived']} of {found['mutants']} survive, {found['seconds']:.0f} s", flush=True)
            in_order = {name: known[name] for name in told["modules"] if name in known}
            measuring.save("mutants", LIBRARIES, **_total(in_order), modules=in_order)
    known = _known()
    unexplained = [(module, one) for module in modules for one in known[module]["survivors"] if not one["why"]]
    for module, one in unexplained:
        print(f"{module}, line {one['line']}\n    - {one['was']}\n    + {one['becomes']}")
    return 1 if unexplained else 0


def _known() -> dict[str, Any]:
    """Return what was found before; another run, of other modules, may add to it meanwhile."""
    path = measuring.RESULTS / "mutants.json"
    return json.loads(path.read_text())["modules"] if path.exists() else {}


def _joined(before: dict[str, Any], again: dict[str, Any]) -> dict[str, Any]:
    """Return what was found, after some of the changes were tried again."""
    survived, mutants = again["survived"], before["mutants"]
    share, seconds = round(survived / mutants, 4), before["seconds"] + again["seconds"]
    return before | again | {"mutants": mutants, "killed": mutants - survived, "share": share, "seconds": seconds}


def _total(modules: dict[str, Any]) -> dict[str, Any]:
    mutants, survived = (sum(found[name] for found in modules.values()) for name in ("mutants", "survived"))
    return {"mutants": mutants, "survived": survived, "share": round(survived / mutants, 4)}


def _apart(module: str, tests: list[str]) -> dict[str, Any]:
    """Return the figures of one module, found by a process in a copy of the project."""
    with tempfile.TemporaryDirectory(prefix="tidewaiter-mutants-") as folder:
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True)
        for name in filter(None, listed.stdout.split("\0")):
            if (PROJECT / name).is_file():
                (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(PROJECT / name, Path(folder) / name)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= ENVIRONMENT
        if "import numba" in (PROJECT / module).read_text():
            environment["NUMBA_DISABLE_JIT"] = "1"  # otherwise every change is compiled, and nothing checks indices
        command = [sys.executable, "-m", "benchmarks.mutants", "--within", module, *tests]
        done = subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _within(module: str, tests: list[str]) -> dict[str, Any]:
    """Change `module` of the project in the working folder, place by place, and run `tests` each time."""
    from cosmic_ray.commands import execute, init
    from cosmic_ray.config import ConfigDict
    from cosmic_ray.tools.filters.operators_filter import OperatorsFilter
    from cosmic_ray.work_db import use_db
    from cosmic_ray.work_item import WorkerOutcome, WorkResult

    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *LEAN]
    if any("/property/" in test for test in tests):
        command += ["-p", "_hypothesis_pytestplugin", "-p", "tests.support.examples", "--hypothesis-profile", "mutants"]
    for fixtures in dict.fromkeys(Path(test).with_name("conftest.py") for test in tests):
        if fixtures.is_file():
            command += ["-p", ".".join(fixtures.with_suffix("").parts)]
    command += [module, *tests]
    took = 0.0
    for _ in range(2):  # the first one compiles
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=sys.stderr)
        took = time.perf_counter() - began
    config: Any = ConfigDict(tomllib.loads(SETTINGS.read_text())["cosmic-ray"])
    config |= {"module-path": module, "test-command": " ".join(command), "timeout": max(20.0, PATIENCE * took)}
    began = time.perf_counter()
    with use_db("mutants.sqlite") as session:
        init([Path(module)], session, {})
        OperatorsFilter()._skip_filtered(session, config["filters"]["operators-filter"]["exclude-operators"])
        unused = list(_unused(Path(module).read_text()))
        places = {item.job_id: item.mutations[0] for item in session.pending_work_items}
        used = [
            job
            for job, place in sorted(places.items(), key=lambda entry: _order(entry[1]))
            if not any(first <= place.start_pos < last for first, last in unused)
        ]
        count = len(used)
        if AGAIN in os.environ:
            source = Path(module).read_text()
            before = [(one["was"], one["becomes"]) for one in _known()[module]["survivors"]]
            used = [job for job in used if _mutated(source, places[job]) in before]
        drawn = set(random.Random(SEED).sample(used, min(len(used), int(os.environ.get(MOST) or len(used)))))
        for job in places.keys() - drawn:
            session.set_result(job, WorkResult(worker_outcome=WorkerOutcome.SKIPPED, output="not drawn, or no code"))
        execute(session, config)
        done = [(item.mutations[0], result) for item, result in session.completed_work_items]
    outcomes = Counter(result.worker_outcome for _, result in done)
    judged = [(place, result) for place, result in done if result.worker_outcome is WorkerOutcome.NORMAL]
    survivors = [
        {"line": place.start_pos[0], **_changed(result.diff or "")} for place, result in judged if not result.is_killed
    ]
    if broken := outcomes[WorkerOutcome.EXCEPTION] + outcomes[WorkerOutcome.ABNORMAL]:
        raise RuntimeError(f"{broken} changes of {module} could not be tried")
    return {
        "places": count,
        "mutants": len(judged),
        "killed": len(judged) - len(survivors),
        "survived": len(survivors),
        "share": round(len(survivors) / max(len(judged), 1), 4),
        "seconds": round(time.perf_counter() - began),
        "survivors": sorted(survivors, key=lambda one: (one["line"], one["becomes"])),
    }


def _unused(source: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield where parts of the source begin and end that are not changed.

    Nothing is computed at annotations, decorators and stars between parameters, and Cosmic Ray fails at an exception
    that is one of several and is named with its module.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.args.kwonlyargs:
            named, others = node.args.kwonlyargs[0], (*node.args.posonlyargs, *node.args.args, *node.args.defaults)
            begin = max(((part.end_lineno, part.end_col_offset) for part in others), default=(node.lineno, 0))
            yield begin, (named.lineno, named.col_offset)
        parts = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Tuple):
            parts += [part for part in node.type.elts if isinstance(part, ast.Attribute)]
        for part in (*parts, *getattr(node, "decorator_list", ())):
            if part is not None:
                yield (part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset)


def _order(place: "MutationSpec") -> tuple:
    return place.start_pos, place.operator_name, place.occurrence


def _mutated(source: str, place: "MutationSpec") -> tuple[str, str]:
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    operator = get_operator(place.operator_name)(**place.operator_args)
    code = mutate_code(source, operator, place.occurrence)
    changed = _changed("\n".join(difflib.unified_diff(source.split("\n"), code.split("\n"), lineterm="")))
    return changed["was"], changed["becomes"]


def _changed(diff: str) -> dict[str, str]:
    """Return the line as it was and as it became."""
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    was, becomes = (next((line[1:].strip() for line in lines if line.startswith(sign)), "") for sign in "-+")
    return {"was": was, "becomes": becomes}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--within"]:
        print(json.dumps(_within(sys.argv[2], sys.argv[3:])))
    else:
        sys.exit(main(sys.argv[1:]))
