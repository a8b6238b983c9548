"""Writes docs/contract.md, the tables of the contract for people: `python -m docs.make_contract`."""

from pathlib import Path

from features.contract import DECLARATION, OUTCOME, REGISTER, TRUTH, Field

PAGE = Path(__file__).with_name("contract.md")

_TYPES = {"String": "text", "Int32": "whole number", "Float64": "number", "Boolean": "yes or no"}
_MOST_CODES = 10

_INTRO = """\
# Contract

Every source is brought to these four tables, and nothing after it knows any other name. This page is written by
`python -m docs.make_contract` from `features/contract.py`; change that, not this.

- An item is identified by `declaration_id` and `item_number`.
- Instants are in the administration's legal time, without a zone.
- Codes are text: leading zeros count (`090121`, not `90121`).
- *Required* columns have a value in every row. A column that is not required may be left out of a source altogether.
- A row that breaks a rule of this page is quarantined with the reason.
- WCO is the number of the element in the WCO Data Model, given where a public source confirms it: 006, 023 and 063 the
  WCO Data Set, version 3; 062, 108, 128, 137 and 145 also the business terms of OASIS UBL 2 (`For Customs Value (WCO ID
  108)`).
"""

_TABLES = (
    ("Declarations", "What was declared: one row an item.", DECLARATION),
    (
        "Outcomes",
        "What became of it. A declaration without a row here has no outcome yet. An outcome counts from the day after "
        "`known_at`; where that is missing, acceptance plus `label_delay_days` of `models/policy.toml` stands for it.",
        OUTCOME,
    ),
    (
        "Register",
        "What company registers tell, one fact about one company a row; optional. A fact counts from the day after "
        "`recorded_at`. A later version of it replaces it: one with the same `entry_id`, company (`party_role`, "
        "`party_id`) and `attribute`.",
        REGISTER,
    ),
    ("Truth", "What the simulator planted, found or not. For evaluation only: no feature reads it.", TRUTH),
)


def page() -> str:
    """Return the whole page, as Markdown."""
    return "\n".join([_INTRO, *(_section(*table) for table in _TABLES)])


def _section(title: str, text: str, fields: tuple[Field, ...]) -> str:
    head = ["| column | WCO | type | required | allowed | meaning |", "| --- | --- | --- | --- | --- | --- |"]
    return "\n".join([f"## {title}", "", text, "", *head, *(_row(field) for field in fields), ""])


def _row(field: Field) -> str:
    kind = _TYPES.get(str(field.dtype), "instant") + (f", {field.unit}" if field.unit else "")
    required = "" if field.nullable else "yes"
    cells = (f"`{field.name}`", field.wco_id or "", kind, required, _allowed(field), field.meaning)
    return f"| {' | '.join(cells)} |"


def _allowed(field: Field) -> str:
    if field.codes:
        codes = sorted(field.codes())
        return ", ".join(f"`{code}`" for code in codes) if len(codes) <= _MOST_CODES else "a code of that list"
    if field.pattern:
        return f"`{field.pattern}`"
    if field.minimum is None:
        return ""
    return f"{field.minimum:,g} or more" if field.maximum is None else f"{field.minimum:,g} to {field.maximum:,.0f}"


if __name__ == "__main__":
    PAGE.write_text(page())
