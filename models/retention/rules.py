"""The file `retention.toml`: for how many days which table is kept. What has no rule is kept for ever.

    [days]
    messages = 1825     # messages of declarants, from the last day on which a decision names them
    photos = 365        # photos of goods, from the day on which they were taken in
    versions = 730      # versions of the data that no version of the model needs any more

Decisions, findings and the ledger have no rule: what was decided, and by whom, stays provable.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

FILE = "retention.toml"
TABLES = ("messages", "photos", "versions")
LEAST, MOST = 30, 36_500  # days


@dataclass(frozen=True)
class Rules:
    """Holds the days for which tables are kept, by table."""

    days: Mapping[str, int]

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read the file; without one there is no rule. ValueError says which key is wrong, and what is allowed."""
        if not file.exists():
            return cls({})
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{file} is not TOML in UTF-8: {error}") from error
        days = content.pop("days", {})
        if content or not isinstance(days, dict):
            raise ValueError(f"{file}: {next(iter(content), 'days')} is not allowed; allowed: a table [days]")
        for table, count in days.items():
            if table not in TABLES:
                raise ValueError(f"{file}: {table} is no table with a rule; allowed: {', '.join(TABLES)}")
            if type(count) is not int or not LEAST <= count <= MOST:
                raise ValueError(f"{file}: {table} is {count!r}; allowed: a whole number of days, {LEAST} to {MOST:,}")
        return cls(days)
