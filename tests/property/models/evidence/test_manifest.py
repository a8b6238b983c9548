"""The digest of a manifest: layout never matters, and every value does."""

import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from models.evidence import manifest as evidence
from models.evidence.source_code import Code
from tests.property.models.evidence.test_digests import reversed_keys, text

sha256 = st.text("0123456789abcdef", min_size=64, max_size=64)
manifests = st.builds(
    evidence.Manifest,
    code=st.builds(Code, commit=text.filter(bool), is_dirty=st.booleans(), source_sha256=sha256),
    data_version=text.filter(bool),
    lock_sha256=st.none() | sha256,
    window=st.dictionaries(text, text, max_size=3),
    files=st.fixed_dictionaries(dict.fromkeys((*evidence.FILES, "model/model.json"), sha256)),
)


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
