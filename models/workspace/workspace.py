"""The use cases on one source's declarations, by one policy; nothing here knows what runs them.

A caller says which policy decides: that of the version in force, or, for what will be signed, the one on the disk.
"""

import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from features.contract import KEY
from features.disk import PARTIAL, atomic
from features.facts import asof
from features.ingestion import BatchReport, IngestReport, ingest
from features.matrix import Morning, cache
from features.network_map import build
from features.presentation import spreadsheet
from features.progress import Progress
from features.store import Store
from features.validation import amounts
from models.criteria import Criterion, Register, figures
from models.decisions import exports
from models.detection import LookLog, looks, required
from models.dossier import Incumbent
from models.places import Places
from models.policy import Policy
from models.reasons import reasons
from models.risk import RiskModel
from models.targeting import Backlog, selection_log, work_list
from models.training import days


def why_empty(store: Store) -> str | None:
    """Return the sentence on a source of which nothing is stored; None if something is."""
    if store.days():
        return None
    return f"{store.root} holds no declarations; retrain on source {store.root.name} first"


@dataclass(frozen=True)
class Choice:
    """Holds what a run chose: the `rows` that the log keeps, and the features of the same `declarations`, in order.

    Both are empty if all declarations until `last_day`, the last one with any, were chosen before.
    """

    last_day: date
    declarations: pl.DataFrame
    rows: pl.DataFrame


@dataclass(frozen=True)
class Explained:
    """The items of a declaration, the model's `predictions` for each, and the `reasons` for them (models.reasons)."""

    version: str
    alias: str
    importer_id: str
    predictions: pl.DataFrame
    reasons: pl.DataFrame


@dataclass(frozen=True)
class Workspace:
    """Works with the declarations of `source`, as `policy` decides about them."""

    places: Places
    policy: Policy
    source: str

    @property
    def store(self) -> Store:
        # The path is absolute, because the workers that compute may have another working folder.
        return Store(self.places.store(self.source).absolute())

    @property
    def selections(self) -> selection_log.SelectionLog:
        return selection_log.SelectionLog(self.places.selections(self.source))

    @property
    def second_looks(self) -> LookLog:
        return LookLog(self.places.second_looks(self.source))

    @property
    def tomorrow(self) -> date:
        """Return the day before which everything is known that is stored."""
        return cache.last_known_day(self.store, self._delay) + timedelta(days=1)

    @property
    def _delay(self) -> int:
        return self.policy.features.label_delay_days

    @property
    def _matrix(self) -> Path:
        return self.places.features(self.source, self._delay)

    def features(self, on_progress: Progress | None = None, run: cache.Runner = cache.one_after_another) -> cache.Built:
        """Compute the matrix of what is stored, for the days that are new or changed; the other days are cached.

        ValueError where amounts are of several currencies.
        """
        amounts.of_store(self.store)
        return cache.build(self.store, self._delay, self._matrix, on_progress, run=run)

    def dataset(self, built: cache.Built) -> pl.LazyFrame:
        """Return the features of every declaration with the labels that are known by now."""
        return cache.dataset(self.store, built, self._delay, cache.last_known_day(self.store, self._delay))

    def detects(self, before: date) -> float | None:
        """Return the detection that a training allows for, by second looks known before a day.

        None if the policy's loss takes what was not found for licit; ValueError where it is not estimated.
        """
        if not self.policy.training.missed_detection_loss:
            return None
        return required(self.second_looks.read(), before)

    def morning(self, day: date) -> Morning:
        """Return what is known before `day`, for declarations of that day that are not stored yet.

        ValueError where nothing is stored, or amounts are of several currencies.
        """
        amounts.of_store(self.store)
        return Morning.of(self.store, self._delay, self._matrix, day)

    def network(self, data_version: str) -> build.Description:
        """Bring the network's files up to date, from what is settled for the features and what is new."""
        amounts.of_store(self.store)
        return build.build(self.store, self._delay, self._matrix, self.places.networks / self.source, data_version)

    def explain(
        self, version: Incumbent, declaration_id: str, language: str, on_progress: Progress | None = None
    ) -> Explained:
        """Return what a version says of a stored declaration, and why; LookupError if it is not stored."""
        items = self.features(on_progress).scan().filter(pl.col("declaration_id") == declaration_id).collect()
        if items.is_empty():
            raise LookupError(f"declaration {declaration_id!r} is not stored in {self.places.store(self.source)}")
        own = self.store.scan("declarations").filter(pl.col("declaration_id") == declaration_id).select("importer_id")
        importer: str = own.first().collect().item()
        return Explained(
            version.version,
            version.alias,
            importer,
            version.model.predict(items),
            reasons(version.model, items, language),
        )

    def choose(self, built: cache.Built, champion: Incumbent, register: Register) -> Choice:
        """Choose a lane for every declaration that has none; criteria that hold on its day come first.

        The draw is seeded by the system's entropy, so that no trader can foretell it. The seed is kept with what was
        drawn, so that an auditor can draw it again. Each day is drawn by itself, from what was known before it,
        whichever other days wait.
        """
        before = self.selections.read()
        every = built.scan().with_columns(accepted_on=pl.col("accepted_at").dt.date())
        _, last_day = days.of_data(every)
        declarations = selection_log.pending(self._with_importers(every), before, last_day)
        if declarations.is_empty():
            return Choice(last_day, declarations, pl.DataFrame(schema=selection_log.SCHEMA))
        seed = secrets.randbits(128)
        waiting = self.backlog(built, champion.model, before)
        by_day = declarations.partition_by("accepted_on", maintain_order=True)
        chosen = pl.concat(waiting.choose(rows, seed, self._met(rows, register)) for rows in by_day).with_columns(
            hit_value=pl.lit(champion.model.hit_value),
            model_version=pl.lit(champion.version),
            model_digest=pl.lit(champion.model.digest),
            policy_digest=pl.lit(self.policy.digest),
            draw_seed=pl.lit(f"{seed:032x}"),
            selected_at=pl.lit(datetime.now(UTC)),
        )
        return Choice(last_day, declarations, chosen)

    def _met(self, rows: pl.DataFrame, register: Register) -> list[tuple[Criterion, ...]]:
        """Return which criteria each of the rows of a day meets; nothing if none is in force."""
        day: date = rows["accepted_on"][0]
        in_force = register.in_force(day)
        if not in_force.criteria:
            return []
        declared = self.store.scan("declarations", day, day).collect()
        return in_force.matching(rows.select(KEY).join(declared, on=KEY, how="left", maintain_order="left"))

    def take_in(self, on_batch: Callable[[BatchReport], None]) -> IngestReport:
        """Bring what window and desk have handed over into the logs and the store; errors are those of `ingest`.

        Selections come first: what was chosen already must not be chosen again by the night.
        """
        folder = self.places.decided_days(self.source)
        known = self.selections.read().select(KEY)
        new = exports.selections(folder).join(known, on=KEY, how="anti", maintain_order="left")
        if not new.is_empty():
            self.selections.append(new)
        self.second_looks.append(looks.handed_over(folder))
        # How many come by way of the window says nothing of whether data are missing.
        limits = self.policy.ingestion.model_copy(update={"volume_min_rows": sys.maxsize})
        return ingest(exports.HandedOver(folder), self.store, limits, on_batch=on_batch)

    def recent(self, built: cache.Built, day: date, days: int) -> pl.DataFrame:
        """Return features and importers of what was accepted in so many days before `day`, in order of acceptance."""
        accepted_on = pl.col("accepted_at").dt.date()
        window = accepted_on.is_between(day - timedelta(days=days), day, closed="left")
        return self._with_importers(built.scan().filter(window)).collect().sort("accepted_at", *KEY)

    def preview(self, criterion: Criterion, weeks: int) -> figures.Preview:
        """Return what a criterion would have meant on the last so many weeks that are stored.

        ValueError where nothing is stored, or where the criterion is met by most of what was declared.
        """
        if why := why_empty(self.store):
            raise ValueError(why)
        last = self.store.days()[-1]
        days = self.store.scan("declarations", last - timedelta(days=7 * weeks - 1), last)
        columns = sorted({"accepted_at", "office", *criterion.columns})
        return figures.preview(criterion, days.select(*KEY, *columns).collect(), self._labels(), self.selections.read())

    def beside_the_model(self, register: Register) -> list[figures.Beside]:
        """Return what each criterion has found by now, beside the model on the same days."""
        return figures.beside(register, self._labels(), self.selections.read(), date.today())

    def _labels(self) -> pl.DataFrame:
        """Return the results of inspections that are known by now."""
        until = cache.last_known_day(self.store, self._delay)
        return asof.labels(cache.outcomes(self.store, self._delay), until).collect()

    def backlog(self, built: cache.Built, model: RiskModel, log: pl.DataFrame) -> Backlog:
        """Read once what every day that waits is chosen by; `log` has the selections before."""
        outcomes = cache.outcomes(self.store, self._delay).collect()
        labelled = outcomes.filter(pl.col("is_inspected") & pl.col("is_illicit").is_not_null()).select(KEY).unique()
        inspected = self._with_importers(built.scan().join(labelled.lazy(), on=KEY, how="semi"))
        rows = inspected.collect(engine="streaming").sort("accepted_at", *KEY)
        return Backlog(self.policy, model, log, outcomes, rows)

    def keep(self, choice: Choice, model: RiskModel, language: str) -> tuple[int, Path]:
        """Keep a choice in the log; return its number, and the officers' work list with reasons.

        A selection counts once it is in the log. Its work list is on the disk before that, and gets its name after it:
        see `name_finished`.
        """
        lists, number = self.places.work_lists(self.source), self.selections.next_number
        lists.mkdir(parents=True, exist_ok=True)
        path = lists / f"{number:06}.csv"
        spreadsheet.write(_unnamed(path), work_list(model, choice.declarations, choice.rows, language))
        atomic.flush([_unnamed(path)])
        self.selections.append(choice.rows)
        self.name_finished()
        return number, path

    def name_finished(self) -> None:
        """Rename the work lists whose selection is in the log to their final name: a run may have died in between."""
        lists = self.places.work_lists(self.source)
        paths = [lists / f"{number:06}.csv" for number in range(1, self.selections.next_number)]
        unfinished = [path for path in paths if _unnamed(path).exists()]
        for path in unfinished:
            _unnamed(path).replace(path)
        if unfinished:
            atomic.flush([lists])

    def _with_importers(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Add their importers to `rows`: ids are no features, and exploration asks whether an importer is new."""
        # The order is kept: sums of floats, and the lines of the log, are to be the same each time.
        importers = self.store.scan("declarations").select(*KEY, "importer_id")
        return rows.join(importers, on=KEY, how="left", maintain_order="left")


def _unnamed(work_list: Path) -> Path:
    return work_list.with_name(work_list.name + PARTIAL)
