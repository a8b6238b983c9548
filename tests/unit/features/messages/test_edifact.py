"""EDIFACT segments: service and release characters, control segments, character sets, and interchanges that are cut."""

import pytest

from features.messages import edifact
from features.messages.told import MessageRefused

WHOLE = b"UNB+UNOA:3+B1+C1+240301:0930+7'UNH+1+CUSDEC:D:96B:UN'BGM+929+A'UNT+3+1'UNZ+1+7'"


def elements(text: str, service: str = "") -> tuple:
    """The elements of a segment XXX of an interchange with usual service characters, or others."""
    told = service or ":+.? '"
    usual = "UNB+UNOW:4+B1+C1+240301:0930+7'UNH+1+M'<>'UNT+3+1'UNZ+1+7'"
    whole = usual.translate(str.maketrans(":+'", told[0] + told[1] + told[5])).replace("<>", text)
    (message,) = edifact.messages(f"{'UNA' + service if service else ''}{whole}".encode())
    return message.segments[1].elements


def refusal(content: bytes) -> str:
    with pytest.raises(MessageRefused) as refused:
        edifact.messages(content)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("XXX+a:b+c", (("a", "b"), ("c",))),
        ("XXX++a", (("",), ("a",))),
        ("XXX+::a:", (("", "", "a", ""),)),
        ("XXX+a?+b?:c?'d??", (("a+b:c'd?",),)),
        ("XXX+?a", (("a",),)),
        ("XXX+??+b", (("?",), ("b",))),
        ("XXX+???+b", (("?+b",),)),
        ("XXX", ()),
        ("XXX+a\nb", (("a\nb",),)),
        ("XXX+\u00fc\u4e2d", (("\u00fc\u4e2d",),)),
    ],
)
def test_elements_and_components_are_told_apart(text, expected):
    assert elements(text) == expected


def test_other_service_characters_are_told_by_una():
    assert elements("XXX|a*b|c+d:e!|f'", service="*|,! ~") == (("a", "b"), ("c+d:e|f'",))
    assert elements("XXX+a?+b", service=":+.  '") == (("a?",), ("b",))


def test_the_mark_of_decimals_is_that_of_una():
    assert [edifact.messages(before + WHOLE)[0].decimal_mark for before in (b"", b"UNA:+.? '", b"UNA:+,? '")] == [
        ".",
        ".",
        ",",
    ]


@pytest.mark.parametrize(
    "told", [b"", b":", b":+.? ", b"::.? '", b":+x? '", b":+.+ '", b"a+.? '", b"\x00+.? '", b": .? '"]
)
def test_service_characters_must_be_signs_and_different(told):
    assert refusal(b"UNA" + told).startswith("UNA: ")


def test_a_component_is_counted_from_one_and_may_be_missing():
    segment = edifact.Segment(1, "XXX", (("a", " "), ("",)))
    assert [segment.get(*at) for at in ((1, 1), (1, 2), (1, 3), (2, 1), (3, 1))] == ["a", None, None, None, None]


def test_line_breaks_between_segments_make_no_difference():
    assert edifact.messages(WHOLE.replace(b"'", b"'\r\n")) == edifact.messages(WHOLE)


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_an_interchange_that_is_cut_anywhere_is_refused(cut):
    assert "; expected: " in refusal(WHOLE[:cut])


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (b"UNT+3", b"UNT+4", "UNT, element 1 (number of segments): '4'; expected: 3"),
        (b"UNT+3+1", b"UNT+3+2", "UNT, element 2 (reference): '2'; expected: 1"),
        (b"UNT+3+1", b"UNT", "UNT, element 1 (number of segments): empty; expected: 3"),
        (b"UNZ+1", b"UNZ+2", "UNZ, element 1 (number of messages): '2'; expected: 1"),
        (b"UNZ+1+7", b"UNZ+1+8", "UNZ, element 2 (reference): '8'; expected: 7"),
        (b"UNH+1", b"XXX+1", "XXX: 'XXX'; expected: UNH at the beginning of each message"),
        (b"BGM+929+A'", b"BGM'UNH+2'", "UNT: empty; expected: UNT at the end of message '1'"),
        (b"BGM", b"bgm", "segment 3: 'bgm+929+A'; expected: a tag of three capital letters or digits"),
        (b"BGM", b"BG:M", "segment 3: 'BG:M+929+A'; expected: a tag of three capital letters or digits"),
        (b"UNOA", b"UNOZ", "UNB, element 1 (character set): 'UNOZ'; expected: one of UNOA, UNOB, UNOC, UNOW"),
        (b"929", b"9\xfc9", "message: byte 58 is not of UNOA; expected: text in UNOA"),
        (b"929", b"9\x009", "message: '\\x00' at character 59; expected: no control characters"),
        (b"UNB+", b"UNB:", "UNB: 'UNB:UNOA:3+B1+C1+240'; expected: UNB at the beginning"),
        (b"UNZ", b"UNX", "UNX: 'UNX'; expected: UNH at the beginning of each message"),
    ],
)
def test_control_segments_must_agree(before, after, expected):
    assert refusal(WHOLE.replace(before, after)) == expected


def test_numbers_of_control_segments_may_have_leading_zeros():
    assert len(edifact.messages(WHOLE.replace(b"UNT+3", b"UNT+0003"))) == 1


def test_text_is_of_the_character_set_that_unb_names():
    latin = WHOLE.replace(b"UNOA", b"UNOC").replace(b"929", b"\xfc")
    assert edifact.messages(latin)[0].segments[1].get(1) == "\u00fc"
    assert refusal(latin.replace(b"UNOC", b"UNOW")).startswith("message: byte ")
    assert refusal(WHOLE.decode().encode("utf-16-le")).startswith("UNB: ")


def test_segments_and_elements_are_bounded():
    assert "at most" in refusal(WHOLE.replace(b"929", b"9" * 5000))
    assert "at most 100 elements" in refusal(WHOLE.replace(b"929", b"+" * 100))
    assert "at most 100 elements" in refusal(WHOLE.replace(b"929", b":" * 100))
    assert "at most 200,000 segments" in refusal(WHOLE.replace(b"BGM+929+A'", b"BGM'" * 200_000))


def test_a_long_interchange_takes_time_by_its_length():
    segments = 100_000
    content = WHOLE.replace(b"BGM+929+A'", b"BGM+929+A'\n" * segments).replace(b"UNT+3", b"UNT+%d" % (segments + 2))
    assert len(edifact.messages(content)[0].segments) == segments + 2
