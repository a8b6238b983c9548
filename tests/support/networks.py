"""A small network of companies, built from a store: one that was caught, one that came back, and a busy declarant.

I-OLD was caught in 2023-09 and fell silent. I-NEW began in 2024-02 with its seller and its director, Mara Quay, and
both match by their names and telephones. I-BACK names I-OLD as its predecessor. D-BUSY declared for everyone, also for
`crowd` honest importers, of whom only every third was inspected. I-OLD and I-SHARE once had goods in one container.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from features.network_map import build
from features.network_map.build import Description
from features.store.store import Store
from tests.support.stores import put

DELAY = 7
FIRST, CAUGHT_ON, NEW_SINCE = datetime(2023, 6, 5, 9), datetime(2023, 9, 12, 15), datetime(2024, 2, 6, 9)
WEEKS = 46
CONTAINER = "MSCU1234566"


def stored(folder: Path, crowd: int = 30) -> Store:
    """Return a store in `folder`/data/files."""
    store = Store(folder / "data" / "files")
    rows = list(_declarations(crowd))
    put(store, "declarations", rows)
    put(store, "outcomes", [_found(row, row["importer_id"] == "I-OLD") for row in rows if _is_inspected(row)])
    put(store, "register", list(_entries()))
    return store


def network(folder: Path, crowd: int = 30) -> Description:
    """Build the network in `folder`/networks/files, of a store in `folder`/data/files."""
    store = stored(folder, crowd)
    return build.build(store, DELAY, folder / "features", folder / "networks" / "files", "0123abcd.dir")


def _declarations(crowd: int) -> Iterator[dict[str, Any]]:
    for week in range(12):
        box = {"container_id": CONTAINER} if week == 1 else {}
        yield declared(f"OLD-{week}", FIRST + timedelta(weeks=week), "I-OLD", "S-FAR", "D-BUSY", 12_000.0, **box)
    yield declared("SHARE-1", FIRST + timedelta(weeks=1), "I-SHARE", "S-NEAR", "D-BUSY", 900.0, container_id=CONTAINER)
    for week in range(6):
        yield declared(f"NEW-{week}", NEW_SINCE + timedelta(weeks=week), "I-NEW", "S-FAR", "D-SMALL", 7_500.0)
    yield declared("BACK-1", NEW_SINCE, "I-BACK", "S-NEAR", "D-BUSY", 300.0)
    for number in range(crowd):
        at = FIRST + timedelta(weeks=number % WEEKS, hours=number % 5)
        yield declared(f"C-{number}", at, f"I-{number:04}", f"S-{number % 400:03}", "D-BUSY", 100.0 + number)


def declared(
    name: str, at: datetime, importer: str, seller: str, declarant: str, value: float, **more: str
) -> dict[str, Any]:
    """Return a row of declarations."""
    parties = {"importer_id": importer, "seller_id": seller, "declarant_id": declarant}
    return {"declaration_id": name, "accepted_at": at, "item_value": value, **parties, **more}


def _is_inspected(row: dict[str, Any]) -> bool:
    name, _, number = row["declaration_id"].partition("-")
    return row["declaration_id"] == "OLD-2" or (name == "C" and int(number) % 3 == 0)


def _found(row: dict[str, Any], is_illicit: bool) -> dict[str, Any]:
    own = {name: row[name] for name in ("declaration_id", "accepted_at")}
    known = CAUGHT_ON if is_illicit else row["accepted_at"] + timedelta(days=2)
    return own | {"is_illicit": is_illicit, "recovered_revenue": 4_000.0 * is_illicit, "known_at": known}


def _entries() -> Iterator[dict[str, Any]]:
    told = [
        ("I-OLD", "name", "Norvale Textiles Ltd", FIRST),
        ("I-OLD", "phone", "+99 4021 7788", FIRST),
        ("I-OLD", "person", "Mara Quay", FIRST),
        ("I-NEW", "name", "NORVALE TEXTILES LIMITED", NEW_SINCE),
        ("I-NEW", "phone", "0099 40217788", NEW_SINCE),
        ("I-NEW", "person", "Mara Quay", NEW_SINCE),
        ("I-BACK", "predecessor", "I-OLD", NEW_SINCE),
        ("I-SHARE", "name", "=Étoile & Fils <b>SARL</b>", FIRST),
    ]
    for number, (party, attribute, value, at) in enumerate(told):
        yield {
            "entry_id": f"R{number}",
            "recorded_at": at,
            "party_id": party,
            "attribute": attribute,
            "value": value,
        }
