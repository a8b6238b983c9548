"""Whatever is done to rows that were written is detected, and the row is named."""

import hashlib
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from models.ledger.chain import Chain, Entry, Head, LedgerError, check_head
from tests.support.criteria import criterion
from tests.support.signing import chained, entry, promotion

KEY = Ed25519PrivateKey.generate()
ENTRIES = promotion()
ROWS = chained(ENTRIES, KEY)


def read(rows, key=KEY):
    return Chain(key.public_key()).extend(rows)


def at_any_time(entries):
    """As a server wrote them whose clock was turned back, before that was looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.ledger.chain.BACKWARDS", timedelta.max)
        return chained(entries, KEY)


def changed(number, **fields):
    return [row.model_copy(update=fields) if row.number == number else row for row in ROWS]


def test_what_was_written_is_read():
    assert read(ROWS) == ENTRIES
    chain = Chain(KEY.public_key())
    assert [each for row in ROWS for each in chain.extend([row])] == ENTRIES
    assert chain.head == Head(number=5, hash=ROWS[-1].hash)
    assert chain.extend([]) == []


def test_a_ledger_that_was_written_long_ago_is_hashed_as_it_was_then():
    before, signature = "0" * 64, ""
    assert Chain(KEY.public_key()).head == Head(number=0, hash=before)
    for number, row in enumerate(ROWS, 1):
        text = f"{number}\n{before}\n{signature}\n{row.entry}"
        assert (row.number, row.hash) == (number, hashlib.sha256(text.encode()).hexdigest())
        assert row.signature == KEY.sign(bytes.fromhex(row.hash)).hex()
        before, signature = row.hash, row.signature


def test_fields_that_came_later_are_written_only_where_they_say_something():
    later = {"role_numbers", "grant", "seal", "criterion", "one_at_a_time", "one_person"}
    assert [set(json.loads(row.entry)) for row in ROWS] == [
        set(Entry.model_fields) - (later - {"one_at_a_time"} if each.action == "open" else later) for each in read(ROWS)
    ]
    said = {"role_numbers": {"risk-analyst": 3}, "grant": "role", "seal": "s", "one_at_a_time": True}
    said["one_person"] = ("ann", "anna")
    given = entry("approve", "ann", **said, criterion=criterion())
    assert set(json.loads(chained([given], KEY)[0].entry)) == set(Entry.model_fields)


def test_an_attempt_is_accepted_unless_it_says_why_it_was_refused():
    assert entry("approve", "ann").is_accepted
    assert not entry("approve", "ann", refusal="no").is_accepted


def test_what_was_read_cannot_be_changed_in_memory():
    for record, name in ((ROWS[0], "hash"), (read(ROWS)[0], "actor"), (Chain(KEY.public_key()).head, "hash")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(record, name, "another")


def test_of_several_things_that_are_wrong_with_an_entry_the_first_is_named():
    class Written(type(ENTRIES[0])):
        def model_dump(self, **_):
            return {"action": "crown", "actor": "ann"}

    row = Chain(KEY.public_key()).follow(Written(**ENTRIES[0].model_dump()), KEY)
    with pytest.raises(LedgerError, match="row 1 is not an entry: Field required"):
        read([row])


@pytest.mark.parametrize("number", range(1, 6))
def test_an_edited_entry_is_found(number):
    text = ROWS[number - 1].entry.replace("2024-03-05", "2024-03-06")
    with pytest.raises(LedgerError, match=f"row {number} does not follow from what is before it"):
        read(changed(number, entry=text))


@pytest.mark.parametrize("number", range(1, 6))
def test_an_edited_hash_is_found(number):
    with pytest.raises(LedgerError, match=f"row {number} does not follow"):
        read(changed(number, hash=ROWS[number - 1].hash.upper()))


@pytest.mark.parametrize("number", range(1, 6))
@pytest.mark.parametrize("edit", [str.upper, lambda text: f" {text}", lambda text: text[:-2], lambda text: "zz"])
def test_an_edited_signature_is_found(number, edit):
    at = "row 5 is not signed" if number == 5 else f"row {number + 1} does not follow"
    with pytest.raises(LedgerError, match=at):
        read(changed(number, signature=edit(ROWS[number - 1].signature)))


@pytest.mark.parametrize("number", range(1, 5))
def test_a_deleted_row_is_found(number):
    with pytest.raises(LedgerError, match=f"row {number} is missing: after {number - 1} comes {number + 1}"):
        read([row for row in ROWS if row.number != number])


@pytest.mark.parametrize("number", range(2, 6))
def test_a_deleted_row_is_found_though_the_later_ones_moved_up(number):
    left = [row for row in ROWS if row.number != number - 1]
    moved = [row.model_copy(update={"number": place}) for place, row in enumerate(left, 1)]
    with pytest.raises(LedgerError, match=f"row {number - 1} does not follow"):
        read(moved)


@pytest.mark.parametrize("number", range(1, 6))
def test_an_inserted_row_is_found(number):
    copy = ROWS[number - 1]
    with pytest.raises(LedgerError, match=f"row {number + 1} is missing: after {number} comes {number}"):
        read([*ROWS[:number], copy, *ROWS[number:]])
    moved = [row.model_copy(update={"number": row.number + 1}) for row in ROWS[number:]]
    with pytest.raises(LedgerError, match=f"row {number + 1} does not follow"):
        read([*ROWS[:number], copy.model_copy(update={"number": number + 1}), *moved])


@pytest.mark.parametrize("number", range(1, 5))
def test_exchanged_rows_are_found(number):
    one, other = ROWS[number - 1], ROWS[number]
    swapped = [one.model_copy(update={"number": other.number}), other.model_copy(update={"number": one.number})]
    with pytest.raises(LedgerError, match=f"row {number} does not follow"):
        read([*ROWS[: number - 1], *reversed(swapped), *ROWS[number + 1 :]])


def test_a_history_rewritten_with_another_key_is_found():
    forged = chained(ENTRIES, Ed25519PrivateKey.generate())
    with pytest.raises(LedgerError, match="row 5 is not signed with the server's key"):
        read(forged)
    # Appended to genuine rows, the forged ones rest on a genuine hash.
    chain, other = Chain(KEY.public_key()), Ed25519PrivateKey.generate()
    chain.extend(ROWS)
    with pytest.raises(LedgerError, match="row 6 is not signed with the server's key"):
        chain.extend([chain.follow(entry("reject", "bob", step="governance"), other)])


def test_a_row_of_another_ledger_with_the_same_key_is_found():
    other = chained([*ENTRIES[:2], entry("reject", "bob", step="governance")], KEY)
    with pytest.raises(LedgerError, match="row 3 does not follow"):
        read([*ROWS[:2], *other[3:], *chained([*ENTRIES[1:]], KEY)[2:3]])


def test_nothing_is_added_where_one_row_breaks():
    chain = Chain(KEY.public_key())
    chain.extend(ROWS[:2])
    with pytest.raises(LedgerError):
        chain.extend([ROWS[2], ROWS[4]])
    assert chain.head.number == 2
    assert chain.extend(ROWS[2:]) == ENTRIES[2:]


def test_rows_cut_off_are_found_by_a_head_taken_before():
    head = Head(number=5, hash=ROWS[-1].hash)
    check_head(ROWS, head)
    assert read(ROWS[:3]) == ENTRIES[:3]
    with pytest.raises(LedgerError, match="row 5 is missing: it was there when the head was taken"):
        check_head(ROWS[:3], head)


def test_a_history_written_anew_is_found_by_a_head_taken_before():
    anew = chained([*ENTRIES[:2], entry("reject", "bob", step="governance")], KEY)
    assert len(read(anew)) == 3
    with pytest.raises(LedgerError, match="row 3 is not what it was when the head was taken: history was rewritten"):
        check_head(anew, Head(number=3, hash=ROWS[2].hash))


@pytest.mark.parametrize("head", [None, Head(number=0, hash="0" * 64)])
def test_no_head_or_that_of_an_empty_ledger_asks_for_nothing(head):
    check_head([], head)
    check_head(ROWS, head)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"action":"crown"}', ROWS[0].entry[:-1] + ',"more":1}'])
def test_a_signed_row_that_is_no_entry_is_named(text):
    class Written(type(ENTRIES[0])):
        def model_dump(self, **_):
            return text

    row = Chain(KEY.public_key()).follow(Written(**ENTRIES[0].model_dump()), KEY)
    with pytest.raises(LedgerError, match="row 1 is not an entry"):
        read([row])


def test_an_instant_without_a_zone_is_no_instant():
    with pytest.raises(ValidationError, match="timezone"):
        entry("approve", "ann").model_validate(entry("approve", "ann").model_dump() | {"at": "2024-03-05T00:00:00"})


@pytest.mark.parametrize(("minutes", "is_whole"), [(0, True), (1, True), (2, True), (2.1, False), (60 * 24, False)])
def test_time_that_runs_backwards_is_found(minutes, is_whole):
    """Old rows were stamped before they waited for their turn, so a little is in order; each small step counts anew."""
    back = entry("account", "root", day=-minutes / 60 / 24)
    rows = at_any_time([entry("account", "root"), back])
    if is_whole:
        assert read(rows)[1] == back
    else:
        with pytest.raises(LedgerError, match=r"row 2 goes back in time: it is of .*, and one before it of 2024-03-05"):
            read(rows)


def test_time_that_runs_backwards_in_small_steps_is_found():
    rows = at_any_time([entry("account", "root", day=-number / 60 / 24) for number in range(5)])
    assert len(read(rows[:3])) == 3
    for found in (rows, rows[:4]):
        with pytest.raises(LedgerError, match="row 4 goes back in time"):
            read(found)
    chain = Chain(KEY.public_key())
    chain.extend(rows[:2])
    with pytest.raises(LedgerError, match="row 4 goes back in time"):
        chain.extend(rows[2:])
