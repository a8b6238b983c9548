"""A source whose amounts are converted to the currency that its mapping states, batch by batch as they are read.

    [amounts]
    currency = "EUR"          # in which everything is computed, revenue recovered included
    rates = "rates.csv"       # day,currency,rate: what one unit is worth in EUR; from the mapping file's folder
    max_age_days = 7          # a day without a rate has the latest one before it, at most so old; default 7

features/validation/amounts.py says what a rate is and which one counts.
"""

import hashlib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from features import codes
from features.reading import Batch, Chunk, Source
from features.validation import amounts


class Amounts(BaseModel):
    """The section `[amounts]` of a mapping file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: str
    rates: Path
    max_age_days: int = Field(7, ge=0, le=366)

    @field_validator("currency")
    @classmethod
    def _exists(cls, currency: str) -> str:
        if currency not in codes.currencies():
            raise ValueError(f"currency is {currency!r}; allowed: a code of ISO 4217, such as EUR")
        return currency


@dataclass(frozen=True)
class _Converted:
    batch: Batch
    rates: amounts.Rates

    @property
    def name(self) -> str:
        return self.batch.name

    @property
    def sha256(self) -> str:
        """Return the digest of the batch and the currency.

        The rates are left out: their table grows every day, and old rows must not arrive anew.
        """
        return hashlib.sha256(f"{self.batch.sha256} {self.rates.currency}".encode()).hexdigest()

    def chunks(self) -> Iterator[Chunk]:
        for chunk in self.batch.chunks():
            tables = dict(chunk.tables)
            if "declarations" in tables:
                tables["declarations"] = self.rates.convert(tables["declarations"])
            yield replace(chunk, tables=tables)


@dataclass(frozen=True)
class _ConvertedSource:
    source: Source
    rates: amounts.Rates

    @property
    def name(self) -> str:
        return self.source.name

    def batches(self) -> Iterator[Batch]:
        return (_Converted(batch, self.rates) for batch in self.source.batches())


def in_one_currency(source: Source, mapping: Path) -> Source:
    """Return `source` with its amounts converted as the section `[amounts]` of its valid mapping file says.

    Without the section, `source` is returned as it is.
    """
    with mapping.open("rb") as file:
        stated = tomllib.load(file).get("amounts")
    if stated is None:
        return source
    section = Amounts.model_validate(stated)
    rates = amounts.Rates.read(section.currency, mapping.parent / section.rates, section.max_age_days)
    return _ConvertedSource(source, rates)
