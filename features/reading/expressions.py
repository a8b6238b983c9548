"""SQL expressions over a source's columns, row by row: they are all that a mapping may compute.

An expression is checked twice. First its words are checked: whatever Polars does while it reads an expression, such as
running a table function, must not happen at all, so only listed words may stand before a bracket. Then the parsed
expression is walked, and only listed operations pass. None of them looks at other rows, at chance, at the clock, at
files or at the network, and none makes texts grow without bound. What is not listed is refused, so a new version of
Polars adds nothing.

A strict CAST that fails makes its line unreadable, not the file; TRY_CAST gives null.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import polars as pl

Node = Any  # a part of a parsed expression, in the form of its JSON

LONGEST = 2_000
MOST_NODES = 300
MOST_GROWTH = 64  # times the length of the texts that go in
WIDEST_PAD = 100


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FUNCTIONS = _words(
    "ABS CAST CEIL CHAR_LENGTH COALESCE CONCAT CONCAT_WS ENDS_WITH FLOOR GREATEST IF IFNULL INITCAP LEAST LEFT LENGTH "
    "LOWER LPAD LTRIM MOD NORMALIZE NULLIF REGEXP_LIKE REGEXP_REPLACE REPLACE REVERSE RIGHT ROUND RPAD RTRIM "
    "SPLIT_PART STARTS_WITH STRPOS SUBSTR SUBSTRING TRIM TRY_CAST UPPER"
)
_BEFORE_BRACKETS = _FUNCTIONS | _words("AND BETWEEN CASE ELSE IN LIKE NOT OR THEN WHEN")
_NEVER = _words(
    "ARRAY COLUMNS CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP EXISTS EXCLUDE FROM ILIKE_ANY INTERVAL LOCALTIME "
    "LOCALTIMESTAMP OVER QUALIFY SELECT STRUCT TABLE UNION VALUES WITH"
)
_TOKEN = re.compile(
    r"\s+|'(?:[^']|'')*'|\"(?:[^\"]|\"\")+\"|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[^\W\d]\w*"
    r"|\|\||<=>|<>|<=|>=|!=|[-+*/%=<>(),~]"
)

_TYPES = frozenset({"String", "Int32", "Int64", "Float32", "Float64", "Boolean"})
_OPERATORS = _words("Eq NotEq Lt LtEq Gt GtEq And Or LogicalAnd LogicalOr EqValidity NotEqValidity")
_ARITHMETIC = _words("Plus Minus Multiply Divide TrueDivide FloorDivide Modulus")
_SCALARS = _words("String Boolean Null Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 Float32 Float64 Decimal")
_OPERATIONS: Mapping[str, frozenset[str]] = {
    "": frozenset({"Coalesce", "FillNull", "Abs", "Floor", "Ceil", "MaxHorizontal", "MinHorizontal"}),
    "Boolean": frozenset({"IsNull", "IsNotNull", "Not"}),
    "StringExpr": _words(
        "ConcatHorizontal Contains EndsWith Find LenChars Lowercase Normalize PadEnd PadStart Replace Reverse Slice "
        "Split StartsWith StripChars StripCharsEnd StripCharsStart Titlecase Uppercase"
    ),
    "ListExpr": frozenset({"Get"}),  # of the list that Split gives, for SPLIT_PART
    "Sql": frozenset({"Binary", "Round", "IsIn", "ToFloat"}),
    "Clip": frozenset({"Clip"}),
}
_OF_LITERALS = frozenset({"Contains", "Find", "Replace"})  # the pattern must be in the expression, not in a column


@dataclass(frozen=True)
class Expression:
    """A checked expression: the columns that it reads, its value, and the reason why there is none.

    Value and reason are null where they do not apply.
    """

    sql: str
    columns: frozenset[str]
    value: pl.Expr = field(compare=False)
    fault: pl.Expr = field(compare=False)


def parse(sql: str) -> Expression:
    """Return the expression that `sql` writes; ValueError says what is not allowed in it.

    >>> sorted(parse("SPLIT_PART(ITEM, ' of ', 1)").columns)
    ['ITEM']
    >>> parse("SUM(VALUE)")
    Traceback (most recent call last):
    ...
    ValueError: sql 'SUM(VALUE)': SUM is no function of a mapping; allowed: ABS, CAST, ..., UPPER
    >>> parse("CURRENT_DATE")
    Traceback (most recent call last):
    ...
    ValueError: sql 'CURRENT_DATE': CURRENT_DATE cannot stand in a mapping; "CURRENT_DATE" would be a column
    """
    try:
        _check_words(sql)
        tree = json.loads(_parsed(sql).meta.serialize(format="json"))
        walked = _Walk()
        growth = walked.check(tree)
        if growth > MOST_GROWTH:
            raise ValueError(f"it can make texts {growth} times as long; allowed: {MOST_GROWTH} times")
        value, fault = _expression(_lenient(tree)), _expression_of_faults(tree)
    except (ValueError, pl.exceptions.PolarsError) as error:
        raise ValueError(f"sql {sql[:200]!r}: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ValueError(f"sql {sql[:200]!r}: its parts are too deep in each other") from None
    if not walked.columns:
        raise ValueError(f"sql {sql[:200]!r}: it names no column of the file; use constant = ...")
    return Expression(sql, frozenset(walked.columns), value, fault)


def _check_words(sql: str) -> None:
    if len(sql) > LONGEST:
        raise ValueError(f"it has {len(sql):,} characters; allowed: {LONGEST:,}")
    at, before = 0, ""
    while at < len(sql):
        found = _TOKEN.match(sql, at)
        if found is None:
            raise ValueError(f"{sql[at : at + 10]!r} cannot stand in a mapping")
        token, at = found.group(), found.end()
        word, is_word = token.upper(), token[0].isalpha() or token[0] == "_"
        if is_word and word in _NEVER:
            raise ValueError(f'{word} cannot stand in a mapping; "{token}" would be a column')
        if token == "(" and before and before not in _BEFORE_BRACKETS:
            raise ValueError(f"{before} is no function of a mapping; allowed: {', '.join(sorted(_FUNCTIONS))}")
        if token[0] == "'" and found.start() and (sql[found.start() - 1].isalnum() or sql[found.start() - 1] in "_&"):
            raise ValueError(f"a text has a blank before it: {sql[found.start() - 1 :][:10]!r}")
        if token in ("-", "/") and sql.startswith(("--", "/*"), found.start()):
            raise ValueError("comments cannot stand in a mapping")
        if not token.isspace():
            before = word if is_word else token if token[0] == '"' else ""


def _parsed(sql: str) -> pl.Expr:
    try:
        return pl.sql_expr(sql)
    except pl.exceptions.PolarsError as error:
        raise ValueError(str(error).splitlines()[0]) from None


class _Walk:
    """A walk through a parsed expression that refuses operations that are not listed, and notes the columns."""

    def __init__(self) -> None:
        self.columns: set[str] = set()
        self._nodes = 0

    def check(self, node: Node) -> int:
        """Check a node, and return how many times as long as the input a text can become."""
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise ValueError(f"it has more than {MOST_NODES} parts")
        if not isinstance(node, dict) or len(node) != 1:
            raise ValueError(f"{_name(node)} is not an operation of single rows")
        ((kind, inside),) = node.items()
        if kind == "Column" and isinstance(inside, str):
            self.columns.add(inside)
            return 1
        if kind == "Literal":
            _check_literal(inside)
            return 1
        if kind == "BinaryExpr" and inside["op"] in _OPERATORS | _ARITHMETIC:
            left, right = self.check(inside["left"]), self.check(inside["right"])
            return left + right if inside["op"] == "Plus" else 1
        if kind == "Cast" and inside["options"] in ("Strict", "NonStrict"):
            _check_type(inside["dtype"])
            return self.check(inside["expr"])
        if kind == "Ternary":
            return max(self.check(inside[part]) for part in ("predicate", "truthy", "falsy"))
        if kind == "Function":
            return self._function(inside["function"], inside["input"])
        raise ValueError(f"{kind} is not an operation of single rows")

    def _function(self, function: Node, inputs: list[Any]) -> int:
        group, operation = _operation(function)
        if operation not in _OPERATIONS.get(group, ()):
            raise ValueError(f"{operation} is not an operation of single rows")
        if operation in _OF_LITERALS and any(_text(each) is None for each in inputs[1:]):
            raise ValueError("a pattern, and what replaces it, are texts and not columns")
        if operation in ("Contains", "Find", "Replace"):
            _check_pattern(function["StringExpr"][operation], _text(inputs[1]) or "")
        if operation == "Get" and not (
            isinstance(inputs[0], dict)
            and _operation(inputs[0].get("Function", {}).get("function", "")) == ("StringExpr", "Split")
        ):
            raise ValueError("only what SPLIT_PART splits has parts")
        if operation == "IsIn":
            return self.check(inputs[0]) if "Literal" in inputs[1] else 1 + self.check(inputs[1])
        if operation in ("PadStart", "PadEnd"):
            width = inputs[1].get("Literal", {}).get("Dyn", {}).get("Int") if isinstance(inputs[1], dict) else None
            if not isinstance(width, int) or not 0 <= width <= WIDEST_PAD:
                raise ValueError(f"a text is filled up to a stated width, at most {WIDEST_PAD}")
        grown = [self.check(each) for each in inputs]
        if operation == "ConcatHorizontal":
            return sum(grown)
        if operation == "Replace":
            old, new = _text(inputs[1]) or "", _text(inputs[2]) or ""
            return (
                grown[0]
                * max(1, -(-(len(new) + 1) // max(1, len(old))) if len(new) > len(old) else 1)
                * (1 + new.count("$"))
            )
        return max(grown, default=1)


def _operation(function: Node) -> tuple[str, str]:
    if isinstance(function, str):
        return "", function
    if not isinstance(function, dict) or len(function) != 1:
        return "", _name(function)
    ((group, inside),) = function.items()
    if group == "Clip":  # LEFT and SUBSTR with a negative position
        return "Clip", "Clip"
    return group, inside if isinstance(inside, str) else next(iter(inside), "")


def _name(node: Node) -> str:
    return node if isinstance(node, str) else next(iter(node), "nothing") if isinstance(node, dict) else "this"


def _text(node: Node) -> str | None:
    literal = node.get("Literal", {}) if isinstance(node, dict) else {}
    return literal.get("Scalar", {}).get("String") if isinstance(literal, dict) else None


def _check_literal(inside: Node) -> None:
    kind = _name(inside.get("Scalar", inside.get("Dyn"))) if isinstance(inside, dict) else _name(inside)
    allowed = _SCALARS if "Scalar" in inside else {"Int", "Float", "Str"} if "Dyn" in inside else ()
    if kind not in allowed:
        raise ValueError(f"a {kind} cannot stand in an expression; dates are compared as the texts they are")


def _check_type(dtype: Node) -> None:
    name = dtype.get("Literal") if isinstance(dtype, dict) else dtype
    if name not in _TYPES:
        raise ValueError(f"nothing is cast to {_name(name)}; allowed: VARCHAR, INTEGER, BIGINT, FLOAT, DOUBLE, BOOLEAN")


def _check_pattern(options: Mapping[str, Any], pattern: str) -> None:
    if options["literal"]:
        return
    try:
        pl.Series(["a"]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        raise ValueError(f"{pattern!r} is no pattern: {' '.join(str(error).split())[:120]}") from None


def _lenient(node: Node) -> Node:
    """Return the same expression with null where a strict cast would end the work on the file."""
    if isinstance(node, list):
        return [_lenient(each) for each in node]
    if not isinstance(node, dict):
        return node
    changed = {key: _lenient(inside) for key, inside in node.items()}
    if isinstance(changed.get("Cast"), dict):
        changed["Cast"] |= {"options": "NonStrict"}
    return changed


def _expression(tree: Node) -> pl.Expr:
    return pl.Expr.deserialize(StringIO(json.dumps(tree)), format="json")


def _expression_of_faults(tree: Node) -> pl.Expr:
    faults = _faults(tree)
    return pl.coalesce(*faults, pl.lit(None, pl.String)) if faults else pl.lit(None, pl.String)


def _faults(node: Node) -> list[pl.Expr]:
    """Return a column for each strict cast in a branch that counts: "'abc' is not Float64" if the cast fails."""
    ((kind, inside),) = node.items()
    if kind == "BinaryExpr":
        return _faults(inside["left"]) + _faults(inside["right"])
    if kind == "Function":
        return [fault for each in inside["input"] for fault in _faults(each)]
    if kind == "Ternary":
        is_true = _expression(_lenient(inside["predicate"])).fill_null(value=False)
        return [
            *_faults(inside["predicate"]),
            *(pl.when(is_true).then(fault) for fault in _faults(inside["truthy"])),
            *(pl.when(is_true.not_()).then(fault) for fault in _faults(inside["falsy"])),
        ]
    if kind == "Cast":
        faults = _faults(inside["expr"])
        if inside["options"] == "Strict":
            given = _expression(_lenient(inside["expr"]))
            fails = _expression(_lenient(node)).is_null() & given.is_not_null()
            shown = given.cast(pl.String).str.slice(0, 60)
            faults.append(pl.when(fails).then(pl.format("'{}' is not " + _said(inside["dtype"]["Literal"]), shown)))
        return faults
    return []


def _said(dtype: str) -> str:
    return "a whole number" if dtype.startswith("Int") else "a number" if dtype.startswith("Float") else f"a {dtype}"
