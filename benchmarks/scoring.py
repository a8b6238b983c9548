"""Declarations per second of 500 trees by LightGBM, this product's kernel and compilers of trees, and of a whole model.

Run by `make bench`. The rows are all features of simulated declarations, encoded as a model sees them, and the trees
are fitted on the labelled rows, with no early stopping. Each engine runs in a process of its own, so that its peak
memory is its own, with two threads. What comes before the first full call is given separately ("ready"). tl2cgen needs
gcc. lleaves does not work with any llvmlite that today's Numba accepts, so it needs an interpreter of its own, with
`lleaves`, `llvmlite<0.45`, `lightgbm` and `rich`: `--lleaves PYTHON`. Compare figures only within one run.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from shutil import which
from time import perf_counter

import measuring
import numpy as np
from rich.console import Console
from rich.table import Table

THREADS = 2
REPEATS = 3  # the fastest counts
Predict = Callable[[np.ndarray], np.ndarray]


def lightgbm(folder: Path) -> Predict:
    booster = _booster(folder)
    return lambda rows: booster.predict(rows, num_threads=THREADS)


def lightgbm_one_thread(folder: Path) -> Predict:
    booster = _booster(folder)
    return lambda rows: booster.predict(rows, num_threads=1)


def in_batches(size: int) -> Callable[[Path], Predict]:
    def make(folder: Path) -> Predict:
        whole = lightgbm(folder)
        return lambda rows: np.concatenate([whole(rows[at : at + size]) for at in range(0, len(rows), size)])

    return make


def kernel(folder: Path) -> Predict:
    from models.risk.forest import Forest

    forest = Forest.of(_booster(folder))
    assert forest is not None
    return lambda rows: forest(rows, THREADS)


def treelite(folder: Path) -> Predict:
    from treelite import frontend, gtil

    model = frontend.from_lightgbm(_booster(folder))
    return lambda rows: gtil.predict(model, rows, nthread=THREADS).ravel()


def tl2cgen(folder: Path) -> Predict:
    import tl2cgen
    from treelite import frontend

    library = folder / "trees.so"
    tl2cgen.export_lib(
        frontend.from_lightgbm(_booster(folder)),
        toolchain="gcc",
        libpath=library,
        params={"parallel_comp": THREADS, "quantize": 1},
    )
    predictor = tl2cgen.Predictor(library, nthread=THREADS)
    return lambda rows: predictor.predict(tl2cgen.DMatrix(rows)).ravel()


def lleaves(folder: Path) -> Predict:
    import lleaves

    model = lleaves.Model(folder / "model" / "illicit.txt")
    model.compile(fblocksize=100, fcodemodel="small")  # a little faster than its defaults
    return lambda rows: model.predict(rows, n_jobs=THREADS)


# How to make each engine, and the type of the numbers that it is given.
ENGINES: dict[str, tuple[Callable[[Path], Predict], type]] = {
    "lightgbm": (lightgbm, np.float32),
    "on float64": (lightgbm, np.float64),
    "on one thread": (lightgbm_one_thread, np.float32),
    "100 rows a call": (in_batches(100), np.float32),
    "1,000 rows a call": (in_batches(1_000), np.float32),
    "10,000 rows a call": (in_batches(10_000), np.float32),
    "kernel": (kernel, np.float32),
    "treelite": (treelite, np.float32),
    "tl2cgen": (tl2cgen, np.float32),
    "lleaves": (lleaves, np.float32),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--lleaves", help="an interpreter that has it")
    parser.add_argument("--engine", choices=("model", *ENGINES, "parts"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.engine:
        print(json.dumps(_run(given.engine, given.folder, given.rows, given.trees)))
        return
    console = Console()
    with tempfile.TemporaryDirectory(prefix="tidewaiter-bench-") as folder:

        def run(engine: str, python: str = sys.executable) -> dict[str, float]:
            sizes = ["--rows", str(given.rows), "--trees", str(given.trees)]
            return measuring.apart(__file__, "--engine", engine, "--folder", folder, *sizes, python=python)

        run("model")
        results = {engine: run(engine) for engine in ENGINES if _can_run(engine)}
        if given.lleaves:
            results["lleaves"] = run("lleaves", given.lleaves)
        expected = np.load(Path(folder) / "lightgbm.npy")
        for engine, found in results.items():
            found["of_lightgbm"] = results["lightgbm"]["seconds"] / found["seconds"]
            found["difference"] = float(np.abs(np.load(Path(folder) / f"{engine}.npy") - expected).max())
        parts = run("parts")
    _show(console, results, parts, given.rows, given.trees)
    libraries = ("lightgbm", "numba", "numpy", "treelite", "tl2cgen")
    sizes = {"rows": given.rows, "trees": given.trees}
    measuring.save("scoring", libraries, **sizes, engines=results, whole_model_seconds=parts)


def _show(
    console: Console, results: dict[str, dict[str, float]], parts: dict[str, float], rows: int, trees: int
) -> None:
    heads = ("engine", "rows/s", "trees/s", "ratio", "off by", "ready s", "peak MB")
    table = Table(*heads, title=f"{rows:,} declarations, {trees:,} trees")
    for engine, found in results.items():
        rate = rows / found["seconds"]
        table.add_row(
            engine,
            f"{rate:,.0f}",
            f"{rate * trees / 1e6:,.0f} M",
            f"{found['of_lightgbm']:.2f}",
            f"{found['difference']:.1g}",
            f"{found['ready']:.1f}",
            f"{found['peak_mb']:,.0f}",
        )
    console.print(table)
    whole = parts["whole"]
    table = Table("part", "seconds", "share", title=f"whole model: {rows / whole:,.0f} declarations/s")
    for part, seconds in parts.items():
        table.add_row(part, f"{seconds:.3f}", f"{100 * seconds / whole:.0f} %")
    console.print(table)


def _run(engine: str, folder: Path, rows: int, trees: int) -> dict[str, float]:
    if engine == "model":
        _model(folder, rows, trees)
        return {}
    if engine == "parts":
        return _parts(folder)
    make, kind = ENGINES[engine]
    order = "F" if engine == "kernel" else "C"  # the encoder makes "F"; the other engines are faster row by row
    matrix = np.load(folder / "matrix.npy").astype(kind, order=order, copy=False)
    started = perf_counter()
    predict = make(folder)
    predict(matrix[:1000])
    ready = perf_counter() - started
    seconds, found = _fastest(lambda: predict(matrix))
    np.save(folder / f"{engine}.npy", found)
    return {"seconds": seconds, "ready": ready, "peak_mb": measuring.peak_mb()}


def _model(folder: Path, rows: int, trees: int) -> None:
    """Make the features of simulated declarations, and a model each of whose heads has so many trees."""
    from features.facts.asof import outcome_versions
    from features.facts.kinds import build
    from features.history.history import History
    from features.matrix.matrix import CATALOGUE, compute, with_labels
    from features.simulator import Parameters, simulate
    from features.simulator import build as tables
    from models.policy import load
    from models.risk import boosting, critical, revenue
    from models.risk.calibration import calibrate
    from models.risk.encoder import Encoder
    from models.risk.revenue import Hits, RevenueModel
    from models.risk.risk_model import RiskModel
    from models.training.splits import labelled

    delay, seed = load().features.label_delay_days, 1
    made = tables(simulate(Parameters(rows=rows, seed=seed)), seed)
    declarations, outcomes = (table.drop("arrives").lazy() for table in (made.declarations, made.outcomes))
    matrix = compute(History(build(declarations, declarations.clear(), outcomes, outcomes.clear(), delay)))
    latest = matrix["accepted_at"].dt.date().to_list()[-1] + timedelta(days=365)
    frame = with_labels(matrix.lazy(), outcome_versions(outcomes, outcomes.clear(), delay), latest).collect()
    known = labelled(frame)
    encoder = Encoder.fit(known, CATALOGUE)
    encoded, target = encoder.encode(known), known["is_illicit"].to_numpy().astype(np.float64)
    learned = boosting.Rows(encoded, target)
    illicit = boosting.fit_rounds(boosting.ILLICIT, boosting.PARAMETERS, seed, encoder, learned, trees)
    calibration = calibrate(boosting.predict(illicit, encoded), target > 0)
    RiskModel(
        encoder=encoder,
        illicit=illicit,
        calibration=calibration,
        revenue=revenue.refit(encoder, Hits.of(known), seed, trees, RevenueModel("line", rate=1.0, floor=0.0)),
        critical=critical.refit(encoder, critical.rows_of(known, encoded), target, seed, trees, calibration),
        critical_probability=load().targeting.critical_probability,
        hit_value=0.0,
        training={},
    ).save(folder / "model")
    frame.write_parquet(folder / "features.parquet")
    np.save(folder / "matrix.npy", encoder.encode(frame))


def _parts(folder: Path) -> dict[str, float]:
    """Return the seconds of a whole model's `predict`, and of its parts."""
    import polars as pl

    from models.risk import boosting
    from models.risk.risk_model import RiskModel

    frame, model = pl.read_parquet(folder / "features.parquet"), RiskModel.load(folder / "model")
    model.predict(frame)  # compiles the kernel
    # First with LightGBM alone.
    many, boosting.MANY_ROWS = boosting.MANY_ROWS, frame.height + 1
    by_lightgbm, _ = _fastest(lambda: model.predict(frame))
    boosting.MANY_ROWS = many
    seconds = {"whole": _fastest(lambda: model.predict(frame))[0]}
    seconds["encoder"], matrix = _fastest(lambda: model.encoder.encode(frame))
    boosters = {"illicit": model.illicit, "revenue": model.revenue.booster, "critical": model.critical.booster}
    for name, booster in boosters.items():
        assert booster is not None
        seconds[name], _ = _fastest(lambda booster=booster: boosting.predict(booster, matrix))
    seconds["calibration and the rest"] = 2 * seconds["whole"] - sum(seconds.values())
    return seconds | {"whole, by LightGBM": by_lightgbm}


def _fastest(work):
    """Return the seconds of the fastest run, and its result."""
    times = []
    for _ in range(REPEATS):
        started = perf_counter()
        found = work()
        times.append(perf_counter() - started)
    return min(times), found


def _booster(folder: Path):
    import lightgbm

    return lightgbm.Booster(model_file=folder / "model" / "illicit.txt")


def _can_run(engine: str) -> bool:
    return engine != "lleaves" and (engine != "tl2cgen" or which("gcc") is not None)


if __name__ == "__main__":
    main()
