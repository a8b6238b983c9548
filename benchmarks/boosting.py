"""Settings of LightGBM that might be faster: how long each takes, and what it does to average precision.

Run by `make bench-large`. It trains the illicit head alone, on the labelled rows of simulated declarations, and judges
it on the test part. The difference to the settings as they stand is by paired bootstrap: the same drawn rows for both.
A setting with which LightGBM fails is reported as such. Compare figures only within one run.
"""

import argparse
import json
import tempfile
from pathlib import Path
from time import perf_counter

import lightgbm as lgb
import measuring
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table
from sklearn.metrics import average_precision_score

ROWS, RESAMPLES = 4_000_000, 200
QUANTISED = {"use_quantized_grad": True, "quant_train_renew_leaf": True}
SETTINGS = {
    "as they stand": {},
    "quantised, 4 bins": QUANTISED,
    "quantised, 16 bins": {**QUANTISED, "num_grad_quant_bins": 16},
    "quantised, 16 bins, rounded": {**QUANTISED, "num_grad_quant_bins": 16, "stochastic_rounding": False},
    "column-wise histograms": {"force_row_wise": False, "force_col_wise": True},
    "63 bins": {"max_bin": 63},
    "a quarter of the features a tree": {"feature_fraction": 0.25},
    "twice the learning rate": {"learning_rate": 0.1},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--setting", choices=("store", *SETTINGS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.setting:
        print(json.dumps(_run(given.folder, given.setting, given.rows)))
        return
    console, results = Console(), {}
    with tempfile.TemporaryDirectory(prefix="tidewaiter-bench-") as folder:
        for name in ("store", *SETTINGS):
            console.print(name)
            results[name] = measuring.apart(__file__, "--setting", name, "--folder", folder, "--rows", given.rows)
        is_hit = np.load(Path(folder) / "is_hit.npy")
        base = np.load(Path(folder) / "as they stand.npy")
        for name in SETTINGS:
            if "failure" not in results[name]:
                results[name] |= _compared(is_hit, np.load(Path(folder) / f"{name}.npy"), base)
    table = Table("setting", "seconds", "rounds", "average precision", "difference, 95 %", title=f"{given.rows:,} rows")
    for name in SETTINGS:
        table.add_row(name, *_told(results[name]))
    console.print(table)
    measuring.save("boosting", ("lightgbm", "numpy"), rows=given.rows, settings=results)


def _run(folder: Path, name: str, rows: int) -> dict[str, object]:
    if name == "store":
        return _prepare(folder, rows)
    from models.risk import boosting

    given = {part: np.load(folder / f"{part}.npy") for part in ("train", "validation", "test")}
    target = {part: np.load(folder / f"{part} target.npy") for part in ("train", "validation")}
    learned = json.loads((folder / "encoder.json").read_text())
    parameters = {**boosting._FIXED, **boosting.PARAMETERS, **boosting.ILLICIT, "seed": 1, **SETTINGS[name]}
    dataset = lgb.Dataset(given["train"], target["train"], params=parameters, **learned)
    judge = dataset.create_valid(given["validation"], target["validation"])
    began = perf_counter()
    try:
        booster = lgb.train(
            parameters,
            dataset,
            num_boost_round=400,
            valid_sets=[judge],
            callbacks=[lgb.early_stopping(40, verbose=False)],
        )
    except lgb.basic.LightGBMError as error:
        return {"failure": str(error)}
    seconds = perf_counter() - began
    np.save(folder / f"{name}.npy", booster.predict(given["test"]))
    return {"seconds": seconds, "rounds": booster.best_iteration, "peak_mb": measuring.peak_mb()}


def _prepare(folder: Path, rows: int) -> dict[str, object]:
    from features.ingestion.batches import ingest
    from features.matrix import cache
    from features.matrix.matrix import CATALOGUE
    from features.simulator import Parameters
    from features.sources.simulator import SimulatorSource
    from features.store.store import Store
    from models.policy import load
    from models.risk.encoder import Encoder
    from models.training.splits import split_by_time

    policy, store = load(), Store(folder / "data" / "simulator")
    ingest(SimulatorSource(Parameters(rows=rows), folder / "simulated"), store, policy.ingestion)
    delay = policy.features.label_delay_days
    built = cache.build(store, delay, folder / "cache")
    split = split_by_time(
        cache.dataset(store, built, delay, cache.last_known_day(store, delay)), policy.training, delay
    )
    encoder = Encoder.fit(split.train, CATALOGUE)
    for name, part in (("train", split.train), ("validation", split.validation), ("test", split.test)):
        np.save(folder / f"{name}.npy", encoder.encode(part))
        np.save(folder / f"{name} target.npy", part["is_illicit"].cast(pl.Float64).to_numpy())
    np.save(folder / "is_hit.npy", split.test["is_illicit"].to_numpy().astype(np.bool_))
    learned = {"feature_name": list(encoder.names), "categorical_feature": encoder.categorical}
    (folder / "encoder.json").write_text(json.dumps(learned))
    return {name: getattr(split, name).height for name in ("train", "validation", "test")}


def _compared(is_hit: np.ndarray, scores: np.ndarray, base: np.ndarray) -> dict[str, object]:
    rng = np.random.default_rng(0)
    drawn = (rng.integers(0, len(is_hit), len(is_hit)) for _ in range(RESAMPLES))
    gains = [
        average_precision_score(is_hit[rows], scores[rows]) - average_precision_score(is_hit[rows], base[rows])
        for rows in drawn
    ]
    low, high = np.quantile(gains, [0.025, 0.975])
    return {
        "average_precision": float(average_precision_score(is_hit, scores)),
        "difference": [float(low), float(high)],
    }


def _told(found: dict) -> tuple[str, ...]:
    if "failure" in found:
        return "LightGBM fails", "", "", ""
    low, high = found["difference"]
    return (
        f"{found['seconds']:.0f}",
        str(found["rounds"]),
        f"{found['average_precision']:.4f}",
        f"{low:+.4f} to {high:+.4f}",
    )


if __name__ == "__main__":
    main()
