"""A paper about a version, drawn up in one language: sections, points, what they say, and the sources of all of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from models.disclosure import forms
from models.disclosure.answers import FILE
from models.disclosure.facts import FACTS
from models.disclosure.material import Material
from models.disclosure.statement import Statement
from models.evidence import digests
from models.names import MODEL
from models.site import Words

WORDS = Path(__file__).parent / "words"


@dataclass(frozen=True)
class Said:
    """A statement with the numbers of its sources."""

    statement: Statement
    sources: Sequence[int]


@dataclass(frozen=True)
class Blank:
    """A question that only people can answer, and that nobody has answered yet; `key` names it in dossier.toml."""

    key: str
    question: str


@dataclass(frozen=True)
class Point:
    """A point of the form: what is said there, what is said elsewhere (`see`, numbers of points), and its blanks."""

    number: str
    title: str
    said: Sequence[Said]
    see: Sequence[str]
    blanks: Sequence[Blank]
    is_told: bool


@dataclass(frozen=True)
class Section:
    """A section of the form."""

    number: str
    title: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Source:
    """A cited file: its number in the paper, its name in the folder of sources, and its SHA-256 in hexadecimal."""

    number: int
    name: str
    sha256: str


@dataclass(frozen=True)
class Paper:
    """A paper as it is rendered. `say` has its language."""

    form: str
    version: int
    at: datetime
    say: Words
    sections: Sequence[Section]
    sources: Sequence[Source]

    @property
    def title(self) -> str:
        return self.say(f"{self.form}.title")

    @property
    def subject(self) -> str:
        """Return which version of which model this is about, and of when it is."""
        return self.say("subject", model=MODEL, version=self.version, at=self.say.moment(self.at))

    @property
    def points(self) -> list[Point]:
        return [point for section in self.sections for point in section.points]

    @property
    def told(self) -> int:
        """Return how many points are told without a blank, and without anything that was not measured."""
        return sum(point.is_told for point in self.points)

    @property
    def blanks(self) -> list[Blank]:
        """Return the questions that nobody has answered, each once."""
        return list(dict.fromkeys(blank for point in self.points for blank in point.blanks))

    @property
    def count(self) -> str:
        """Return in words how much is told, and where the rest is filled in."""
        blanks = len(self.blanks)
        return self.say("count", told=self.told, points=len(self.points), blanks=blanks, file=FILE)


def draw_up(material: Material, form: str, language: str) -> Paper:
    """Return the paper that a form asks for about a version; ValueError if there is no such form."""
    say = Words.read(WORDS, language)
    numbers: dict[str, int] = {}
    first: dict[str, tuple[str, Statement]] = {}

    def point(asked: forms.Point) -> Point:
        said, see, is_told = [], [], True
        for name in asked.facts:
            if name in first:
                where, statement = first[name]
                see.append(where)
            else:
                statement = FACTS[name](material, say)
                first[name] = asked.number, statement
                said.append(_cited(statement, numbers))
            is_told = is_told and not statement.is_open
        blanks = []
        for key in asked.asks:
            answer = material.answers.told.get(key)
            if answer is None:
                blanks.append(Blank(key, say(f"ask.{key}")))
            else:
                said.append(_cited(Statement(answer, (FILE,), by_people=True), numbers))
        title = say(f"{form}.{asked.number}")
        return Point(asked.number, title, said, list(dict.fromkeys(see)), blanks, is_told and not blanks)

    sections = [
        Section(each.number, say(f"{form}.section.{each.number}"), [point(asked) for asked in each.points])
        for each in forms.read(form)
    ]
    sources = [Source(number, name, digests.bytes_digest(material.content(name))) for name, number in numbers.items()]
    return Paper(form, material.version, material.at, say, sections, sources)


def _cited(statement: Statement, numbers: dict[str, int]) -> Said:
    return Said(statement, [numbers.setdefault(name, len(numbers) + 1) for name in statement.files])
