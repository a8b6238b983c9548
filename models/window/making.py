"""How a day's ground is made from what is stored: in the morning, and again when another champion comes into force."""

import polars as pl

from features.contract import KEY
from features.matrix import Morning, cache
from models.dossier import Incumbent
from models.live.forecast import WINDOW_DAYS
from models.policy import Policy
from models.window.ground import Familiar, Ground
from models.window.profile import profiled
from models.workspace import Workspace

NOTHING_PAST = pl.DataFrame(
    schema={
        "declaration_id": pl.String(),
        "item_number": pl.Int32(),
        "office": pl.String(),
        "accepted_at": pl.Datetime("us"),
        "score": pl.Float64(),
        "critical": pl.Float64(),
        "revenue_if_illicit": pl.Float64(),
        "hit_value": pl.Float64(),
    }
)


def scored(
    workspace: Workspace,
    built: cache.Built,
    morning: Morning,
    champion: Incumbent,
    shadows: tuple[Incumbent, ...],
    secret: bytes,
) -> Ground:
    """Return a ground on which the champion is asked; ValueError where nothing was ever inspected.

    `built` is the matrix of what is stored, and `morning` what was known before the day.
    """
    past = workspace.recent(built, morning.day, WINDOW_DAYS)
    said = champion.model.predict(past)
    past = past.with_columns(*said.drop(KEY), hit_value=champion.model.hit_value)
    backlog = workspace.backlog(built, champion.model, workspace.selections.read())
    familiar = Familiar.of(backlog.exploring(morning.day), champion, past)
    return Ground(
        morning.day, champion.policy, secret, past.select(NOTHING_PAST.columns), morning, champion, shadows, familiar
    )


def by_profile(
    workspace: Workspace, built: cache.Built, morning: Morning, policy: Policy, secret: bytes, why: str
) -> Ground:
    """Return a ground on which the risk profile is asked, because no model can be; `why` says so."""
    past = workspace.recent(built, morning.day, WINDOW_DAYS)
    past = past.with_columns(*profiled(past), hit_value=0.0)
    return Ground(morning.day, policy, secret, past.select(NOTHING_PAST.columns), morning, unscored=why)
