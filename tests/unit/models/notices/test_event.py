import pytest

from models.notices import plain
from models.notices.event import LONGEST


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<b>x</b> **y** `z` ~w~ a|b \\c", "(b)x(/b) ++y++ 'z' -w- a/b /c"),
        ("[sign here](https://evil.example)", "(sign here)(https: //evil.example)"),
        ("<!channel> @everyone", "(!channel) (at)everyone"),
        ("first\r\nSubject: x\u2028third\u202egnp\x00", "first Subject: x third gnp"),
        ("检查\N{GRINNING FACE}é", "检查\N{GRINNING FACE}é"),
        ("\ud800 lone", "lone"),
        ("", ""),
    ],
)
def test_what_others_have_written_is_one_line_without_markup_links_and_mentions(text, told):
    assert plain(text) == told


def test_it_is_bounded():
    assert len(plain("x" * 10_000)) == LONGEST
    assert plain("x" * LONGEST) == "x" * LONGEST
    assert plain("x" * (LONGEST + 1)).endswith("x…")
