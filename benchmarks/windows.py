"""Twelve history features by this product's kernel, Polars, DuckDB and pandas, and the whole catalogue, in one run.

Run by `make bench`. The features are count and value of an entity's declarations on the 30, 90 and 365 days before a
declaration's day, for importers and for goods by origin. Each engine runs in a process of its own, so that its peak
memory is its own. It reads the declarations from the disk, which is not counted, and must give the same numbers. The
limit is the cost of sorting the keys and of one pass over the result, without any feature. Compare figures only within
one run.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import measuring
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

WINDOWS = (30, 90, 365)
ENTITIES = {"importer": ("importer_id",), "goods": ("hs6", "origin_country")}
NAMES = tuple(f"{entity}_{what}_{days}d" for entity in ENTITIES for days in WINDOWS for what in ("count", "value"))
HISTORY_FAMILIES = ("price", "entities", "encodings")


def kernel(rows: pl.DataFrame) -> pl.DataFrame:
    from features.facts.windows import Days, Facts, Queries, window_sums

    day = rows["day"].to_numpy().astype(np.int64)
    measures = np.column_stack([np.ones(rows.height, np.int64), rows["value"].to_numpy()])
    asked, enter, leave = Days(day), Days(day + 1), {days: Days(day + days + 1) for days in WINDOWS}

    def record_of(entity: str) -> dict[str, np.ndarray]:
        code = rows[entity].to_numpy().astype(np.int64)
        queries = Queries(code, asked)
        columns = {}
        for days in WINDOWS:
            sums = window_sums(Facts(code, enter, leave[days]), measures, queries)
            columns |= {f"{entity}_count_{days}d": sums[:, 0], f"{entity}_value_{days}d": sums[:, 1]}
        return columns

    with ThreadPoolExecutor() as pool:
        return pl.DataFrame({k: v for record in pool.map(record_of, ENTITIES) for k, v in record.items()})


def polars(rows: pl.DataFrame) -> pl.DataFrame:
    numbered = rows.with_row_index("row").with_columns(one=pl.lit(1, pl.Int64))
    return (
        numbered.sort("day", maintain_order=True)
        .select(
            "row",
            *(
                pl.col(column)
                .rolling_sum_by("day", window_size=f"{days}i", closed="left")
                .over(entity)
                .alias(f"{entity}_{what}_{days}d")
                for entity in ENTITIES
                for days in WINDOWS
                for what, column in (("count", "one"), ("value", "value"))
            ),
        )
        .sort("row")
        .drop("row")
    )


def duckdb(rows: pl.DataFrame) -> pl.DataFrame:
    import duckdb

    table = rows.with_row_index("row").to_arrow()
    parts = ", ".join(
        f"{function} OVER (PARTITION BY {entity} ORDER BY day RANGE BETWEEN {days} PRECEDING AND 1 PRECEDING) "
        f"AS {entity}_{what}_{days}d"
        for entity in ENTITIES
        for days in WINDOWS
        for what, function in (("count", "count(*)"), ("value", "sum(value)"))
    )
    with duckdb.connect() as connection:
        connection.register("declarations", table)
        return connection.sql(f"SELECT row, {parts} FROM declarations ORDER BY row").pl().drop("row")


def pandas(rows: pl.DataFrame) -> pl.DataFrame:
    """Compute by day, because rolling windows of pandas tell rows of one day apart; then join the sums to the rows."""
    import pandas as pd

    frame = rows.to_pandas()
    frame["at"] = pd.Timestamp("1970-01-01") + pd.to_timedelta(frame["day"], unit="D")
    columns = {}
    for entity in ENTITIES:
        daily = frame.groupby([entity, "at"]).agg(count=("value", "size"), value=("value", "sum")).reset_index("at")
        for days in WINDOWS:
            rolled = daily.groupby(level=0).rolling(f"{days}D", on="at", closed="left")[["count", "value"]].sum()
            sums = frame[[entity, "at"]].merge(rolled.reset_index(), how="left", on=[entity, "at"])
            columns |= {f"{entity}_count_{days}d": sums["count"], f"{entity}_value_{days}d": sums["value"]}
    return pl.DataFrame({name: pl.Series(values.to_numpy()) for name, values in columns.items()})


def limit(rows: pl.DataFrame) -> pl.DataFrame:
    """Do the least that any engine does: one sort by entity and day, and one pass over the rows in that order."""
    columns = {}
    for entity in ENTITIES:
        order = np.argsort((rows[entity].to_numpy().astype(np.int64) << 23) | rows["day"].to_numpy(), kind="stable")
        columns[entity] = np.cumsum(rows["value"].to_numpy()[order])
    return pl.DataFrame(columns)


ENGINES: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "kernel": kernel,
    "polars": polars,
    "duckdb": duckdb,
    "pandas": pandas,
    "limit": limit,
}


def catalogue(rows: int, seed: int) -> tuple[int, float]:
    """Return how many values the families that look into the past compute, and the seconds that they take."""
    from features.facts.kinds import build
    from features.families import FAMILIES
    from features.history.history import History
    from features.simulator import Parameters, simulate
    from features.simulator import build as tables

    made = tables(simulate(Parameters(rows=rows, seed=seed)), seed)
    declarations, outcomes = (table.drop("arrives").lazy() for table in (made.declarations, made.outcomes))
    past = History(build(declarations, declarations.clear(), outcomes, outcomes.clear(), 7))
    started, values = perf_counter(), 0
    for family in FAMILIES:
        if family.NAME in HISTORY_FAMILIES:
            values += family.compute(past).width * past.rows.height
    return values, perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--engine", choices=("declarations", *ENGINES, "catalogue"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.engine:
        print(json.dumps(_run(given.engine, given.folder, given.rows)))
        return
    console, results = Console(), {}
    with tempfile.TemporaryDirectory(prefix="tidewaiter-bench-") as folder:
        for engine in ("declarations", *ENGINES, "catalogue"):
            results[engine] = measuring.apart(__file__, "--engine", engine, "--folder", folder, "--rows", given.rows)
        _check(Path(folder))
    del results["declarations"]
    kernel_rate = results["kernel"]["values_per_second"]
    table = Table("engine", "values/s", "of the kernel's", "seconds", "peak MB", title=f"{given.rows:,} declarations")
    for engine, found in results.items():
        found["of_kernel"] = found["values_per_second"] / kernel_rate
        table.add_row(
            engine,
            f"{found['values_per_second']:,.0f}",
            f"{found['of_kernel']:.2f}",
            f"{found['seconds']:.2f}",
            f"{found['peak_mb']:,.0f}",
        )
    console.print(table)
    measuring.save("windows", ("polars", "duckdb", "pandas", "numpy", "numba"), rows=given.rows, engines=results)


def _run(engine: str, folder: Path, rows: int) -> dict[str, float]:
    if engine == "declarations":
        _declarations(rows).write_parquet(folder / "rows.parquet")
        return {}
    if engine == "catalogue":
        catalogue(2_000, seed=1)  # compiles the kernels
        values, seconds = catalogue(rows, seed=1)
    else:
        given = pl.read_parquet(folder / "rows.parquet")
        compute = ENGINES[engine]
        compute(given.head(1000))
        started = perf_counter()
        found = compute(given)
        seconds, values = perf_counter() - started, len(NAMES) * rows
        found.write_parquet(folder / f"{engine}.parquet")
    return {"seconds": seconds, "values_per_second": values / seconds, "peak_mb": measuring.peak_mb()}


def _declarations(rows: int) -> pl.DataFrame:
    """Return day, value in whole units, and a number for each entity, in order of acceptance."""
    from features.facts.kinds import DERIVED
    from features.simulator import Parameters, build, simulate

    made = build(simulate(Parameters(rows=rows, seed=1)), 1).declarations.sort("accepted_at").with_columns(**DERIVED)
    return made.select(
        day=pl.col("accepted_at").dt.date().to_physical().cast(pl.Int64),
        value=pl.col("item_value").round().cast(pl.Int64),
        **{name: pl.struct(by).rank("dense").cast(pl.Int64) - 1 for name, by in ENTITIES.items()},
    )


def _check(folder: Path) -> None:
    """Raise AssertionError unless every engine's numbers are the kernel's."""
    expected = pl.read_parquet(folder / "kernel.parquet").select(NAMES)
    for engine in ENGINES:
        if engine in ("kernel", "limit"):
            continue
        found = pl.read_parquet(folder / f"{engine}.parquet").select(
            pl.col(NAMES).cast(pl.Float64).fill_null(0).fill_nan(0)
        )
        if not found.equals(expected.cast(pl.Float64)):
            raise AssertionError(f"{engine} gives other numbers than the kernel")


if __name__ == "__main__":
    main()
