"""The numbers of the day: what they depend on, and that a published secret is held against them."""

import hashlib
import hmac
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from models.live import chance
from models.live.chance import Draws, Stored

SECRET, OTHER = bytes(range(32)), bytes(range(1, 33))


def test_numbers_are_hmac_sha256_of_purpose_key_and_item():
    for item in range(1, 9):  # the last digits of some are 0
        digest = hmac.new(SECRET, b'["random", "key", %d]' % item, hashlib.sha256).digest()
        assert chance.draws(SECRET, "key", item).random == int.from_bytes(digest[:8]) // 2**11 / 2**53


def test_secret_key_item_and_purpose_each_make_other_numbers():
    numbers = [
        number
        for drawn in (
            chance.draws(SECRET, "a", 1),
            chance.draws(SECRET, "a", 2),
            chance.draws(SECRET, "b", 1),
            chance.draws(OTHER, "a", 1),
        )
        for number in (drawn.random, drawn.exploration)
    ]
    numbers += [*chance.rounding(SECRET, "010"), *chance.rounding(SECRET, "020"), *chance.rounding(OTHER, "010")]
    assert len(set(numbers)) == len(numbers) == 17


def test_numbers_are_uniform_and_independent_of_each_other():
    drawn = [chance.draws(SECRET, f"D{row}", 1) for row in range(4000)]
    random, exploration = (np.array([getattr(each, name) for each in drawn]) for name in ("random", "exploration"))
    for numbers in (random, exploration):
        assert stats.kstest(numbers, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(random, exploration)[0, 1]) < 0.06


def test_goods_lodged_again_keep_their_key_and_others_do_not():
    key = chance.chance_key("D1", "I1", "MAEU-123/4")
    assert chance.chance_key("D2", "i1", " maeu 1234 ") == key
    for other in (("D1", "I2", "MAEU-123/4"), ("D1", "I1", "MAEU-123/5"), ("D1", "I1", None)):
        assert chance.chance_key(*other) != key


@pytest.mark.parametrize("document", [None, "", "  ", "0000", "N/A", "unknown", "99999", "---"])
def test_a_document_that_names_no_goods_makes_the_declaration_the_key(document):
    assert chance.chance_key("D1", "I1", document) == chance.chance_key("D1", "I2", None)
    assert chance.chance_key("D1", "I1", document) != chance.chance_key("D2", "I1", document)


def test_an_importer_who_stands_for_many_names_no_goods():
    assert chance.chance_key("D1", "UNKNOWN", "MAEU1234") != chance.chance_key("D2", "UNKNOWN", "MAEU1234")


def test_what_is_glued_together_differently_is_another_key():
    assert chance.chance_key("D", "A", "BC") != chance.chance_key("D", "AB", "C")
    assert chance.chance_key("goods", "x", None) != chance.chance_key("x", "goods", None)


@pytest.mark.parametrize("secret", [b"", bytes(31), bytes(33)])
def test_a_secret_of_another_length_is_refused(secret):
    for use in (chance.commitment, lambda s: chance.draws(s, "k", 1), lambda s: chance.rounding(s, "010")):
        with pytest.raises(ValueError, match=re.escape(f"secret has {len(secret)} bytes; allowed: 32")):
            use(secret)


def test_a_published_secret_is_held_against_commitment_and_stored_numbers():
    stored = [Stored(f"k{row}", row, chance.draws(SECRET, f"k{row}", row)) for row in range(1, 6)]
    assert list(chance.contradictions(SECRET, chance.commitment(SECRET), stored)) == []
    changed = replace(stored[2], draws=replace(stored[2].draws, exploration=0.25))
    (told,) = chance.contradictions(SECRET, chance.commitment(SECRET), [*stored[:2], changed, *stored[3:]])
    assert told.startswith("item 3 of k3 was decided by Draws(random=")
    assert "exploration=0.25" in told
    told = list(chance.contradictions(OTHER, chance.commitment(SECRET), stored))
    assert told[0].startswith("the secret is not the one committed to")
    assert len(told) == 6


def test_a_commitment_is_no_plain_hash_of_the_secret_and_tells_secrets_apart():
    assert chance.commitment(SECRET) == hashlib.sha256(b"tidewaiter: secret of a day\n" + SECRET).hexdigest()
    assert chance.commitment(SECRET) != chance.commitment(OTHER)
    assert Draws(0.5, 0.5) != chance.draws(SECRET, "k", 1)
