"""The contract: columns of declaration items, outcomes, planted schemes and register entries, by name, type and unit.

Every source is brought to these columns, and nothing downstream knows any other name. Instants are in the
administration's legal time, without a zone; `_on` columns are its calendar days. `wco_id` is the element's number in
the WCO Data Model, given where a public source confirms it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import polars as pl

from features import codes

CodeList = Callable[[], frozenset[str]]


@dataclass(frozen=True)
class Field:
    """One column: its type, unit, whether it may be null, what it may hold, and its WCO Data Model number."""

    name: str
    dtype: pl.DataType
    meaning: str
    nullable: bool = False
    unit: str | None = None
    wco_id: str | None = None
    codes: CodeList | None = None
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    is_refused_alone: bool = False  # a value out of bounds becomes null, and the rest of its row stays


TEXT, WHOLE, NUMBER, FLAG, INSTANT = pl.String(), pl.Int32(), pl.Float64(), pl.Boolean(), pl.Datetime("us")

# National code lists differ, but their codes are all short, upper-case and without blanks.
NATIONAL_CODE = r"^[0-9A-Z][0-9A-Z_.-]{0,11}$"
PARTY = r"^\S{1,64}$"
# What people write where nothing is known. It is allowed, but it is one name for many.
PLACEHOLDER = r"^(?:[0-]+|9{4,}|[xX]+|[nN]/?[aA]|(?i:nan|nil|none|null|test|unknown))$"
_PER_CENT = r"(?:100(?:\.0+)?|\d{1,2}(?:\.\d+)?)"
SHARE = rf"^{_PER_CENT}(?:-{_PER_CENT})?$"  # one percentage, or a lower and an upper bound
HIGHEST_DUTY = 2e16  # the highest value at the highest rate; sums of amounts have to fit into 64-bit whole numbers

KEY = ("declaration_id", "item_number")

DECLARATION = (
    Field("declaration_id", TEXT, "the declaration's reference", pattern=PARTY),
    Field("item_number", WHOLE, "the goods item's number in its declaration", wco_id="006", minimum=1, maximum=9999),
    Field("accepted_at", INSTANT, "when customs accepted the declaration", wco_id="023"),
    Field(
        "recorded_at",
        INSTANT,
        "when this version reached customs' records; acceptance where null. A correction carries its own",
        nullable=True,
    ),
    Field("office", TEXT, "office of declaration, national code", pattern=NATIONAL_CODE),
    Field("procedure", TEXT, "clearance procedure, national code", pattern=NATIONAL_CODE),
    Field("import_type", TEXT, "kind of import transaction, national code", pattern=NATIONAL_CODE),
    Field("import_use", TEXT, "intended use of the goods, national code", nullable=True, pattern=NATIONAL_CODE),
    Field("payment_type", TEXT, "means of payment, national code", nullable=True, pattern=NATIONAL_CODE),
    Field("transport_mode", TEXT, "mode at the border, UN/ECE Rec. 19", codes=lambda: frozenset(codes.TRANSPORT_MODES)),
    Field("declarant_id", TEXT, "declarant or customs broker", pattern=PARTY),
    Field("importer_id", TEXT, "importer", pattern=PARTY),
    Field("seller_id", TEXT, "seller abroad", nullable=True, pattern=PARTY),
    Field("courier_id", TEXT, "express courier", nullable=True, pattern=PARTY),
    Field(
        "hs_code",
        TEXT,
        "commodity code: HS6, or a national code of up to 12 digits",
        pattern=r"^\d{6,12}$",
        wco_id="145",
    ),
    Field("departure_country", TEXT, "country of departure, ISO 3166-1 alpha-2", codes=codes.countries, wco_id="062"),
    Field("origin_country", TEXT, "country of origin, ISO 3166-1 alpha-2", codes=codes.countries, wco_id="063"),
    Field("tax_rate_pct", NUMBER, "rate applied, all duties together", unit="%", minimum=0, maximum=2000),
    Field("tax_type", TEXT, "tariff or preference claimed, national code", pattern=NATIONAL_CODE),
    Field("origin_marking", TEXT, "how origin is marked on the goods", nullable=True, pattern=NATIONAL_CODE),
    Field("net_mass_kg", NUMBER, "net mass of the item", unit="kg", minimum=0, maximum=1e9, wco_id="128"),
    Field("item_value", NUMBER, "customs value of the item", unit="currency", minimum=0, maximum=1e15, wco_id="108"),
    Field("currency", TEXT, "currency of item_value, ISO 4217", codes=codes.currencies),
    Field("goods_description", TEXT, "description in the declarant's words", nullable=True, wco_id="137"),
    Field("quantity", NUMBER, "quantity in quantity_unit", nullable=True, minimum=0, maximum=1e12),
    Field("quantity_unit", TEXT, "unit of quantity, UN/ECE Rec. 20", nullable=True, pattern=r"^[0-9A-Z]{1,3}$"),
    Field("gross_mass_kg", NUMBER, "gross mass", nullable=True, unit="kg", minimum=0, maximum=1e9),
    Field("container_id", TEXT, "container number, ISO 6346", nullable=True, pattern=r"^[A-Z]{4}\d{7}$"),
    Field("transport_document_id", TEXT, "bill of lading or air waybill", nullable=True, pattern=PARTY),
)

OUTCOME = (
    Field("declaration_id", TEXT, "the declaration's reference", pattern=PARTY),
    Field("item_number", WHOLE, "the goods item's number in its declaration", wco_id="006", minimum=1, maximum=9999),
    Field("accepted_at", INSTANT, "when customs accepted the declaration", wco_id="023"),
    Field("is_inspected", FLAG, "whether the item was inspected"),
    Field("is_illicit", FLAG, "whether an infringement was found; null where not inspected", nullable=True),
    Field("is_critical", FLAG, "whether it endangers safety, health or security", nullable=True),
    Field(
        "recovered_revenue",
        NUMBER,
        "duties and taxes recovered",
        nullable=True,
        unit="currency",
        minimum=0,
        maximum=HIGHEST_DUTY,
        is_refused_alone=True,  # a refund is no reason to forget what was found
    ),
    Field(
        "inspection_channel",
        TEXT,
        "lane assigned",
        nullable=True,
        codes=lambda: frozenset(codes.INSPECTION_CHANNELS),
    ),
    Field(
        "selection_probability",
        NUMBER,
        "probability with which the item was chosen",
        nullable=True,
        minimum=0,
        maximum=1,
    ),
    Field("known_at", INSTANT, "when the result was known; acceptance plus the label delay where null", nullable=True),
)

# What a simulator planted. For evaluation only: no feature reads it.
TRUTH = (
    Field("declaration_id", TEXT, "the declaration's reference", pattern=PARTY),
    Field("item_number", WHOLE, "the goods item's number in its declaration", minimum=1),
    Field("accepted_at", INSTANT, "when customs accepted the declaration"),
    Field("scheme", TEXT, "planted scheme, or 'none'"),
    Field("is_illicit", FLAG, "whether the item truly infringes"),
    Field("is_critical", FLAG, "whether it endangers safety, health or security"),
    Field("evaded_revenue", NUMBER, "duties and taxes evaded", unit="currency", minimum=0, maximum=HIGHEST_DUTY),
)

# What a company register tells: one fact about one company a row. Companies that share a value are tied by it.
REGISTER = (
    Field(
        "entry_id",
        TEXT,
        "the entry's reference in its register; it may tell of several companies and attributes, of each one value",
        pattern=PARTY,
    ),
    Field("recorded_at", INSTANT, "when this version of the entry reached customs"),
    Field(
        "party_role", TEXT, "role in which declarations name the company", codes=lambda: frozenset(codes.PARTY_ROLES)
    ),
    Field("party_id", TEXT, "the company, as declarations name it in that role", pattern=PARTY),
    Field("attribute", TEXT, "what is told of the company", codes=lambda: frozenset(codes.REGISTER_ATTRIBUTES)),
    Field(
        "value",
        TEXT,
        "as the register writes it; of a predecessor or parent, its party_id in the same role or another reference; "
        "of a share, per cent: 75, or 25-50",
        pattern=r"^\S(?:.{0,298}\S)?$",
    ),
    Field("begins_at", INSTANT, "since when it holds", nullable=True),
    Field("ends_at", INSTANT, "since when it does not hold any more", nullable=True),
)

TABLES: dict[str, tuple[Field, ...]] = {
    "declarations": DECLARATION,
    "outcomes": OUTCOME,
    "truth": TRUTH,
    "register": REGISTER,
}


@dataclass(frozen=True)
class Filing:
    """The columns by which rows of a table are told apart and put in order.

    `key` names a row. The row is stored on the day of the instant `placed_by`. `version_at` is the instant of this
    version of the row, if versions carry one.
    """

    key: tuple[str, ...]
    placed_by: str
    version_at: str | None = None


FILING = {
    "declarations": Filing(KEY, "accepted_at", "recorded_at"),
    "outcomes": Filing(KEY, "accepted_at", "known_at"),
    "truth": Filing(KEY, "accepted_at"),
    # One entry may tell both a company's name and its address, or name one person in several companies. Such rows do
    # not correct one another.
    "register": Filing(("entry_id", "party_role", "party_id", "attribute"), "recorded_at", "recorded_at"),
}


@cache
def schema(table: str) -> pl.Schema:
    """Return the Polars schema of one table of the contract.

    >>> schema("declarations")["net_mass_kg"]
    Float64
    >>> schema("seizures")
    Traceback (most recent call last):
    ...
    ValueError: table 'seizures' is not in the contract; allowed: declarations, outcomes, truth, register
    """
    if table not in TABLES:
        raise ValueError(f"table {table!r} is not in the contract; allowed: {', '.join(TABLES)}")
    return pl.Schema({field.name: field.dtype for field in TABLES[table]})
