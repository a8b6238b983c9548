"""Canonical JSON: layout never matters, and every value does."""

import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from models.evidence import digests

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=12
)


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(inner) for inner in value] if isinstance(value, list) else value


def spelled_out(value: Any) -> str:
    """A value with its types, so that 1, 1.0 and True differ, and 0.0 and -0.0."""
    if isinstance(value, dict):
        return f"{{{sorted((key, spelled_out(inner)) for key, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{[spelled_out(inner) for inner in value]}]"
    return f"{type(value).__name__} {value!r}"


@given(values, st.sampled_from([None, 0, 3]))
def test_key_order_and_blanks_never_matter(value: Any, indent: int | None) -> None:
    laid_out_otherwise = json.loads(json.dumps(reversed_keys(value), indent=indent))
    assert digests.canonical(laid_out_otherwise) == digests.canonical(value)


@given(values)
def test_canonical_form_is_json_of_the_same_value(value: Any) -> None:
    assert spelled_out(json.loads(digests.canonical(value))) == spelled_out(value)


@given(values, values)
def test_different_values_have_different_digests(one: Any, other: Any) -> None:
    assume(spelled_out(one) != spelled_out(other))
    assert digests.json_digest(one) != digests.json_digest(other)
