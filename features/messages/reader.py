"""A message of any form into rows of the contract or refusals: where a message comes in."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from features.messages import cusdec, json_form, xml_form
from features.messages.judging import Read, judged, none_read
from features.messages.tables import Tables
from features.messages.told import Declaration, Fault, MessageRefused

MOST_BYTES: Final = 10_000_000
JSON: Final = "application/json"

KINDS: Final[dict[str, Callable[[bytes], list[Declaration]]]] = {
    JSON: json_form.declarations,
    "application/xml": xml_form.declarations,
    "application/edifact": cusdec.declarations,
}


def read(
    content: bytes, kind: str, accepted_at: datetime, *, tables: Tables | None = None, most_bytes: int = MOST_BYTES
) -> Read:
    """Return the rows of a message in the contract's columns, and refusals; any content gives one or the other.

    `kind` is the media type without parameters. `accepted_at` is customs' clock at arrival, in legal time; what a
    message says of that is refused (JSON) or not read. `tables` give `office` and `tax_rate_pct` where the message has
    none and they know them, and the office that a code of another list stands for. Raises ValueError for a `kind` that
    is none of KINDS and for an `accepted_at` with a zone. The first call takes seconds, because it imports the rules.

    >>> found = read(b'{"declaration_id": "D1", "items": [{"item_number": 0}]}', JSON, datetime(2024, 3, 1, 9, 30))
    >>> found.rows.height, str(found.refusals[-1])
    (0, 'items[0].currency: empty; expected: a value')
    >>> read(b"", "text/csv", datetime(2024, 3, 1, 9, 30))
    Traceback (most recent call last):
    ...
    ValueError: a message of kind 'text/csv' is not read; allowed: application/json, ..., application/edifact
    """
    if kind not in KINDS:
        raise ValueError(f"a message of kind {kind!r} is not read; allowed: {', '.join(KINDS)}")
    if accepted_at.tzinfo is not None:
        raise ValueError(f"accepted_at {accepted_at} has a zone; allowed: the administration's legal time, without one")
    if len(content) > most_bytes:
        return none_read(Fault("message", f"{len(content):,} bytes", f"at most {most_bytes:,} bytes"))
    try:
        declarations = KINDS[kind](content)
    except MessageRefused as refused:
        return none_read(refused.fault)
    return judged(declarations, accepted_at, tables, is_text=kind != JSON)
