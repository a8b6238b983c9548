"""Files that are read again: a file that is no longer as it was written is named."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.disk import checksums
from features.disk.checksums import LIST, SpoiltError
from tests.support.spoiling import HOW, flip, spoil

DOCUMENT = {"version": "é", "days": {"2024-03-01": [1, 2**64 - 1, 0.1, None]}}


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    (tmp_path / "links.arrow").write_bytes(bytes(range(256)) * 5000)  # more than is read at once
    (tmp_path / "ties.arrow").write_bytes(b"ties")
    checksums.seal(tmp_path)
    return tmp_path


def test_what_is_as_it_was_written_passes(sealed):
    checksums.check(sealed)
    (sealed / "later.arrow").write_bytes(b"no part of it")
    checksums.check(sealed)


@pytest.mark.parametrize("how", [*HOW, "lost"])
@pytest.mark.parametrize("name", ["links.arrow", "ties.arrow", LIST])
def test_a_file_of_a_folder_that_changed_is_named_and_no_other(sealed, name, how):
    spoil(sealed / name, how) if how in HOW else (sealed / name).unlink()
    with pytest.raises(SpoiltError, match=rf"^{re.escape(str(sealed / name))}: not as it was written"):
        checksums.check(sealed)


def test_all_that_changed_are_named(sealed):
    for name in ("links.arrow", "ties.arrow"):
        spoil(sealed / name, "cut")
    with pytest.raises(SpoiltError, match=r"links\.arrow, .*ties\.arrow: not as"):
        checksums.check(sealed)


def test_a_document_is_what_was_written_and_any_reader_of_json_reads_it(tmp_path):
    checksums.write_json(tmp_path / "journal.json", DOCUMENT)
    assert checksums.read_json(tmp_path / "journal.json") == DOCUMENT
    assert json.loads((tmp_path / "journal.json").read_text())["content"] == DOCUMENT


@given(bit=st.integers(min_value=0), keep=st.integers(min_value=0))
def test_whichever_bit_flips_and_wherever_a_document_is_cut(tmp_path_factory, bit, keep):
    path = tmp_path_factory.getbasetemp() / "journal.json"
    checksums.write_json(path, DOCUMENT)
    whole = path.read_bytes()
    for spoilt in (flip(whole, bit % (8 * len(whole))), whole[: keep % len(whole)]):
        path.write_bytes(spoilt)
        with pytest.raises(SpoiltError, match=r"journal\.json: not as it was written"):
            checksums.read_json(path)


def test_a_document_from_before_there_were_checksums_is_refused(tmp_path):
    (tmp_path / "network.json").write_text(json.dumps(DOCUMENT))
    with pytest.raises(SpoiltError, match="or by another version of the code"):
        checksums.read_json(tmp_path / "network.json")
