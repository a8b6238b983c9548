"""The window's interface as an OpenAPI document, with examples; tests ask the window for what they show."""

from datetime import UTC, datetime
from typing import Any

import polars as pl

from features import contract, messages
from features.messages import answers
from features.messages.answers import Notification, Statement, Status
from models.access.accounts import MACHINES
from models.policy import LANES
from models.window import telling

_FROM_CUSTOMS = ("accepted_at", "recorded_at")

EXAMPLE: dict[str, Any] = {
    "declaration_id": "24FR0123456789",
    "office": "010",
    "procedure": "40",
    "import_type": "11",
    "transport_mode": "1",
    "declarant_id": "B-17",
    "importer_id": "FR12345678901",
    "seller_id": "CN-889",
    "departure_country": "CN",
    "currency": "USD",
    "transport_document_id": "MAEU-7781",
    "items": [
        {
            "item_number": 1,
            "hs_code": "610910",
            "origin_country": "CN",
            "tax_rate_pct": 12.0,
            "tax_type": "A",
            "net_mass_kg": 420.5,
            "item_value": 8400.0,
            "goods_description": "T-shirts of cotton, knitted",
            "quantity": 3000.0,
            "quantity_unit": "NAR",
        }
    ],
}


def _column(field: contract.Field) -> dict[str, Any]:
    kinds: dict[pl.DataType, str] = {contract.TEXT: "string", contract.WHOLE: "integer", contract.NUMBER: "number"}
    told: dict[str, Any] = {"type": kinds[field.dtype], "description": field.meaning}
    told |= {"pattern": field.pattern} if field.pattern else {}
    told |= {"minimum": field.minimum} if field.minimum is not None else {}
    return told | ({"maximum": field.maximum} if field.maximum is not None else {})


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _some(one: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": one}


_TEXT, _NUMBER, _WHOLE = {"type": "string"}, {"type": "number"}, {"type": "integer"}
_OR_NONE = {"type": ["string", "null"]}
_ITEM = _object(
    item_number=_WHOLE,
    lane={"enum": [*LANES, "green"]},
    reason={"enum": ["critical", "random", "criterion", "exploration", "value", "none"]},
    criterion=_OR_NONE,
    selection_probability={"type": "number", "minimum": 0, "maximum": 1},
    score={"type": ["number", "null"]},
    expected_revenue={"type": ["number", "null"]},
    reasons=_some(_object(group=_TEXT, contribution=_NUMBER, direction={"enum": ["raises", "lowers"]}, sentence=_TEXT)),
)
_NAMED = {"declaration_id": _TEXT, "version": _WHOLE, "decision_id": _TEXT}
_IN_FULL = _object(
    **_NAMED,
    lane={"enum": [*LANES, "green"]},
    items=_some(_ITEM),
    **dict.fromkeys(("unscored", "morning", "model_version", "model_digest"), _OR_NONE),
    policy_digest=_TEXT,
)
_IN_BRIEF = _object(**_NAMED, answer={"enum": ["released", "held"]}, present=_TEXT)
_REFUSED = _object(declaration=_OR_NONE, item={"type": ["integer", "null"]}, element=_TEXT, value=_TEXT, allowed=_TEXT)
_ANSWER = _object(decisions=_some({"oneOf": [_IN_FULL, _IN_BRIEF]}), refused=_some(_REFUSED))
EXAMPLE_DECISION, EXAMPLE_AT = "20240502-3f0c1d9a77b2e4c81a05", datetime(2024, 5, 2, 9, 30, tzinfo=UTC)
_EXAMPLE_IN_XML = answers.written(
    [
        Notification(
            EXAMPLE["declaration_id"],
            "documents",
            EXAMPLE_DECISION,
            EXAMPLE_AT,
            version=1,
            statuses=(Status(telling.HELD),),
            statements=(Statement("present", telling.PRESENT["yellow"]),),
        )
    ]
)
_XML = {
    "schema": {
        "type": "string",
        "description": "MetaData of the WCO data model 3.6, with a Response for each declaration: see docs/messages.md",
    },
    "example": _EXAMPLE_IN_XML.decode(),
}
_ANSWERS = {
    "application/json": {"schema": _ANSWER},
    **{form: _XML for form in telling.FORMS if form != telling.JSON},
}
_ERROR = {"application/json": {"schema": _object(error=_TEXT)}}
_DECLARATION = {
    "type": "object",
    "description": "A column stands at the declaration, for all its items, or at each item.",
    "properties": {
        **{field.name: _column(field) for field in contract.DECLARATION if field.name not in _FROM_CUSTOMS},
        "items": _some({"type": "object"}),
    },
    "required": ["declaration_id", "items"],
}

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "The window",
        "version": "1",
        "description": "Declarations are answered while somebody waits. Each machine has a token and one role: "
        + "; ".join(f"{role} ({what})" for role, what in MACHINES.items()),
    },
    "security": [{"token": []}],
    "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    "paths": {
        "/window/declarations": {
            "post": {
                "summary": "Have declarations decided. The same again gets the same answer; another content under the "
                "same id is a new version, whose lane may rise and never falls.",
                "parameters": [
                    {"name": "language", "in": "query", "schema": {"enum": ["en", "fr", "zh"], "default": "en"}}
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {"oneOf": [_DECLARATION, _some(_DECLARATION)]},
                            "example": EXAMPLE,
                        },
                        **{kind: {} for kind in messages.KINDS if kind != "application/json"},
                    },
                },
                "responses": {
                    "200": {
                        "description": "Some are decided; others may be refused.",
                        "content": _ANSWERS,
                    },
                    "422": {
                        "description": "None is decided, for what `refused` says.",
                        "content": _ANSWERS,
                    },
                    "401": {"description": "No token, or one that does not count.", "content": _ERROR},
                    "406": {"description": "`Accept` likes none of the forms of answers.", "content": _ERROR},
                    "413": {"description": "The message is too large.", "content": _ERROR},
                    "415": {"description": "Another form of message.", "content": _ERROR},
                    "503": {
                        "description": "Nothing is decided now: ask again after `Retry-After` seconds.",
                        "headers": {"Retry-After": {"schema": {"type": "integer"}}},
                        "content": _ERROR,
                    },
                },
            }
        },
        "/window/days": {
            "get": {
                "summary": "Commitments to the secrets of days, and the secrets of those that are over.",
                "responses": {"200": {"description": "Each day, with its secret or null."}},
            }
        },
    },
}
