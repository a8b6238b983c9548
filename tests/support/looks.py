"""Items that were judged twice, for tests."""

from collections.abc import Iterable
from datetime import datetime

import numpy as np
import polars as pl

from models.detection import looks

AT = datetime(2024, 5, 2, 14)
MISSED, FOUND, NEITHER, ACCUSED = ("", "origin"), ("origin", "origin"), ("", ""), ("origin", "")


def rows(found: Iterable[tuple[str, str]], begins: str = "D", **told: object) -> pl.DataFrame:
    """Return a declaration of one item for each pair of what the two looks found; `told` are other columns."""
    of_all = {"item_number": 1, "office": "010", "lane": "red", "counts": None, "known_at": AT} | told
    given = [
        {"declaration_id": f"{begins}{place}", "first_kinds": first, "second_kinds": second} | of_all
        for place, (first, second) in enumerate(found)
    ]
    return pl.DataFrame(given, schema=looks.SCHEMA)


def drawn(rng: np.random.Generator, count: int, detects: float, illicit: float = 0.4) -> list[tuple[str, str]]:
    """Return what two independent looks find of so many items, each look the share `detects` of what is there."""
    is_there = rng.random(count) < illicit
    first, second = (is_there & (rng.random(count) < detects) for _ in range(2))
    return [("origin" if one else "", "origin" if two else "") for one, two in zip(first, second, strict=True)]
