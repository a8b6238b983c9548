"""Traders who cheat and answer what customs does: they move to where little is looked at, stop, and come back.

Only what is illicit answers; honest trade goes on as it was, but under its trader's new name, and while the trader is
away under the first one. A trader knows what a trader can know: which of its own consignments were inspected, and which
of its declarant's other clients', once the results are known. It sees no score, no policy, and no inspection of
strangers.

- **It moves.** After an inspection of its own, it looks at what its declarant's clients have declared and what has
  passed. If it believes that one of some such consignments ran a far smaller risk, it brings its illicit goods in at
  that place from now on: the same office, departure country and chapter. Each of its consignments is declared like one
  of about its value that has passed there, with that one's seller, route, origin, code, rate and words. With every move
  it comes closer in price as well, and evades as much less: a fraud that changes nothing brings in nothing.
  If it is inspected there too, its name is what customs looks for, so the next move goes with another name. Moving
  costs, so it can do so only a few times.
- **It stops.** After some hits under one name, nothing illicit comes from it any more.
- **It comes back.** Some of those who stopped go on some weeks later under a new name. The register tells of it a part
  of what it told of the old one, and some have a new seller.

What is left to chance is drawn once for each declaration and each trader, before anybody chooses, so that strategies
meet the same traders with the same luck.
"""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl

from features.arrays import Floats, Ints
from features.contract import KEY
from features.facts import asof, entity_codes, kinds
from features.network import links
from models.backtesting.replay import WEEK_DAYS, Answer, ReplayedWorld
from models.document import Document

PLACE = ("office", "departure_country", "hs2")  # of which a trader has beliefs
# What a consignment takes over from the one that it is declared like.
LIKENESS = (
    *("office", "departure_country", "transport_mode", "seller_id", "origin_country", "origin_marking"),
    *("hs_code", "hs2", "hs4", "hs6", "goods_description", "tax_rate_pct", "tax_type", "quantity_unit"),
    *("log_value_per_kg", "unit_kg", "gross_per_net"),
)
_OPTIONS = 16  # consignments of its declarant's clients that a trader looks at, at each move and each consignment
_PRIOR = 10  # consignments after which a belief is half one's own experience
_LEAST = 0.01  # of a value, before its logarithm is taken
_NEVER = (asof.NEVER - date(1970, 1, 1)).days
_NAME = pl.when(pl.col("number") > 0).then(pl.format("{}-{}", "trader", "number")).otherwise("trader")
_RATIOS = {
    "unit_kg": pl.when(pl.col("quantity") > 0).then(pl.col("net_mass_kg") / pl.col("quantity")),
    "gross_per_net": pl.when(pl.col("net_mass_kg") > 0).then(pl.col("gross_mass_kg") / pl.col("net_mass_kg")),
}


class Behaviour(Document):
    """How traders answer; shares are from 0 to 1."""

    moves: int = 3  # that a trader can pay for
    bolder: float = 0.6  # it moves to where it believes the risk to be less than this share of today's
    kept: float = 0.5  # at each move, of how far its price lies from what is usual, and of what it evades
    most_hits: int = 3  # each trader stops after 1 to so many under one name
    comes_back: float = 0.6  # share of those who stop
    away_weeks: tuple[int, int] = (3, 12)  # until it comes back, at least and at most
    keeps_seller: float = 0.5  # share of those who come back
    keeps_entry: float = 0.45  # share of the register's entries that are the same under the new name
    memory_weeks: int = 26


@dataclass(frozen=True)
class Traders:
    """The traders of a world, and what has become of each in a replay.

    `each` has a row for every importer (`trader`) with what was drawn for it: `patience` (hits), `away` (weeks, null
    for ever) and `keeps_seller`; and with what has become of it: the `name` that its illicit goods come under, which
    name that is (`number`, from 0), the day from which it brings some (`opens`), its `moves`, the day of the last one
    (`since`), and the consignment that it moved for (`LIKENESS`, null before it moves). `options` (rows of the world at
    first, named by `keys`, x `_OPTIONS`) picks at whom a trader looks. `usual` has the price of a subheading.
    """

    behaviour: Behaviour
    each: pl.DataFrame
    keys: pl.DataFrame
    options: Floats
    usual: pl.DataFrame

    @classmethod
    def of(cls, world: ReplayedWorld, seed: int, behaviour: Behaviour) -> "Traders":
        """Draw all that is left to chance; nobody has answered yet."""
        rows, rng = world.history.rows.with_columns(**_RATIOS), np.random.default_rng([seed, 1])
        names = rows["importer_id"].drop_nulls().unique().sort()
        n, (least, most) = len(names), behaviour.away_weeks
        drawn = {
            "trader": names,
            "patience": rng.integers(1, behaviour.most_hits + 1, n),
            "away": rng.integers(least, most + 1, n),
            "comes_back": rng.random(n) < behaviour.comes_back,
            "keeps_seller": rng.random(n) < behaviour.keeps_seller,
        }
        each = pl.DataFrame(drawn).with_columns(
            away=pl.when("comes_back").then("away"),
            name="trader",
            number=pl.lit(0, pl.Int64),
            opens=pl.lit(0, pl.Int64),
            moves=pl.lit(0, pl.Int64),
            since=pl.lit(world.first_day - 1, pl.Int64),
            **{name: pl.lit(None, rows.schema[name]) for name in LIKENESS},
        )
        before = rows[: world.weeks[0].start]
        return cls(
            behaviour,
            each.drop("comes_back"),
            rows.select(KEY).with_row_index("drawn_at"),
            rng.random((rows.height, _OPTIONS)),
            before.group_by("hs6").agg(usual=pl.col("log_value_per_kg").median()),
        )

    def answer(self, world: ReplayedWorld, number: int, found: pl.DataFrame) -> Answer:
        """Return week `number` as traders declare it who know `found`, the outcomes of this replay, as of its Monday.

        The rows of the answer have `is_moved` and `is_renamed`; what is honest is not moved.
        """
        today = world.first_day + WEEK_DAYS * number
        known = found.filter(pl.col("day") < today)
        traders = self._with(self._stopped(known.filter(pl.col("day") >= world.first_day), today))

        rows = world.weeks[number]
        week = pl.concat([world.history.rows[rows], world.truth[rows].select("is_illicit")], how="horizontal")
        opens = traders.each.select("opens", importer_id="trader")
        is_declared = ~pl.col("is_illicit") | (pl.col("day") >= pl.col("opens").fill_null(0))
        kept = week.join(opens, on="importer_id", how="left", maintain_order="left").select(is_declared).to_series()
        week, truth = week.filter(kept), world.truth[rows].filter(kept)

        illicit = week.filter("is_illicit")
        clients = traders._clients(world, illicit, rows.start, known, today)
        traders = traders._with(traders._moved(illicit, clients, known, today))
        declared = traders._declared(week, clients.filter(~pl.col("is_inspected")))
        renamed = traders.each.join(self.each.select("trader", before="name"), on="trader").filter(
            pl.col("name") != pl.col("before"), pl.col("opens") < _NEVER
        )
        evades = pl.when(declared["is_moved"]).then(self.behaviour.kept ** declared["moves"]).otherwise(1.0)
        return Answer(
            world.redeclared(
                rows,
                declared.select(world.history.rows.columns),
                truth.with_columns(evaded_revenue=pl.col("evaded_revenue") * evades),
                _told_of(world.history.told, renamed, today, self.behaviour.keeps_entry),
            ),
            declared.select("is_moved", "is_renamed"),
            traders,
        )

    def _with(self, changed: pl.DataFrame) -> "Traders":
        """Return all traders, those in `changed` as they are there."""
        others = self.each.join(changed, on="trader", how="anti")
        return replace(self, each=pl.concat([others, changed.select(others.columns)]).sort("trader"))

    def _stopped(self, known: pl.DataFrame, today: int) -> pl.DataFrame:
        """Return the traders who stop today, with the next name of each and the day on which it opens."""
        hits = known.filter("is_illicit", pl.col("sign") > 0).group_by(name="importer_id").agg(hits=pl.len())
        return (
            self.each.filter(pl.col("opens") < _NEVER)
            .join(hits, on="name", how="inner", maintain_order="left")
            .filter(pl.col("hits") >= pl.col("patience"))
            .with_columns(pl.col("number") + 1, opens=(today + WEEK_DAYS * pl.col("away")).fill_null(_NEVER))
            .with_columns(name=_NAME)
        )

    def _moved(
        self, consignments: pl.DataFrame, clients: pl.DataFrame, known: pl.DataFrame, today: int
    ) -> pl.DataFrame:
        """Return the traders who move today: those who were inspected since they last did, and know a better place.

        `consignments` are the illicit ones of the week. A trader decides by the first of its own.
        """
        seen = known.group_by(name="importer_id").agg(last=pl.col("day").max())
        movers = (
            self.each.filter(pl.col("moves") < self.behaviour.moves)
            .join(seen, on="name")
            .filter(pl.col("last") > pl.col("since"))
        )
        asking = (
            consignments.unique("importer_id", keep="first", maintain_order=True)
            .select(*KEY, "declarant_id", *(pl.col(name).alias(f"{name}_own") for name in PLACE), trader="importer_id")
            .join(movers, on="trader", maintain_order="left")
            .with_columns(pl.coalesce(name, f"{name}_own").alias(name) for name in PLACE)
        )
        passed = clients.filter(~pl.col("is_inspected")).sort("declarant_id", maintain_order=True)
        asking = asking.join(_spans(passed, ["declarant_id"]), on="declarant_id", maintain_order="left")
        if asking.is_empty():
            return asking
        looked_at = self._looked_at(asking)
        risks = _risks(clients, passed[looked_at.ravel()]).reshape(looked_at.shape)
        best = risks.argmin(axis=1)
        choices = passed.select(LIKENESS)[looked_at[np.arange(len(best)), best]]
        is_better = risks.min(axis=1) < self.behaviour.bolder * _risks(clients, asking)
        moved = asking.with_columns(
            pl.col("moves") + 1,
            pl.col("number") + (pl.col("moves") > 0),
            since=pl.lit(today, pl.Int64),
            **choices.to_dict(),
        )
        return moved.with_columns(name=_NAME).filter(is_better)

    def _looked_at(self, asking: pl.DataFrame) -> Ints:
        """Return the rows (`asking` x `_OPTIONS`) that were drawn for each, from its `first` to its last."""
        drawn = self.options[asking.join(self.keys, on=KEY, maintain_order="left")["drawn_at"].to_numpy()]
        return (asking["first"].to_numpy() + drawn.T * asking["count"].to_numpy()).astype(np.int64).T

    def _clients(
        self, world: ReplayedWorld, consignments: pl.DataFrame, until: int, known: pl.DataFrame, today: int
    ) -> pl.DataFrame:
        """Return what clients of the consignments' declarants have declared, and whether it `is_inspected`.

        Consignments whose result may still come in tell nothing yet.
        """
        first = today - WEEK_DAYS * self.behaviour.memory_weeks
        return (
            world.history.rows[:until]
            .filter(pl.col("day").is_between(first, today - world.label_delay_days, closed="left"))
            .join(consignments, on="declarant_id", how="semi", maintain_order="left")
            .join(known.select(*KEY, is_inspected=True).unique(KEY), on=KEY, how="left", maintain_order="left")
            .with_columns(pl.col("is_inspected").fill_null(value=False), **_RATIOS)
        )

    def _declared(self, week: pl.DataFrame, passed: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of `week` as their traders declare them, with `is_moved` and `is_renamed`.

        `passed` is what declarants' clients have brought in without an inspection. A consignment whose declarant has
        none at the trader's place is declared like the one for which the trader moved.
        """
        own = self.each.rename({name: f"{name}_like" for name in LIKENESS})
        deviation = (pl.col("log_value_per_kg") - pl.col("usual")).fill_null(0) * self.behaviour.kept ** pl.col("moves")
        mass = pl.col("item_value") / 10 ** (pl.col("log_value_per_kg_like") + deviation)
        moved = {name: pl.col(f"{name}_like") for name in LIKENESS if name not in ("log_value_per_kg", *_RATIOS)} | {
            "net_mass_kg": pl.col("mass"),
            "gross_mass_kg": (pl.col("mass") * pl.col("gross_per_net_like")).round(3),
            "quantity": (pl.col("mass") / pl.col("unit_kg_like")).round().clip(1),
        }
        seller = pl.format("{}-{}", "seller_id", "number")
        return (
            week.join(own, left_on="importer_id", right_on="trader", how="left", maintain_order="left")
            .pipe(self._anew, passed)
            .join(self.usual, on="hs6", how="left", maintain_order="left")
            .with_columns(
                mass=pl.coalesce(mass.round(3), "net_mass_kg"),
                is_moved=pl.col("is_illicit") & (pl.col("moves") > 0).fill_null(value=False),
                is_renamed=((pl.col("number") > 0) & (pl.col("day") >= pl.col("opens"))).fill_null(value=False),
            )
            .with_columns(
                importer_id=pl.when("is_renamed").then("name").otherwise("importer_id"),
                seller_id=pl.when("is_renamed", ~pl.col("keeps_seller")).then(seller).otherwise("seller_id"),
            )
            .with_columns(pl.when("is_moved").then(value).otherwise(name).alias(name) for name, value in moved.items())
            .with_columns(**kinds.DERIVED)
        )

    def _anew(self, week: pl.DataFrame, passed: pl.DataFrame) -> pl.DataFrame:
        """Return `week` in its order, each moved consignment with the likeness of one of its value at its place."""
        at = ["declarant_id", *PLACE]
        passed = passed.sort(at, maintain_order=True)
        there = {f"{name}_like": name for name in PLACE}
        asking = week.filter("is_illicit").drop(PLACE).rename(there).join(_spans(passed, at), on=at)
        options = self._looked_at(asking)
        worth, own = (np.log10(np.maximum(each["item_value"].to_numpy(), _LEAST)) for each in (passed, asking))
        likest = options[np.arange(len(options)), np.abs(worth[options] - own[:, None]).argmin(axis=1)]
        likeness = passed.select(pl.col(LIKENESS).name.suffix("_like"))[likest]
        return week.update(pl.concat([asking.select(KEY), likeness], how="horizontal"), on=KEY, include_nulls=True)


def _spans(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Return for each value of `by` the `first` of its rows and their `count`; `rows` are sorted by it."""
    return rows.with_row_index("at").group_by(by).agg(first=pl.col("at").min(), count=pl.len())


def _risks(clients: pl.DataFrame, asked: pl.DataFrame) -> Floats:
    """Return the chance of an inspection at each place of `asked` that a client of its declarant believes in.

    Offices, routes and chapters are believed to raise or lower the declarant's usual chance independently, each as far
    as its clients have met it.
    """

    def rate(by: list[str], towards: Floats | float) -> Floats:
        seen = clients.group_by(by).agg(inspected=pl.col("is_inspected").sum(), n=pl.len())
        counted = asked.select(by).join(seen, on=by, how="left", maintain_order="left").fill_null(0)
        return (counted["inspected"].to_numpy() + _PRIOR * towards) / (counted["n"].to_numpy() + _PRIOR)

    usual = rate(["declarant_id"], float(clients["is_inspected"].to_numpy().mean()))
    risk = usual
    for name in PLACE:
        risk = risk * rate(["declarant_id", name], usual) / usual
    return risk


def _told_of(told: pl.DataFrame, renamed: pl.DataFrame, today: int, keeps: float) -> pl.DataFrame:
    """Return what registers told, and what they tell of each new `name` from the day on which it opens."""
    if renamed.is_empty():
        return told
    companies = renamed.select(
        company=pl.Series(links.node("importer", renamed["before"])),
        new=pl.Series(links.node("importer", renamed["name"])),
        opens=pl.max_horizontal("opens", today),
    )
    entries = told.filter(pl.col("sign") > 0, pl.col("ends").is_null()).join(companies, on="company")
    own = entity_codes.mixed([entries["value"].to_numpy(), entries["new"].to_numpy()], entries.height)
    is_kept = own < np.uint64(keeps * 2**64)  # a hash is as good as a draw
    value = np.where(is_kept, entries["value"].to_numpy(), own)
    fresh = entries.select(company="new", value=pl.Series(value), ends="ends", enter="opens", sign="sign")
    return pl.concat([told, fresh.cast(dict(told.schema))])
