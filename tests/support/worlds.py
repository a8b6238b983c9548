"""Small random worlds for Hypothesis: declarations, outcomes and register entries, and the corrections to them."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

import polars as pl
from hypothesis import strategies as st

from features.contract import FILING
from features.facts import kinds
from features.facts.kinds import Known
from features.network import entries, ties
from tests.support.declarations import frame

START = datetime(2023, 1, 1)
LABEL_DELAY_DAYS = 7
SPAN_DAYS = 1300  # longer than the look-back, so that some things fall out of it
_COMPANIES = ("predecessor", "parent")


@dataclass(frozen=True)
class World:
    """Declarations, outcomes and register entries, with the versions that corrections replaced."""

    declarations: tuple[dict[str, Any], ...]
    older_declarations: tuple[dict[str, Any], ...]
    outcomes: tuple[dict[str, Any], ...]
    older_outcomes: tuple[dict[str, Any], ...]
    register: tuple[dict[str, Any], ...] = ()
    older_register: tuple[dict[str, Any], ...] = ()

    def known(self) -> Known:
        """Return all facts of the world."""
        tables = (self.declarations, self.older_declarations, self.outcomes, self.older_outcomes)
        names = ("declarations", "declarations", "outcomes", "outcomes")
        frames = [frame(name, list(rows)).lazy() for name, rows in zip(names, tables, strict=True)]
        return replace(kinds.build(*frames, label_delay_days=LABEL_DELAY_DAYS), told=ties.shared(self.entries()))

    def entries(self) -> pl.DataFrame:
        """Return what its registers told."""
        return entries.read(*(frame("register", list(rows)).lazy() for rows in (self.register, self.older_register)))

    def with_later(self, later: "World") -> "World":
        """Return this world together with what another one learned."""
        return World(
            self.declarations + later.declarations,
            self.older_declarations,
            self.outcomes + later.outcomes,
            self.older_outcomes,
            self.register + later.register,
            self.older_register,
        )


def _day(number: int, hour: int = 9) -> datetime:
    return START + timedelta(days=number, hours=hour)


days = st.integers(0, SPAN_DAYS) | st.integers(0, 400) | st.integers(0, 40)
one_of = st.sampled_from


@st.composite
def declarations(draw: st.DrawFn, name: str, accepted: int | None = None) -> dict[str, Any]:
    return {
        "declaration_id": name,
        "accepted_at": _day(draw(days) if accepted is None else accepted, draw(st.integers(0, 23))),
        "importer_id": draw(one_of(["I1", "I2"])),
        "seller_id": draw(one_of(["S1", "S2", None])),
        "courier_id": draw(one_of(["C1", None, None])),
        "declarant_id": draw(one_of(["B1", "B2"])),
        "office": draw(one_of(["10", "20"])),
        "hs_code": draw(one_of(["090121", "0901219000", "851712"])),
        "origin_country": draw(one_of(["BR", "CN"])),
        "departure_country": draw(one_of(["BR", "SG"])),
        "net_mass_kg": draw(one_of([0.0, 1.0, 10.0, 12.5])),
        "item_value": draw(one_of([0.0, 5.0, 49.9, 100.0, 700.0, 1e9])),
        "tax_rate_pct": draw(one_of([0.0, 8.0, 13.0])),
        "quantity": draw(one_of([None, 0.0, 1.0, 4.0])),
        "quantity_unit": draw(one_of(["H87", "H87", "PR", None])),
    }


@st.composite
def worlds(draw: st.DrawFn) -> World:
    current, older, found, found_older = [], [], [], []
    for n in range(draw(st.integers(1, 14))):
        name = f"D{n}"
        first = draw(declarations(name))
        accepted = (first["accepted_at"] - START).days
        if draw(st.booleans()) and draw(st.booleans()):  # a correction, recorded some days on
            second = draw(declarations(name, accepted)) | {"accepted_at": first["accepted_at"]}
            current.append(second | {"recorded_at": _day(accepted + draw(st.integers(0, 60)), 23)})
            older.append(first)
        else:
            late = draw(one_of([None, None, 0, 3, 30]))
            current.append(first | {"recorded_at": None if late is None else _day(accepted + late, 23)})
        if draw(st.booleans()):
            outcome = _outcome(draw, first, accepted, draw(st.integers(0, 60)))
            if draw(st.booleans()) and draw(st.booleans()):  # the finding was revised later
                revised = _outcome(draw, first, accepted, draw(st.integers(61, 120)))
                found_older.append(outcome)
                outcome = revised
            found.append(outcome)
    return World(tuple(current), tuple(older), tuple(found), tuple(found_older), *_entries(draw))


def _entries(draw: st.DrawFn) -> tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]:
    """Return the entries of a register, and the versions that later ones have replaced."""
    current, older = [], []
    for n in range(draw(st.integers(0, 8))):
        attribute = draw(one_of(["person", "phone", "predecessor", "name", "owner", "parent"]))
        recorded = draw(days)
        entry = {
            "entry_id": f"R{n}",
            "recorded_at": _day(recorded, draw(st.integers(0, 23))),
            "party_role": draw(one_of(["importer", "importer", "declarant"])),
            "party_id": draw(one_of(["I1", "I2", "I3", "B1"])),
            "attribute": attribute,
            "value": draw(one_of(["I1", "I3"] if attribute in _COMPANIES else ["Anna", "ANNA.", "Wei", "n/a"])),
            "ends_at": draw(one_of([None, None, _day(recorded + draw(st.integers(0, 300)), 0)])),
        }
        if draw(st.booleans()) and draw(st.booleans()):
            older.append(entry)
            entry = entry | {
                "recorded_at": _day(recorded + draw(st.integers(1, 200)), 23),
                "ends_at": draw(one_of([None, _day(recorded, 0)])),
            }
        current.append(entry)
        if attribute in ("owner", "parent") and draw(st.booleans()):
            known = _day(recorded + draw(st.integers(-50, 200)), 12)
            share = {"attribute": "share", "value": draw(one_of(["0", "10-25", "60"])), "recorded_at": known}
            current.append(entry | share | {"ends_at": draw(one_of([None, _day(recorded + 100, 0)]))})
    return tuple(current), tuple(older)


def _outcome(draw: st.DrawFn, declaration: dict[str, Any], accepted: int, delay: int) -> dict[str, Any]:
    illicit = draw(st.booleans())
    return {
        "declaration_id": declaration["declaration_id"],
        "accepted_at": declaration["accepted_at"],
        "is_illicit": illicit,
        "recovered_revenue": draw(one_of([0.0, 10.4, 1000.0])) if illicit else 0.0,
        "known_at": draw(one_of([None, _day(accepted + delay, 12)])) if delay <= 60 else _day(accepted + delay, 12),
    }


def known_at(row: dict[str, Any], column: str) -> datetime:
    return row.get(column) or row["accepted_at"] + timedelta(days=LABEL_DELAY_DAYS * (column == "known_at"))


def before(world: World, cut: datetime) -> World:
    """Return the world as it stood when the day `cut` began, as if nothing had become known later."""

    def stood(
        current: tuple[Any, ...], older: tuple[Any, ...], column: str, *names: str
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        key = itemgetter(*names)
        current = tuple(row for row in current if known_at(row, column) < cut)
        older = tuple(row for row in older if known_at(row, column) < cut)
        replaced = {key(row) for row in current}
        still = tuple(row for row in older if key(row) not in replaced)
        return current + still, tuple(row for row in older if key(row) in replaced)

    return World(
        *stood(world.declarations, world.older_declarations, "recorded_at", "declaration_id"),
        *stood(world.outcomes, world.older_outcomes, "known_at", "declaration_id"),
        *stood(world.register, world.older_register, "recorded_at", *FILING["register"].key),
    )


def after(world: World, cut: datetime) -> World:
    """Return what another world learned on the day `cut` or later, under other names."""

    def later(rows: tuple[dict[str, Any], ...], column: str, key: str = "declaration_id") -> tuple[dict[str, Any], ...]:
        late = [row for row in rows if known_at(row, column) >= cut]
        return tuple(row | {key: "X" + row[key]} for row in late)

    return World(
        later(world.declarations, "recorded_at"),
        (),
        later(world.outcomes, "known_at"),
        (),
        later(world.register, "recorded_at", "entry_id"),
    )
