"""UN/EDIFACT interchanges as segments: service characters, release characters, and the control segments.

Syntax versions 1 to 4 without security or packages. Everything that the control segments say is checked: references,
and the numbers of segments and messages. Not here: what segments mean (cusdec).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from string import punctuation
from typing import NamedTuple

from features.messages.told import MessageRefused
from features.messages.values import shown

ENCODINGS = {"UNOA": "ascii", "UNOB": "ascii", "UNOC": "iso8859-1", "UNOW": "utf-8"}
MOST_SEGMENTS = 200_000
MOST_ELEMENTS = 100
LONGEST_SEGMENT = 5_000
_UNSEEN = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]")


class _Service(NamedTuple):
    """The characters that separate and release; a blank release character releases nothing."""

    component: str = ":"
    element: str = "+"
    mark: str = "."
    release: str = "?"
    terminator: str = "'"


@dataclass(frozen=True)
class Segment:
    """A segment: its number in its message from 1, its tag, and its elements, each a list of components."""

    number: int
    tag: str
    elements: tuple[tuple[str, ...], ...]

    def get(self, element: int, component: int = 1) -> str | None:
        """Return a component, both counted from 1; None where nothing stands there."""
        if element > len(self.elements) or component > len(self.elements[element - 1]):
            return None
        return self.elements[element - 1][component - 1].strip() or None


@dataclass(frozen=True)
class Message:
    """A message of an interchange: its segments, UNH and UNT included, and the sign that marks decimals in it."""

    segments: tuple[Segment, ...]
    decimal_mark: str


def messages(content: bytes) -> list[Message]:
    """Return the messages of an interchange; MessageRefused if its form or its control segments are not right.

    >>> [message.segments[1].get(1) for message in messages(
    ...     b"UNB+UNOA:3+B1+C1+240301:0930+7'UNH+1+CUSDEC:D:96B:UN'BGM+9?+1'UNT+3+1'UNZ+1+7'")]
    ['9+1']
    >>> messages(b"UNB+UNOA:3+B1+C1+240301:0930+7'UNH+1+CUSDEC:D:96B:UN'")
    Traceback (most recent call last):
    ...
    features.messages.told.MessageRefused: UNT: empty; expected: UNT at the end of message '1'
    """
    service, body = _service(content)
    segments = list(_segments(_decoded(body, service), service))
    first, last = segments[0], segments[-1]
    found = list(_split(segments[1:-1] if last.tag == "UNZ" else segments[1:], service.mark))
    if last.tag != "UNZ":
        raise MessageRefused("UNZ", shown(None), "UNZ at the end of the interchange")
    _equal("UNZ, element 1 (number of messages)", last.get(1), str(len(found)))
    _equal("UNZ, element 2 (reference)", last.get(2), first.get(5))
    return found


def _service(content: bytes) -> tuple[_Service, bytes]:
    """Return the service characters, and the content after them: those of UNA, or the usual ones."""
    if not content.startswith(b"UNA"):
        return _Service(), content
    told = content[3:9].decode("latin-1")
    service = _Service(told[0:1], told[1:2], told[2:3], told[3:4], told[5:6])
    signs = [service.component, service.element, service.terminator, *service.release.strip()]
    are_signs = len(told) == 6 and all(each in punctuation for each in signs)
    if not are_signs or len(set(signs)) < len(signs) or service.mark not in ",.":
        raise MessageRefused("UNA", shown(told), "six service characters, all different, as :+.? '")
    return service, content[9:]


def _decoded(body: bytes, service: _Service) -> str:
    """Return the interchange as text, in the character set that its UNB names."""
    begin = body.lstrip(b"\r\n")
    named = begin[3:8].decode("latin-1")
    if not begin.startswith(b"UNB") or named[:1] != service.element:
        raise MessageRefused("UNB", shown(begin[:20].decode("latin-1") or None), "UNB at the beginning")
    if named[1:] not in ENCODINGS:
        raise MessageRefused("UNB, element 1 (character set)", shown(named[1:]), f"one of {', '.join(ENCODINGS)}")
    try:
        text = body.decode(ENCODINGS[named[1:]])
    except UnicodeDecodeError as error:
        raise MessageRefused("message", f"byte {error.start} is not of {named[1:]}", f"text in {named[1:]}") from None
    unseen = _UNSEEN.search(text)
    if unseen:
        raise MessageRefused(
            "message", f"{shown(unseen[0])} at character {unseen.start() + 1}", "no control characters"
        )
    return text


def _segments(text: str, service: _Service) -> Iterator[Segment]:
    """Yield the segments of an interchange, numbered within their message."""
    end, release = re.escape(service.terminator), re.escape(service.release)
    body = rf"[^{end}]*" if service.release == " " else rf"(?:{release}.|[^{end}{release}])*"
    segment = re.compile(rf"[\r\n]*({body}){end}", re.DOTALL)
    text = text.rstrip("\r\n")
    place = number = total = 0
    while place < len(text):
        found = segment.match(text, place)
        if found is None:
            raise MessageRefused(
                f"segment {total + 1}", shown(text[place : place + 60]), "a segment with its terminator"
            )
        total += 1
        elements = _elements(found[1], service, total)
        tag = elements[0][0]
        if len(elements[0]) > 1 or not (len(tag) == 3 and tag.isalnum() and tag.isascii() and tag.isupper()):
            raise MessageRefused(f"segment {total}", shown(found[1]), "a tag of three capital letters or digits")
        number = 1 if tag == "UNH" else number + 1
        yield Segment(number, tag, tuple(elements[1:]))
        place = found.end()


def _elements(text: str, service: _Service, number: int) -> list[tuple[str, ...]]:
    """Return the elements of a segment, released signs among their text."""
    if number > MOST_SEGMENTS or len(text) > LONGEST_SEGMENT:
        allowed = f"{MOST_SEGMENTS:,} segments of {LONGEST_SEGMENT:,} characters"
        raise MessageRefused(f"segment {number}", shown(text), f"at most {allowed}")
    if service.release not in text or service.release == " ":
        elements = [each.split(service.component) for each in text.split(service.element)]
    else:
        elements = _released(text, service)
    if len(elements) > MOST_ELEMENTS or max(map(len, elements)) > MOST_ELEMENTS:
        raise MessageRefused(f"segment {number}", shown(text), f"at most {MOST_ELEMENTS} elements")
    return [tuple(each) for each in elements]


def _released(text: str, service: _Service) -> list[list[str]]:
    """Return the elements of a segment in which some signs are released, which then are text."""
    elements: list[list[str]] = [[""]]
    is_released = False
    for sign in text:
        if is_released or sign not in (service.release, service.element, service.component):
            elements[-1][-1] += sign
            is_released = False
        elif sign == service.release:
            is_released = True
        elif sign == service.element:
            elements.append([""])
        else:
            elements[-1].append("")
    return elements


def _split(segments: list[Segment], mark: str) -> Iterator[Message]:
    """Yield the messages between UNB and UNZ, each with the reference and the number of segments that its UNT says."""
    message: list[Segment] = []
    for segment in segments:
        if not message and segment.tag != "UNH":
            raise MessageRefused(segment.tag, shown(segment.tag), "UNH at the beginning of each message")
        if message and segment.tag in ("UNH", "UNB", "UNZ"):
            break
        message.append(segment)
        if segment.tag == "UNT":
            _equal("UNT, element 1 (number of segments)", segment.get(1), str(len(message)))
            _equal("UNT, element 2 (reference)", segment.get(2), message[0].get(1))
            yield Message(tuple(message), mark)
            message = []
    if message:
        raise MessageRefused("UNT", shown(None), f"UNT at the end of message {shown(message[0].get(1))}")


def _equal(element: str, given: str | None, wanted: str | None) -> None:
    is_same = given == wanted or (given is not None and given.isdecimal() and given.lstrip("0") == wanted)
    if given is None or not is_same:
        raise MessageRefused(element, shown(given), shown(wanted).strip("'"))
