"""A graph neural network beside the trees: is the network of companies better learned than summed up in features?

    pip install torch==2.13.0       # not a dependency of Tidewaiter
    python benchmarks/graph_neural.py

It follows the ideas of GraphFC (Singh et al., arXiv 2305.11377: declarations joined by what they share, inspected or
not), not its code. Declarations are joined by `ENTITIES`, among them register entries of the importer. A declaration's
state is made of its numeric features and of the leaves it falls into, in trees without the family `relations`. Twice,
entities take the mean of their declarations, and declarations that of their entities; all declarations take part,
inspected or not. A declaration sees only those accepted on earlier days of the last year, and never itself as another's
neighbour. This holds in training too, because the histories of later declarations tell of earlier outcomes.

Like the trees, it learns in two passes: settings and epochs by average precision on the validation part, then
everything known before the test part. It is judged as by network.py, on the same worlds and slices, against trees with
the family (comparing.py says how figures are compared).
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from benchmarks import comparing, measuring
from benchmarks.comparing import Comparison
from benchmarks.network import FIGURES, WITHOUT, slices
from benchmarks.worlds import World
from features.arrays import Floats, Ints
from features.contract import KEY
from features.matrix.matrix import CATALOGUE
from features.network import entries, matching
from features.store.store import Store
from models.metrics import Scores
from models.policy import Policy, load
from models.risk import boosting
from models.risk.encoder import Encoder
from models.training.tuning import AS_THEY_STAND

if TYPE_CHECKING:
    from torch import Tensor, nn

Array = NDArray[np.float32]

THREADS = 2
TRADED = ("importer_id", "seller_id", "declarant_id", "courier_id", "hs6")
TOLD = ("address", "person", "phone", "bank_account")  # what a register says of the importer
ENTITIES = (*TRADED, *TOLD)
YEAR, SPAN = 365, 4096  # days; no store spans more than their difference
TREES, WIDTH, BATCH, DROPOUT = 100, 32, 1024, 0.2
EPOCHS, PATIENCE = 12, 2
NEIGHBOURS = 8  # the second layer takes the mean of so many of each entity's latest; the first layer takes all


@dataclass(frozen=True)
class Setting:
    """A variant of the network.

    `has_outcomes`: entities also tell how often they were inspected and caught, as known on the day of acceptance.
    `is_held`: what was learned of a declaration without neighbours stays as it is when neighbours are added.
    """

    has_numbers: bool = True
    has_outcomes: bool = False
    is_held: bool = False


SETTINGS = {
    "leaves": Setting(has_numbers=False),
    "leaves and numbers": Setting(),
    "leaves, numbers and outcomes": Setting(has_outcomes=True),
    "the same, states held": Setting(has_outcomes=True, is_held=True),
}


def graph_network(policy: Policy) -> Comparison:
    ways = {
        "trees with the family": comparing.trees(CATALOGUE, policy),
        "trees without it": comparing.trees(WITHOUT, policy),
        "graph network": lambda world, seed: Scores(_scores(world, seed)[0]),
        "the same without neighbours": lambda world, seed: Scores(_scores(world, seed)[1]),  # learned beside it
    }
    judged = partial(slices, policy.features.label_delay_days)
    libraries = (*measuring.LIBRARIES, "torch")
    return Comparison("graph-neural", ways, next(iter(ways)), FIGURES, judged, libraries=libraries)


@dataclass(frozen=True)
class _Data:
    """All declarations in order of acceptance, each one's entities (types x rows, -1 for none), rows of each part."""

    frame: pl.DataFrame
    codes: Ints
    day: Ints
    parts: dict[str, Ints]

    @classmethod
    def of(cls, world: World) -> "_Data":
        names, split = [feature.name for feature in WITHOUT], world.split
        frame = world.dataset.select(*KEY, "accepted_at", *names, "is_illicit", "known_on").collect(engine="streaming")
        places = frame.select(*KEY).with_row_index("row")
        parts = {
            "train": split.train,
            "validation": split.validation,
            "final": split.before_test,
            "judged": world.judged,
        }
        rows = {
            name: part.select(*KEY).join(places, on=KEY, how="left", maintain_order="left")["row"].to_numpy()
            for name, part in parts.items()
        }
        day = frame["accepted_at"].dt.date().to_physical().to_numpy().astype(np.int64)
        named = _entities(world.store, frame.select(*KEY, day=pl.Series(day)))
        codes = [named[name].rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1 for name in ENTITIES]
        return cls(
            frame, np.stack(codes), day - day.min(), {name: part.astype(np.int64) for name, part in rows.items()}
        )

    def target(self, rows: Ints) -> Array:
        return self.frame["is_illicit"].gather(rows).cast(pl.Float32).to_numpy(writable=True)


def _entities(store: Store, rows: pl.DataFrame) -> pl.DataFrame:
    """Return `ENTITIES` of `rows`: as declared, and as registers told of the importer before the day of acceptance."""
    declared = store.scan("declarations").with_columns(hs6=pl.col("hs_code").str.head(6)).select(*KEY, *TRADED)
    states = matching.states(entries.read(store.scan("register"), store.scan("register_superseded")))
    importers = states.filter(pl.col("party_role") == "importer").select("party_id", "enter", "leave", *TOLD)
    found = rows.join(declared.collect(), on=KEY, how="left", maintain_order="left").with_row_index("row").sort("day")
    told = found.join_asof(
        importers.sort("enter"),
        left_on="day",
        right_on="enter",
        by_left="importer_id",
        by_right="party_id",
        check_sortedness=False,
    )
    still = pl.col("leave") > pl.col("day")
    return told.sort("row").with_columns(pl.when(still).then(pl.col(name)).alias(name) for name in TOLD)


class _Past:
    """For each row, the facts of one entity in the year before its day: places `first` to `last` in their `order`."""

    def __init__(self, code: Ints, day: Ints, fact_code: Ints, fact_day: Ints) -> None:
        key, fact = (of * SPAN + on + YEAR for of, on in ((code, day), (fact_code, fact_day)))
        self.order = np.argsort(fact, kind="stable")
        ordered = fact[self.order]
        self.last = np.searchsorted(ordered, key)
        self.first = np.where(code < 0, self.last, np.searchsorted(ordered, key - YEAR))
        self.count = self.last - self.first

    def sum(self, values: Array) -> Array:
        """Return rows x columns: `values` of the facts, summed."""
        totals = np.zeros((len(values) + 1, values.shape[1]))  # 64 bits, because it subtracts large sums
        np.cumsum(values[self.order], axis=0, dtype=np.float64, out=totals[1:])
        return (totals[self.last] - totals[self.first]).astype(np.float32)

    def mean(self, values: Array) -> Array:
        return self.sum(values) / np.maximum(self.count, 1).astype(np.float32)[:, None]

    def latest(self, rows: Ints, most: int) -> tuple[Ints, Ints]:
        """Return the latest facts of `rows`, at most so many of each, and the places in `rows` that they belong to."""
        places = self.last[rows, None] - 1 - np.arange(most)
        is_there = places >= self.first[rows, None]
        return self.order[places[is_there]], np.nonzero(is_there)[0]


@lru_cache(maxsize=1)
def _scores(world: World, seed: int) -> tuple[Floats, Floats]:
    """Return scores of the judged rows with and without neighbours.

    The setting that is best on validation is learned again for them.
    """
    import torch

    torch.set_num_threads(THREADS)
    data = _Data.of(world)
    past = [_Past(code, data.day, code, data.day) for code in data.codes]
    inputs = _Inputs.of(data, "train", seed)
    tried: dict[str, dict[str, Any]] = {}
    for name, setting in SETTINGS.items():
        started = perf_counter()
        learned = _learned(data, past, inputs, setting, seed, "train", "validation", EPOCHS, EPOCHS)
        tried[name] = asdict(setting) | learned.account | {"seconds": perf_counter() - started}
        print(name, tried[name], flush=True)
    best = max(tried, key=lambda name: tried[name]["validation"])
    leaf_epochs = tried[best]["leaf_epochs"]
    inputs = _Inputs.of(data, "final", seed)
    # Without epochs with neighbours, the scores are those that the network gives without them.
    whole, alone = (
        _learned(data, past, inputs, SETTINGS[best], seed, "final", None, leaf_epochs, epochs).logits
        for epochs in (tried[best]["epochs"], 0)
    )
    return _probability(whole, data), _probability(alone, data)


def _probability(logits: "Callable[[Tensor], Tensor]", data: _Data) -> Floats:
    return 1 / (1 + np.exp(-_in_batches(logits, data.parts["judged"]).astype(np.float64)))


@dataclass(frozen=True)
class _Inputs:
    """The leaves of each row (rows x trees, numbered throughout) and its numeric features, of the order of 1.

    Trees fit the rows that they were grown on better than any others, and a network that is told their leaves learns to
    believe them. So there are two forests, one of even and one of odd weeks. A row that one of them has learned from
    has only the leaves of the other, and the number `blank` in place of the rest.
    """

    leaves: "Tensor"
    numbers: "Tensor"
    blank: int

    @classmethod
    def of(cls, data: _Data, part: str, seed: int) -> "_Inputs":
        import torch

        rows = data.parts[part]
        labelled = data.frame[rows]
        encoder = Encoder.fit(labelled, WITHOUT).giving(AS_THEY_STAND.smoothing, AS_THEY_STAND.codes)
        matrix = encoder.encode(data.frame)
        week = data.day[rows] // 7 % 2
        each, blank = int(boosting.PARAMETERS["num_leaves"]), 2 * TREES * int(boosting.PARAMETERS["num_leaves"])
        leaves = np.empty((len(matrix), 2 * TREES), np.int16)
        for half in (0, 1):
            learned = rows[week == half]
            known = boosting.Rows(matrix[learned], data.target(learned).astype(np.float64))
            booster = boosting.fit_rounds(boosting.ILLICIT, boosting.PARAMETERS, seed, encoder, known, TREES)
            trees = slice(half * TREES, (half + 1) * TREES)
            for at in np.array_split(np.arange(len(matrix)), 1 + len(matrix) // 100_000):
                leaves[at, trees] = booster.predict(matrix[at], pred_leaf=True, num_threads=THREADS)
            leaves[:, trees] += (np.arange(2 * TREES)[trees] * each).astype(np.int16)
            leaves[learned, trees] = blank
        is_told = np.isfinite(matrix[rows]).any(axis=0)
        numeric = [at for at in np.flatnonzero(is_told) if encoder.names[at] not in encoder.categories]
        numbers = np.ascontiguousarray(matrix[:, numeric])
        np.multiply(np.sign(numbers), np.log1p(np.abs(numbers)), out=numbers)
        numbers -= np.nanmean(numbers[rows], axis=0)
        numbers /= np.nanstd(numbers[rows], axis=0) + 1e-3
        np.clip(np.nan_to_num(numbers, copy=False), -5, 5, out=numbers)
        return cls(torch.from_numpy(leaves), torch.from_numpy(numbers), blank)


@dataclass(frozen=True)
class _Learned:
    logits: "Callable[[Tensor], Tensor]"
    account: dict[str, Any]


def _learned(
    data: _Data,
    past: Sequence[_Past],
    inputs: _Inputs,
    setting: Setting,
    seed: int,
    part: str,
    judged: str | None,
    leaf_epochs: int,
    epochs: int,
) -> _Learned:
    """Learn states without neighbours first; the means that the first layer takes are then computed once and stay."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    types = len(past)
    bag = nn.EmbeddingBag(inputs.blank + 1, WIDTH, mode="mean", padding_idx=inputs.blank)
    nn.init.normal_(bag.weight, std=0.1)
    dense = nn.Linear(inputs.numbers.shape[1], WIDTH)
    own = nn.ModuleList([bag, dense, nn.Linear(WIDTH, 1)])

    def state(rows: "Tensor") -> "Tensor":
        summed = bag(inputs.leaves[rows].int()) * TREES**0.5
        return torch.relu(summed + dense(inputs.numbers[rows]) if setting.has_numbers else summed)

    def alone(rows: "Tensor") -> "Tensor":
        return own[2](nn.functional.dropout(state(rows), DROPOUT, own.training)).squeeze(1)

    learn = _Lesson(data, part, judged)
    leaf_epochs, leaf_precision = learn(own, alone, leaf_epochs, 2e-3)

    start = _in_batches(state, np.arange(data.frame.height))
    told = [np.log1p(each.count)[:, None] for each in past]
    if setting.has_outcomes:
        told += _outcomes(data)
    counts = np.concatenate(told, axis=1).astype(np.float32)
    around = torch.from_numpy(np.concatenate([start, *(each.mean(start) for each in past), counts], axis=1))
    told_width = counts.shape[1]
    first = nn.Linear(around.shape[1], WIDTH)
    second = nn.Linear(WIDTH * (2 + types) + told_width, 2 * WIDTH)
    last = nn.Linear(2 * WIDTH, 1)
    nn.init.zeros_(last.weight)  # so that it starts from what is known without neighbours
    nn.init.zeros_(last.bias)

    def joined(rows: "Tensor") -> "Tensor":
        asked = rows.numpy()
        found = [each.latest(asked, NEIGHBOURS) for each in past]
        neighbours = torch.from_numpy(np.concatenate([rows for rows, _ in found]))
        of = torch.from_numpy(np.concatenate([at * types + kind for kind, (_, at) in enumerate(found)]))
        sums = torch.zeros(len(rows) * types, WIDTH).index_add(0, of, torch.relu(first(around[neighbours])))
        means = sums / torch.bincount(of, minlength=len(sums)).clamp(min=1)[:, None]
        here, itself = around[rows], state(rows)
        seen = [itself, torch.relu(first(here)), means.view(len(rows), -1), here[:, -told_width:]]
        hidden = nn.functional.dropout(torch.relu(second(torch.cat(seen, dim=1))), DROPOUT, own.training)
        return (own[2](itself) + last(hidden)).squeeze(1)

    own.requires_grad_(not setting.is_held)
    both = nn.ModuleList([own, first, second, last])
    epochs, precision = learn(both, joined, epochs, 5e-4)
    both.eval()
    account = {
        "leaf_epochs": leaf_epochs,
        "epochs": epochs,
        "validation_alone": leaf_precision,
        "validation": precision,
    }
    return _Learned(joined, account)


def _outcomes(data: _Data) -> list[Array]:
    """Return rows x 2 for each type: logarithms of inspections and hits of the entity known on earlier days."""
    is_known = data.frame["is_illicit"].is_not_null().to_numpy()
    found = np.flatnonzero(is_known)
    first_day = data.frame["accepted_at"].min().date().toordinal()
    known_on = data.frame["known_on"].gather(found).dt.date().to_list()
    known = np.array([day.toordinal() - first_day for day in known_on])
    facts = np.stack([np.ones(len(found), np.float32), data.target(found)], axis=1)
    return [np.log1p(_Past(code, data.day, code[found], known).sum(facts)) for code in data.codes]


@dataclass(frozen=True)
class _Lesson:
    """Rows to learn from, and rows by which to decide when to stop; without the latter, all epochs are run."""

    data: _Data
    part: str
    judged: str | None

    def __call__(
        self, module: "nn.Module", logits: "Callable[[Tensor], Tensor]", epochs: int, rate: float
    ) -> tuple[int, float | None]:
        """Train, leave `module` with the weights of the best epoch, and return that epoch and its average precision."""
        import torch

        rows = self.data.parts[self.part]
        target = torch.from_numpy(self.data.target(rows))
        optimizer = torch.optim.Adam(
            [each for each in module.parameters() if each.requires_grad], rate, weight_decay=1e-5
        )
        best, precision, weights = epochs, None, None
        for epoch in range(1, epochs + 1):
            module.train()
            for at in torch.randperm(len(rows)).split(BATCH):
                optimizer.zero_grad()
                loss = torch.nn.functional.binary_cross_entropy_with_logits(
                    logits(torch.from_numpy(rows)[at]), target[at]
                )
                loss.backward()
                optimizer.step()
            if self.judged is None:
                continue
            module.eval()
            held_out = self.data.parts[self.judged]
            reached = average_precision_score(self.data.target(held_out), _in_batches(logits, held_out))
            if precision is None or reached > precision:
                best, precision, weights = epoch, float(reached), deepcopy(module.state_dict())
            elif epoch - best >= PATIENCE:
                break
        if weights is not None:
            module.load_state_dict(weights)
        module.eval()
        return best, precision


def _in_batches(compute: "Callable[[Tensor], Tensor]", rows: Ints) -> Array:
    import torch

    with torch.no_grad():
        return np.concatenate([compute(part).numpy() for part in torch.from_numpy(rows).split(8 * BATCH)])


if __name__ == "__main__":
    comparing.main(__doc__, graph_network(load()))
