"""The policy file: what it may hold, and files signed in the past, which decide as they did."""

import hashlib
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from models import policy
from models.policy import POLICY_FILE, VERSION, Policy
from models.targeting import exploration, lanes

ROOT = Path(policy.__file__).parents[1]
# As they lay on the disk at releases before files said their version: the texts, unaltered.
SIGNED = sorted((Path(__file__).parents[2] / "policies").glob("*.toml"))
# What the code of those days decided by each of them about `declarations`, and the share that explores next.
LANES = (
    "ggggggggyggggggggggggggygggrgggggggggggggggggrgggrgggggrgggy"
    "gggggggggggggggggggggggggggyggygggrgggggggggggggggbggggggggr"
)
SHARE = 0.11636917629387318


def changed(section: str, **values: object) -> Policy:
    """The delivered policy with other values in one section."""
    delivered = tomllib.loads(POLICY_FILE.read_text())
    return Policy.model_validate(delivered | {section: delivered[section] | values})


def declarations() -> pl.DataFrame:
    random = np.random.default_rng(1)
    score = random.beta(1, 6, 120)
    return pl.DataFrame(
        {
            "declaration_id": [f"D{i:03}" for i in range(120)],
            "item_number": pl.Series([1] * 120, dtype=pl.Int32),
            "office": [("010", "020")[i % 3 == 0] for i in range(120)],
            "accepted_on": date(2024, 5, 2),
            "score": score,
            "critical": np.where(random.random(120) < 0.05, 0.4, 0.01),
            "revenue_if_illicit": random.lognormal(6, 1, 120),
            "hit_value": 500.0,
        }
    )


def decided(ours: Policy) -> tuple[str, float]:
    """First letters of the lanes of `declarations`, and the share that explores next."""
    rows = declarations()
    score, revenue = rows["score"].to_numpy(), rows["revenue_if_illicit"].to_numpy()
    weights = exploration.weights(ours.exploration.strategy, score, revenue, np.linspace(0, 1, rows.height))
    share = exploration.Share(ours.exploration.initial_share).updated(ours.exploration, 1.0, 3.0, drift=0.1)
    explore = np.zeros(rows.height)
    for office in ("010", "020"):
        own = np.flatnonzero((rows["office"] == office).to_numpy())
        places = lanes.capacity(office, len(own), ours.targeting)
        explore[own] = exploration.inclusion(weights[own], share.value * (places.red + places.yellow + places.blue))
    frame = rows.with_columns(explore=pl.Series(explore))
    chosen = lanes.assign(frame, ours.targeting, np.random.default_rng(5))
    return "".join(lane[0] for lane in chosen["lane"]), share.value


def said(found: object, text: object, path: str = "") -> list[str]:
    """Where a parsed policy says anything else than the file that it was parsed from."""
    if isinstance(text, Mapping) and isinstance(found, Mapping):
        return [place for key, value in text.items() for place in said(found[key], value, f"{path}.{key}".lstrip("."))]
    if isinstance(text, list):
        inner = [(found[i], value) for i, value in enumerate(text)] if len(found) == len(text) else [(found, None)]
        return [place for i, (a, b) in enumerate(inner) for place in said(a, b, f"{path}[{i}]")]
    return [] if found == text else [path]


def test_shares_of_exploration_out_of_order_are_refused():
    assert changed("exploration", initial_share=0.02, min_share=0.02).exploration.initial_share == 0.02
    with pytest.raises(
        ValidationError, match=r"initial_share is 0\.5; allowed: from min_share, 0\.02, to max_share, 0\.3"
    ):
        changed("exploration", initial_share=0.5)


def test_a_key_that_nobody_reads_is_refused():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        changed("targeting", random_shares=0.02)


def test_the_delivered_file_is_of_the_newest_version_and_says_what_is_parsed():
    assert policy.load().version == VERSION == tomllib.loads(POLICY_FILE.read_text())["version"]
    assert said(policy.load().model_dump(mode="json"), tomllib.loads(POLICY_FILE.read_text())) == []


@pytest.mark.parametrize("path", SIGNED, ids=lambda path: path.stem)
def test_a_policy_signed_in_the_past_is_read_and_decides_as_it_did(path):
    signed = policy.parse(path.read_bytes())
    text = tomllib.loads(path.read_text())
    assert "version" not in text
    # No trial was how the first ones said that the best of the last time is taken; it touches training alone.
    allowed = ["training.search.trials"] if text["training"]["search"]["trials"] == 0 else []
    assert said(signed.model_dump(mode="json"), text) == allowed
    assert decided(signed) == (LANES, SHARE)


@pytest.mark.parametrize("path", SIGNED, ids=lambda path: path.stem)
def test_a_policy_that_says_nothing_of_placing_online_carries_nothing(path):
    text = path.read_bytes()
    signed = policy.parse(text)
    assert [getattr(signed.targeting.lanes, lane).carried_days for lane in policy.LANES] == [0, 0, 0]
    assert signed.targeting.online_hit_bonus == 0
    assert signed.digest == hashlib.sha256(text).hexdigest()


@pytest.mark.parametrize("path", SIGNED, ids=lambda path: path.stem)
def test_a_policy_that_says_nothing_of_a_bag_trains_one_booster(path):
    assert policy.parse(path.read_bytes()).training.bag == 1


@pytest.mark.parametrize("bag", [0, 21])
def test_a_bag_of_none_or_of_very_many_is_refused(bag):
    with pytest.raises(
        ValidationError, match=r"training\.bag\n.*(greater than or equal to 1|less than or equal to 20)"
    ):
        changed("training", bag=bag)


@pytest.mark.parametrize(
    ("text", "other", "said"),
    [
        ("bag = 1 ", "bag = 0 ", "policy: training.bag is 0; allowed: greater than or equal to 1"),
        (
            "bag = 1 ",
            "bags = 3 ",
            "policy: training.bags is unknown; allowed: the keys of models/policy.toml as delivered",
        ),
        ("folds = 3", "", "policy: training.search.folds is missing"),
        (
            "initial_share = 0.02",
            "initial_share = 0.5",
            "policy: exploration: initial_share is 0.5; allowed: from min_share, 0.02, to max_share, 0.3",
        ),
    ],
)
def test_a_file_with_a_wrong_key_is_refused_in_one_line_that_names_it(text, other, said):
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        policy.parse(POLICY_FILE.read_text().replace(text, other).encode())


def test_the_delivered_policy_carries_documents_and_audits_and_no_crew():
    lanes = policy.load().targeting.lanes
    assert (lanes.red.carried_days, lanes.yellow.carried_days, lanes.blue.carried_days) == (0, 5, 5)


def test_there_are_policies_of_the_past():
    assert len(SIGNED) == 3


def test_the_decisions_of_the_past_tell_policies_apart():
    assert decided(changed("targeting", random_share=0.05))[0] != LANES
    assert decided(changed("exploration", learning_rate=1.0))[1] != SHARE


@pytest.mark.parametrize("version", ["3", "0", "-1", '"2"', "2.0", "true"])
def test_a_version_that_this_code_does_not_know_is_refused(version):
    text = POLICY_FILE.read_text().replace("version = 2 ", f"version = {version} ")
    with pytest.raises(ValueError, match="allowed: a whole number from 1 to 2"):
        policy.parse(text.encode())


def test_nobody_else_reads_the_policy_on_the_disk():
    """Whoever decides about declarations has the policy of the version in force."""
    readers = {
        path.relative_to(ROOT).as_posix()
        for room in ("features", "models", "flows")
        for path in (ROOT / room).rglob("*.py")
        if re.search(r"load_policy\(|policy\.load\(\)|POLICY_FILE", without_examples(path.read_text()))
    }
    assert readers == {
        "models/policy.py",
        "models/server/assembly.py",  # [signoff]: the steps that a version opens with, kept in the ledger
        "models/signer/signer.py",  # the same
        "models/workspace/incumbents.py",  # the same, and the policy of a source that no version is in force for
        "models/window/keeping.py",  # the same
        "models/disclosure/material.py",  # [signoff], to verify the ledger by
        "models/window/service.py",  # [signoff], and [sign_on] for tokens of persons
        "flows/promote.py",  # [signoff]
        "flows/prefect_app.py",  # [sign_on]
        "flows/servers/one_sign_on.py",  # [sign_on], to check it at the start
        "flows/commands/signoff.py",  # [signoff]
        "flows/retrain.py",  # makes what will be signed with it
        "flows/backtest.py",  # asks what would be; decides nothing
        "flows/rehearse.py",  # the same
        "flows/commands/desk.py",  # [desk]
        "flows/steps/records.py",  # [desk]
        "flows/demo/sights.py",  # [signoff], to verify the ledger by
        "flows/import_version.py",  # makes what will be signed with it, and [signoff] to verify the origin's ledger by
        "flows/commands/transfer.py",  # [signoff], to verify the ledger by
        "flows/commands/retention.py",  # [desk], and [signoff] to verify the ledger by
        "flows/commands/play.py",  # plays, on a clock of its own
        "flows/commands/trace.py",  # [signoff], and the label delay, by which it lists what an outcome touched
        "flows/backup/references.py",  # [signoff], to verify the ledger by
        "flows/exporter/app.py",  # [signoff], to verify the ledger by
        "flows/watching/telling.py",  # [signoff]: which roles there are, and to verify the ledger by
        "flows/commands/data.py",  # [ingestion]: `data reread` takes in stored files again
    }


def without_examples(source):
    return "\n".join(line for line in source.splitlines() if not line.lstrip().startswith((">>>", "...")))


def test_a_policy_knows_the_file_that_it_was_read_from():
    text = POLICY_FILE.read_bytes()
    assert policy.load().digest == hashlib.sha256(text).hexdigest()
    other = policy.parse(text + b"\n# a remark\n")
    assert other == policy.load()
    assert other.digest != policy.load().digest
    assert other.model_copy().written == text + b"\n# a remark\n"


def test_a_policy_that_was_changed_in_memory_has_no_digest():
    changed = policy.load().model_copy(update={"features": policy.Features(label_delay_days=31)})
    assert changed != policy.load()
    with pytest.raises(ValueError, match="changed after it was read"):
        changed.digest  # noqa: B018  asking is what fails
