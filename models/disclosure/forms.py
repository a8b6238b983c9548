"""The structure that each form asks for: its sections and points in the official order, and what answers each point.

A point names the statements that the files can tell (facts/) and the questions that only people can answer
(answers.py). Titles are in words/: our own words, since the official texts are long. The texts are:

    annex-iv   Regulation (EU) 2024/1689 (AI Act), Annex IV: technical documentation of a high-risk system
    m-25-21    US OMB memorandum M-25-21 and its guidance on agency reporting of 27 June 2025: inventory of use cases
    atrs       UK Algorithmic Transparency Recording Standard, version 3: tiers 1 and 2
    study      the case study that the WCO's Smart Customs Community Portal asks of an administration
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

NAMES = ("annex-iv", "m-25-21", "atrs", "study")
QUARTER = "quarter"  # post-market monitoring, of which no outsider has a form


@dataclass(frozen=True)
class Point:
    """A point of a form: its official number, the facts that are told there, and the questions that people answer."""

    number: str
    facts: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A section of a form, by its official number."""

    number: str
    points: tuple[Point, ...]


@cache
def read(name: str) -> tuple[Section, ...]:
    """Return a form by its name; ValueError if there is none."""
    if name not in (*NAMES, QUARTER):
        raise ValueError(f"form is {name!r}; allowed: {', '.join(NAMES)}")
    content = tomllib.loads((Path(__file__).parent / "forms" / f"{name}.toml").read_text(encoding="utf-8"))
    return tuple(
        Section(
            section["number"],
            tuple(
                Point(each["number"], tuple(each.get("facts", ())), tuple(each.get("asks", ())))
                for each in section["points"]
            ),
        )
        for section in content["sections"]
    )
