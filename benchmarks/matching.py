"""Whether companies of one owner are found in simulated registers: precision, recall, seconds and peak memory.

    python benchmarks/matching.py            # measures, on worlds of other seeds than the one trained on
    python benchmarks/matching.py --train    # estimates the probabilities of features/network/matching.json again

A pair is right if one owner stands behind both companies. Recall is given in three ways: of all pairs of one owner, of
those that share a value in the register on the last day, and of those that share two, the least with which a pair can
match. Shares are means over worlds, with Student's t interval (worlds.py); a size with one world has none.
"""

import argparse
import json
from collections.abc import Sequence
from time import perf_counter
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import duckdb
import numpy as np
import polars as pl
from splink import DuckDBAPI, Linker

from benchmarks import kept, measuring
from benchmarks.kept import FOLDER
from benchmarks.worlds import WORLDS, between, interval
from features.contract import FILING
from features.facts.kinds import days
from features.network import entries, matching
from features.simulator import Parameters, names, phoenix, simulate
from features.simulator.draws import stream
from features.simulator.entities import found_importers
from features.simulator.register import entries as simulated_entries
from features.simulator.register import owners

TRAINED = 7  # seed
MEASURED = {50_000: WORLDS, 1_000_000: WORLDS[:1]}
ITEMS_PER_COMPANY = 18
SIMULATED = 100_000  # larger worlds are made up without declarations, so none of their companies rises again
THRESHOLDS = (0.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)
KEYS = ("name_key", "address_key", "person_key", "phone", "bank_account")
SHARING = {"all": 0, "a value shared": 1, "two shared": 2}
SHARES = ("precision", *(f"recall, {sharing}" for sharing in SHARING), "F1")
# However rare a value is in the simulation, a shared office, an agent or a slip of the pen may give it to strangers.
LEAST_U, DIGITS = 1e-6, 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--world", nargs=2, type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.train:
        _train(_world(min(MEASURED), TRAINED))
    elif given.world:
        print(json.dumps(_measured(_world(*given.world))))
    else:
        _measure()


def _measure() -> None:
    file, sizes = FOLDER / "matching.jsonl", {}
    found = {(each["asked"], each["world"]): each for each in kept.read(file)}
    with kept.adding(file) as add:
        for asked in [(companies, seed) for companies, seeds in MEASURED.items() for seed in seeds]:
            if asked not in found:
                of_world = measuring.apart(__file__, "--world", *asked)
                found[asked] = {"asked": asked[0], "world": asked[1], "commit": kept.commit()} | of_world
                add(found[asked])
    for companies, seeds in MEASURED.items():
        by_world = [found[companies, seed] for seed in seeds]
        thresholds = over_worlds([each["thresholds"] for each in by_world])
        sizes[companies] = {"by_world": by_world, "thresholds": thresholds}
        print(table(by_world, thresholds))
    measuring.save("matching", ("splink", "duckdb", "polars"), sizes=sizes)


def over_worlds(found: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return for each threshold the matches of each world, and the mean of each share with its interval over worlds."""
    told = []
    for rows in zip(*found, strict=True):
        shares = {share: [row[share] for row in rows] for share in SHARES}
        told.append(
            {"weight": rows[0]["weight"], "matches": [row["matches"] for row in rows]}
            | {name: interval(each) if len(each) > 1 else {"mean": each[0]} for name, each in shares.items()}
        )
    return told


def table(by_world: Sequence[dict[str, Any]], thresholds: Sequence[dict[str, Any]]) -> str:
    """Return a Markdown table of `over_worlds`, under a line for each world."""
    lines = []
    for each in by_world:
        cost = f"{each['seconds']:.0f} s, peak {each['peak_mb']:,.0f} MB"
        lines.append(
            f"world {each['world']}: {each['companies']:,} companies, {each['pairs']} pairs of one owner, {cost}"
        )
    heads = ("weight", "matches", *SHARES)
    lines += ["", f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for row in thresholds:
        cells = (f"{row['weight']:.0f}", f"{sum(row['matches']):,}", *(_cell(row[share]) for share in SHARES))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(share: dict[str, float]) -> str:
    return f"{share['mean']:.3f}" + (f" ({between(share['low'], share['high'], '.3f')})" if "low" in share else "")


def _world(companies: int, seed: int) -> SimpleNamespace:
    """Return the tables of a register, its last day, and the owner of each company."""
    parameters = Parameters(rows=min(companies, SIMULATED) * ITEMS_PER_COMPANY, seed=seed)
    if companies <= SIMULATED:
        world = simulate(parameters)
    else:
        firsts = parameters.first_days()
        until = np.array([(first - firsts[0]).days for first in firsts], np.int64)
        rows = companies * ITEMS_PER_COMPANY
        world = SimpleNamespace(
            importers=found_importers(stream(seed, 6), rows, int(until[-1]), 1),
            traffic=SimpleNamespace(count=rows),
            start=parameters.start,
            month_starts=until,
            register=phoenix.nobody(),
        )
    rows, owner = simulated_entries(world, seed).drop("arrives"), owners(world, seed)
    key, placed = FILING["register"].key, "recorded_at"
    current = rows.sort(placed).unique(key, keep="last", maintain_order=True)
    importers = pl.DataFrame({"party_id": names.party("I", np.arange(len(owner))), "owner": owner})
    return SimpleNamespace(
        tables=(current.lazy(), rows.join(current, on=(*key, placed), how="anti").lazy()),
        day=rows.select(days(pl.col(placed).dt.date()).max() + 1).item(),
        owners=importers.with_columns(party_role=pl.lit("importer")),
    )


def _last(world: SimpleNamespace) -> pl.DataFrame:
    """Return the states on the last day, with `owner`; declarants have owners of their own, below 0."""
    states = matching.states(entries.read(*world.tables)).filter(
        pl.col("enter") <= world.day, pl.col("leave") > world.day
    )
    named = states.join(world.owners, on=("party_role", "party_id"), how="left", maintain_order="left")
    return named.with_columns(pl.col("owner").fill_null(-1 - pl.int_range(pl.len())))


def _pairs(states: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of companies of one owner, and how many of `KEYS` they share."""
    several = states.filter(pl.len().over("owner") > 1).select("party_role", "party_id", "owner", *KEYS)
    pairs = several.join(several, on="owner").filter(pl.col("party_id") < pl.col("party_id_right"))
    return pairs.with_columns(shared=pl.sum_horizontal((pl.col(key) == pl.col(f"{key}_right")) for key in KEYS))


def _measured(world: SimpleNamespace) -> dict:
    started = perf_counter()
    matching.states(entries.read(*world.tables))
    states_seconds = perf_counter() - started
    with patch.object(matching, "MATCH", THRESHOLDS[0]):
        started = perf_counter()
        found = matching.matches(entries.read(*world.tables))
        seconds = perf_counter() - started
    peak_mb = measuring.peak_mb()
    states = _last(world)
    pairs, owner = _pairs(states), states.select("party_role", "party_id", "owner")
    held = found.filter(pl.col("enter") <= world.day, pl.col("leave").is_null() | (pl.col("leave") > world.day))
    for side in ("a", "b"):
        of_side = owner.rename({"party_role": f"role_{side}", "party_id": f"party_{side}", "owner": f"owner_{side}"})
        held = held.join(of_side, on=(f"role_{side}", f"party_{side}"))
    sizes = {name: pairs.filter(pl.col("shared") >= least).height for name, least in SHARING.items()}
    rows = []
    for weight in THRESHOLDS:
        matched = held.filter(pl.col("weight") >= weight)
        right = matched.filter(pl.col("owner_a") == pl.col("owner_b")).height
        precision, f1 = right / max(matched.height, 1), 2 * right / (matched.height + sizes["all"])
        shares = dict(zip(SHARES, (precision, *(right / size for size in sizes.values()), f1), strict=True))
        rows.append({"weight": weight, "matches": matched.height} | shares)
    return {
        "companies": owner.height,
        "states_seconds": states_seconds,
        "seconds": seconds,
        "peak_mb": peak_mb,
        "pairs": sizes,
        "thresholds": rows,
    }


def _train(world: SimpleNamespace) -> None:
    states = _last(world).with_row_index("unique_id")
    linker = Linker(DuckDBAPI(duckdb.connect()).register(states.to_arrow()), matching.PARAMETERS_FILE, log_level=None)
    linker.training.estimate_m_from_label_column("owner")
    linker.training.estimate_u_using_random_sampling(max_pairs=1e8, seed=TRAINED, min_count_per_level=None)
    learned, model = linker.misc.save_model_to_json(), json.loads(matching.PARAMETERS_FILE.read_text())
    prior = _pairs(states).height / (states.height * (states.height - 1) / 2)
    model["probability_two_random_records_match"] = _short(prior)
    for comparison, told in zip(model["comparisons"], learned["comparisons"], strict=True):
        for level, of_level in zip(comparison["comparison_levels"], told["comparison_levels"], strict=True):
            if not level.get("is_null_level"):
                level["m_probability"] = _short(of_level["m_probability"])
                level["u_probability"] = _short(max(of_level["u_probability"], LEAST_U))
    matching.PARAMETERS_FILE.write_text(json.dumps(model, indent=1) + "\n")


def _short(probability: float) -> float:
    return float(f"{probability:.{DIGITS}g}")


if __name__ == "__main__":
    main()
