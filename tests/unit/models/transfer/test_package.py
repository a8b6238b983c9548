"""Files in one file: the same content is the same bytes, and no other bytes are read."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.transfer.package import packed, unpacked

FILES = {"run/evidence.json": b"{}", "model/artifacts/model/" + "long" * 40 + ".txt": bytes(range(256)) * 9, "a": b""}


def read(content, folder):
    file = folder / "version.tar"
    file.write_bytes(content)
    return unpacked(file)


def test_what_is_packed_is_read_and_is_the_same_in_any_order(tmp_path):
    assert read(packed(FILES), tmp_path) == FILES
    assert packed(dict(reversed(FILES.items()))) == packed(FILES)


@given(data=st.data())
def test_one_changed_byte_anywhere_is_refused_or_is_another_content(tmp_path_factory, data):
    content = packed(FILES)
    place = data.draw(st.integers(0, len(content) - 1))
    other = data.draw(st.integers(1, 255))
    changed = content[:place] + bytes([content[place] ^ other]) + content[place + 1 :]
    try:
        found = read(changed, tmp_path_factory.getbasetemp())
    except ValueError:
        return
    assert found != FILES


@pytest.mark.parametrize("spoil", [lambda c: c[:-1], lambda c: c + b"x", lambda c: c[: len(c) // 2], lambda c: b""])
def test_what_was_cut_or_continued_is_refused(tmp_path, spoil):
    with pytest.raises(ValueError, match="version"):
        read(spoil(packed(FILES)), tmp_path)


@pytest.mark.parametrize("name", ["../a", "/a", "a//b", "a/./b"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="is no plain file below the archive"):
        read(packed({name: b""}), tmp_path)


def test_a_link_is_refused(tmp_path):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        link = tarfile.TarInfo("a")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(ValueError, match="'a' is no plain file below the archive"):
        read(out.getvalue(), tmp_path)
