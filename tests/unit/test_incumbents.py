"""Which policy decides about a source: that of its version in force, as it was signed."""

from types import SimpleNamespace

import pytest

from flows import incumbents
from flows.settings import Settings
from models import policy
from models.signoff.keys import Keys

SIGNED = policy.load().model_copy(update={"features": policy.Features(label_delay_days=31)})


@pytest.fixture
def settings(tmp_path):
    return Settings(state_folder=tmp_path)


@pytest.fixture
def in_force(settings, monkeypatch):
    Keys(settings.signoff_folder).make()
    monkeypatch.setattr(incumbents, "Registry", lambda *addresses: None)
    version = SimpleNamespace(source="kcs", policy=SIGNED)
    monkeypatch.setattr(incumbents, "champion", lambda settings, registry, scratch: version)


def test_it_is_the_one_that_was_signed_with_the_version_in_force(settings, in_force, tmp_path):
    assert incumbents.policy_of("kcs", settings, tmp_path) is SIGNED


def test_for_a_source_of_which_none_is_in_force_it_is_the_one_on_the_disk(settings, in_force, tmp_path, monkeypatch):
    assert incumbents.policy_of("files", settings, tmp_path) == policy.load()
    monkeypatch.setattr(incumbents, "champion", lambda settings, registry, scratch: None)
    assert incumbents.policy_of("kcs", settings, tmp_path) == policy.load()


def test_where_nothing_was_ever_signed_no_registry_is_asked(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(incumbents, "Registry", None)
    assert incumbents.policy_of("kcs", settings, tmp_path) == policy.load()
