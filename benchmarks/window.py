"""What a decision costs at the window: features, scores, reasons, place and a durable log; and how long who asks waits.

Run by `make bench`. The store is simulated, and a model learns from it; the declarations of a day near its end are
asked about one by one, in batches of 100, and over HTTP by a driver in a process of its own, so many a second. A
process is also started until it has answered, on a day on which another has answered before. Costs are CPU time of all
threads together. Beside them stand, for the same rows: the features alone, LightGBM's score, the model as MLflow loads
it (a pyfunc), and MLflow's own scoring server under the same driver. These three are given the features, and tell
neither reasons nor a lane; the window is given a declaration. Compare figures only within one run.
"""

import argparse
import gc
import json
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from time import perf_counter, process_time, sleep, time
from typing import Any

import httpx
import measuring
import mlflow
import numpy as np
import polars as pl
import psutil
import uvicorn
from driving import driven, requests
from mlflow.pyfunc import scoring_server
from rich.console import Console
from rich.table import Table

from features.contract import schema
from features.ingestion.batches import ingest
from features.matrix import CATALOGUE
from features.messages import json_form
from features.simulator import Parameters
from features.sources.simulator import SimulatorSource
from models import policy
from models.access import Directory, Entrance, Names
from models.access.accounts import SYSTEM
from models.access.tokens import Tokens
from models.decisions import DecisionLog, Document, Spool
from models.dossier import Incumbent
from models.evidence.source_code import PROJECT
from models.names import RISK_MODEL
from models.places import Places
from models.registry import serving
from models.risk import RiskModel
from models.training import train
from models.window import making
from models.window.answering import Asked
from models.window.app import Window
from models.window.deciding import Decider
from models.window.ground import Ground
from models.workspace import Workspace

BATCH = 100
A_SECOND = 50  # requests to the window
A_SECOND_OF_MLFLOW = 5  # to its scoring server, whose CPU is what is compared
SECRET = bytes(range(32))


def prepare(folder: Path, rows: int, bag: int = 1) -> dict[str, Any]:
    """Make the store, its features and a model that is a bag of so many seeds."""
    workspace = _workspace(folder)
    ingest(SimulatorSource(Parameters(rows=rows), folder / "simulated"), workspace.store, workspace.policy.ingestion)
    labelled = workspace.dataset(workspace.features()).filter(pl.col("is_illicit").is_not_null()).collect()
    learned = labelled.sort("accepted_at").filter(pl.col("accepted_at") < _at(_day(workspace)) - timedelta(days=40))
    middle = learned.height * 5 // 6
    training = workspace.policy.training.model_copy(update={"bag": bag})
    model = train(learned[:middle], learned[middle:], CATALOGUE, training, workspace.policy.targeting)
    model.save(folder / "model")
    return {}


def started(folder: Path, rows: int) -> dict[str, Any]:
    """Return seconds from the start of this process, imports included, until the first declaration is decided.

    The model is read from a folder; a window reads it from the registry, and the ledger before it.
    """
    workspace = _workspace(folder)
    ground, first = _ground(folder, workspace), _declarations(workspace)[:1]
    with _deciding(folder, ground) as decider:
        _ask(decider, first)
    return {"first_answer_seconds": time() - psutil.Process().create_time()}


def decided(folder: Path, rows: int) -> dict[str, Any]:
    """Return CPU ms and seconds of decisions one by one and in batches, and the parts that they consist of."""
    workspace = _workspace(folder)
    started = perf_counter()
    ground = _ground(folder, workspace)
    made = perf_counter() - started
    each = _declarations(workspace)
    with _deciding(folder, ground) as decider:
        for asked in _renamed(each[:20], "warm"):  # kernels, plans and connections
            _ask(decider, [asked])
        single = [_cost(lambda asked=asked: _ask(decider, [asked])) for asked in _renamed(each, "single")]
        batches = [_renamed(each[start : start + BATCH], "many") for start in range(0, len(each), BATCH)]
        many = [_cost(lambda batch=batch: _ask(decider, batch)) for batch in batches]
    features = [_cost(lambda asked=asked: ground.morning.features(asked.rows)) for asked in each]
    matrix = ground.champion.model.encoder.encode(ground.morning.features(pl.concat([asked.rows for asked in each])))
    booster = ground.champion.model.illicit
    scored = [
        _cost(lambda row=row: booster.predict(matrix[row : row + 1], num_threads=1)) for row in range(len(matrix))
    ]
    return {
        "declarations": len(each),
        "items": sum(asked.rows.height for asked in each),
        "ground_seconds": made,
        "cpu_ms": {
            "decision, one by one": _mean(cpu for cpu, _ in single),
            f"decision, in batches of {BATCH}": sum(cpu for cpu, _ in many) / len(each),
            "features alone": _mean(cpu for cpu, _ in features),
            "LightGBM's score alone": _mean(cpu for cpu, _ in scored),
        },
        "one_by_one_ms": {"p50": _part(single, 0.5), "p99": _part(single, 0.99)},
        "batches_a_second": len(each) / sum(seconds for _, seconds in many) * 1000,
    }


def asked_by_http(folder: Path, rows: int) -> dict[str, Any]:
    """Return how long answers take over HTTP at A_SECOND requests a second, and CPU ms a request of the server."""
    workspace = _workspace(folder)
    ground, each = _ground(folder, workspace), _declarations(workspace)
    uri = f"sqlite:///{folder / 'accounts.db'}"
    tokens = Tokens(uri)
    token = tokens.make("bench", SYSTEM, "bench")
    now = _at(ground.day).replace(hour=12, tzinfo=UTC)
    messages = [json_form.message(asked.rows) for asked in each]
    count = requests(A_SECOND)
    bodies = [{**messages[number % len(each)], "declaration_id": f"H{number}"} for number in range(count)]
    with _deciding(folder, ground) as decider, _log_in(folder) as log:
        window = Window(decider, log, tokens, Entrance(Directory(uri), Names()), lambda: now, print)
        server = uvicorn.Server(uvicorn.Config(window.app(), port=0, log_level="error", access_log=False))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            pass
        port = server.servers[0].sockets[0].getsockname()[1]
        before = process_time()
        ms = driven(folder, f"http://127.0.0.1:{port}/window/declarations", bodies, A_SECOND, token)
        cpu = process_time() - before
        server.should_exit = True
        thread.join()
    return {"requests": count, "a_second": A_SECOND, "cpu_ms": cpu * 1000 / count, "ms": ms}


def served_by_mlflow(folder: Path, rows: int) -> dict[str, Any]:
    """Return CPU ms of MLflow's pyfunc for the rows of a declaration, and what its scoring server takes for them."""
    workspace = _workspace(folder)
    model = RiskModel.load(folder / "model")
    morning, each = workspace.morning(_day(workspace)), _declarations(workspace)
    inputs = [serving.as_input(morning.features(asked.rows), model.encoder) for asked in each]
    mlflow.pyfunc.save_model(
        folder / "served",
        python_model=serving.__file__,
        artifacts={RISK_MODEL: str(folder / "model")},
        code_paths=[str(PROJECT / package) for package in ("features", "models")],
        pip_requirements=[],
        signature=serving.signature(model.encoder),
    )
    loaded = mlflow.pyfunc.load_model(str(folder / "served"))
    for given in inputs[:20]:
        loaded.predict(given)
    pyfunc = [_cost(lambda given=given: loaded.predict(given)) for given in inputs]
    bodies = [{"dataframe_split": json.loads(given.to_json(orient="split", index=False))} for given in inputs]
    count = requests(A_SECOND_OF_MLFLOW)
    with _scoring_server(folder / "served") as (server, url):
        before = sum(server.cpu_times()[:2])
        ms = driven(folder, f"{url}/invocations", bodies, A_SECOND_OF_MLFLOW)
        cpu = sum(server.cpu_times()[:2]) - before
    return {
        "pyfunc_cpu_ms": _mean(cpu for cpu, _ in pyfunc),
        "requests": count,
        "a_second": A_SECOND_OF_MLFLOW,
        "cpu_ms": cpu * 1000 / count,
        "ms": ms,
    }


@contextmanager
def _scoring_server(model: Path) -> Iterator[tuple[psutil.Process, str]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command, environment = scoring_server.get_cmd(str(model), port=port, host="127.0.0.1")
    url, started = f"http://127.0.0.1:{port}", subprocess.DEVNULL
    on_path = {**environment, "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}"}
    with subprocess.Popen(shlex.split(command), env=on_path, stdout=started, stderr=started) as server:
        try:
            while not _answers(url):
                assert server.poll() is None, f"MLflow's scoring server ended: {command}"
                sleep(0.5)
            yield psutil.Process(server.pid), url
        finally:
            server.terminate()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ping").is_success
    except httpx.TransportError:
        return False


STAGES: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "prepare": prepare,
    "decided": decided,
    "started": started,
    "asked_by_http": asked_by_http,
    "served_by_mlflow": served_by_mlflow,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--bag", type=int, default=1, help="of how many seeds the model is")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage:
        stages = STAGES | {"prepare": partial(prepare, bag=given.bag)}
        print(json.dumps(stages[given.stage](given.folder, given.rows)))
        return
    results = measuring.staged(__file__, STAGES, given.rows, "--bag", given.bag)
    del results["prepare"]
    _print(Console(), results, given.rows)
    libraries = ("polars", "numpy", "lightgbm", "mlflow", "msgspec", "sqlalchemy", "starlette", "uvicorn")
    name = "window" if given.bag == 1 else f"window-bag-{given.bag}"
    measuring.save(name, libraries, rows=given.rows, bag=given.bag, **results)


def _print(console: Console, results: dict[str, Any], rows: int) -> None:
    alone, http, mlflow_server = results["decided"], results["asked_by_http"], results["served_by_mlflow"]
    first = results["started"]["first_answer_seconds"]
    table = Table("", "CPU ms", title=f"{alone['declarations']} declarations of a day, {rows:,} in the store")
    for part, ms in alone["cpu_ms"].items():
        table.add_row(part, f"{ms:.2f}")
    table.add_row("MLflow's pyfunc, given the features", f"{mlflow_server['pyfunc_cpu_ms']:.2f}")
    served = {"the window": http, "MLflow's scoring server, given the features": mlflow_server}
    for name, each in served.items():
        table.add_row(f"request over HTTP to {name}", f"{each['cpu_ms']:.2f}")
    console.print(table)
    for name, each in served.items():
        spread = ", ".join(f"{part} {ms:.1f} ms" for part, ms in each["ms"].items())
        console.print(f"over HTTP, {each['a_second']} requests a second to {name}: {spread}")
    console.print(
        f"in batches of {BATCH} {alone['batches_a_second']:.0f} declarations/s; the ground was made in "
        f"{alone['ground_seconds']:.1f} s; a new process answered {first:.1f} s after its start"
    )


def _workspace(folder: Path) -> Workspace:
    places = Places(folder / "data", folder / "state", folder / "signoff", "", "")
    return Workspace(places, policy.load(), "simulator")


def _ground(folder: Path, workspace: Workspace) -> Ground:
    model = RiskModel.load(folder / "model")
    champion = Incumbent("1", "champion", "simulator", None, model, None, workspace.policy)
    morning = workspace.morning(_day(workspace))
    ground = making.scored(workspace, workspace.features(), morning, champion, (), SECRET)
    gc.freeze()  # as the window does
    return ground


def _day(workspace: Workspace) -> date:
    """Return the fullest day of the last whole week; the archive ends a week later."""
    last = workspace.store.days()[-1] - timedelta(days=7)
    week = workspace.store.scan("declarations", last - timedelta(days=6), last)
    counts = week.group_by(pl.col("accepted_at").dt.date().alias("day")).len().sort("len", "day").collect()
    return counts["day"][-1]


def _at(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time())


def _declarations(workspace: Workspace) -> list[Asked]:
    """Return the day's declarations, in the order in which they came."""
    day = _day(workspace)
    rows = workspace.store.scan("declarations", day, day).select(schema("declarations").names()).collect()
    parts = rows.sort("accepted_at", "item_number").partition_by("declaration_id", maintain_order=True)
    return [Asked(part, "0" * 64, "bench", "en", part["accepted_at"][0].replace(tzinfo=UTC)) for part in parts]


@contextmanager
def _deciding(folder: Path, ground: Ground) -> Iterator[Decider]:
    with tempfile.TemporaryDirectory(dir=folder) as own, _log_in(Path(own)) as log:
        decider = Decider(log, Spool(Path(own) / "spool.jsonl"), lambda: ground, lambda why: ground)
        decider.start()
        yield decider
        decider.stop()


@contextmanager
def _log_in(folder: Path) -> Iterator[DecisionLog]:
    log = DecisionLog(f"sqlite:///{folder / 'decisions.db'}")
    yield log
    log.close()


def _ask(decider: Decider, asked: list[Asked]) -> None:
    decider.ask(asked, {"0" * 64: Document("application/json", b"{}")}).result(timeout=60)


def _renamed(asked: list[Asked], turn: str) -> list[Asked]:
    """Return declarations under ids of this turn, so that each is a new one."""
    return [
        Asked(each.rows.with_columns(declaration_id=pl.lit(turn) + pl.col("declaration_id")), *_rest(each))
        for each in asked
    ]


def _rest(asked: Asked) -> tuple[str, str, str, datetime]:
    return asked.message, asked.caller, asked.language, asked.received_at


def _cost(work: Callable[[], object]) -> tuple[float, float]:
    """Return CPU milliseconds and milliseconds of `work`."""
    cpu, started = process_time(), perf_counter()
    work()
    return (process_time() - cpu) * 1000, (perf_counter() - started) * 1000


def _mean(values: Iterator[float]) -> float:
    return float(np.mean(list(values)))


def _part(costs: list[tuple[float, float]], part: float) -> float:
    return float(np.quantile([seconds for _, seconds in costs], part))


if __name__ == "__main__":
    main()
