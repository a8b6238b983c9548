"""The limits on what may be wrong with a whole batch before it is refused: the section `[ingestion]` of the policy.

Not here: what is expected of single rows (expectations).
"""

from datetime import date

from pydantic import BaseModel, ConfigDict, Field


class Limits(BaseModel):
    """Thresholds of the checks on a whole batch; models/policy.toml says what each means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_quarantined_share: float = Field(ge=0, le=1)
    volume_factor: float = Field(gt=1)
    volume_history_weeks: int = Field(ge=1)
    volume_min_rows: int = Field(ge=1)
    public_holidays: tuple[date, ...] = ()
    first_day: date | None = None
    max_empty_in_a_row: int = Field(3, ge=1)
