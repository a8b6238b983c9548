"""Canonical JSON: layout never matters, and every value does."""

import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from models.evidence import manifest as evidence

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=12
)
sha256 = st.text("0123456789abcdef", min_size=64, max_size=64)
manifests = st.builds(
    evidence.Manifest,
    code=st.builds(evidence.Code, commit=text.filter(bool), is_dirty=st.booleans(), source_sha256=sha256),
    data_version=text.filter(bool),
    lock_sha256=st.none() | sha256,
    window=st.dictionaries(text, text, max_size=3),
    files=st.fixed_dictionaries(dict.fromkeys((*evidence.FILES, "model/model.json"), sha256)),
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
    assert evidence.canonical(laid_out_otherwise) == evidence.canonical(value)


@given(values)
def test_canonical_form_is_json_of_the_same_value(value: Any) -> None:
    assert spelled_out(json.loads(evidence.canonical(value))) == spelled_out(value)


@given(values, values)
def test_different_values_have_different_digests(one: Any, other: Any) -> None:
    assume(spelled_out(one) != spelled_out(other))
    assert evidence.json_digest(one) != evidence.json_digest(other)


@given(manifests, st.sampled_from([None, 2]))
def test_manifest_read_from_any_layout_has_the_same_digest(manifest: evidence.Manifest, indent: int | None) -> None:
    laid_out_otherwise = json.dumps(reversed_keys(manifest.model_dump()), indent=indent)
    assert evidence.read(laid_out_otherwise).digest == manifest.digest


@given(manifests, manifests)
def test_manifests_that_differ_have_different_digests(one: evidence.Manifest, other: evidence.Manifest) -> None:
    assume(one != other)
    assert one.digest != other.digest


@given(manifests, st.data())
def test_any_change_of_a_digest_in_the_manifest_changes_its_digest(manifest: evidence.Manifest, data: Any) -> None:
    name = data.draw(st.sampled_from(sorted(manifest.files)))
    changed = manifest.files | {name: data.draw(sha256.filter(lambda digest: digest != manifest.files[name]))}
    assert manifest.model_copy(update={"files": changed}).digest != manifest.digest
