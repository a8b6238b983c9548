"""The file `dossier.toml`: what only people can say of the use of a model, a text for each question.

    owner = "Customs Administration of Ruritania, 1 Harbour Square"
    appeals = '''
    Whoever was inspected may write to ...
    '''

The questions themselves are in words/, under the names of the keys. An answer is told as it stands, in the language in
which it was written.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

FILE = "dossier.toml"
LONGEST = 20_000  # characters of an answer
QUESTIONS = (
    "owner",
    "team",
    "responsible",
    "contact",
    "website",
    "publication",
    "topic",
    "high_impact",
    "legal_basis",
    "problem",
    "benefits",
    "previous_process",
    "alternatives",
    "procurement",
    "third_parties",
    "authorization",
    "open_data",
    "source_code",
    "data_sharing",
    "data_access",
    "privacy",
    "privacy_assessment",
    "misuse",
    "impacts",
    "impact_assessment",
    "independent_review",
    "risk_register",
    "standards",
    "declaration",
    "staff_training",
    "consultation",
    "appeals",
    "retention",
    "costs",
    "lessons",
)


@dataclass(frozen=True)
class Answers:
    """Holds the answers by question, and the file as it lay on the disk; both are empty where there is none."""

    told: Mapping[str, str]
    written: bytes = b""

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read the file; ValueError names the key, what is wrong with it and what is allowed."""
        if not file.exists():
            return cls({})
        written = file.read_bytes()
        try:
            content = tomllib.loads(written.decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{file} is not TOML in UTF-8: {error}") from error
        for name, answer in content.items():
            if name not in QUESTIONS:
                raise ValueError(f"{file}: {name} is not a question; allowed: {', '.join(QUESTIONS)}")
            if not isinstance(answer, str) or not answer.strip() or len(answer) > LONGEST:
                raise ValueError(f"{file}: {name} is no answer; allowed: text in quotes, up to {LONGEST:,} characters")
        return cls({name: answer.strip() for name, answer in content.items()}, written)
