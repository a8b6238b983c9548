"""Every rule of sign-off: what is refused, in which words, and which state it leaves the version in."""

import pytest

from models.ledger.book import SERVER, SERVICE, Book, Signature
from models.ledger.chain import LedgerError
from models.ledger.lifecycle import State
from models.names import SIGNOFF
from models.policy import Signoff, SignoffStep
from tests.support.signing import AUTHOR, POLICY, beside_others, book_of, entry, on, opening, promotion, signing

TECHNICAL, GOVERNANCE = POLICY.steps
ALTERED = "f" * 64


def approve(actor, step, **parts):
    return entry("approve", actor, step=step, **parts)


TECHNICALLY = approve("ann", "technical")


def refused(book, attempt, sentence):
    """The attempt is refused in these words, leaves no trace, and breaks a ledger that says it was accepted."""
    assert book.refusal(attempt) == sentence
    before = (str(book.cases), list(book.reigns))
    book.apply(attempt.model_copy(update={"refusal": sentence}))
    with pytest.raises(LedgerError) as raised:
        book.apply(attempt)
    assert sentence in str(raised.value)
    assert (str(book.cases), list(book.reigns)) == before


def test_a_version_is_a_candidate_until_the_server_opens_it():
    book = book_of()
    assert book.state(1, on(0)) is State.CANDIDATE
    assert book.words(1, on(0)) == "candidate"
    refused(book, TECHNICALLY, "version 1 has not been opened: its evidence was never verified")
    refused(book, opening().model_copy(update={"actor": "ann"}), "only the server opens a version, not ann")
    book.apply(opening())
    assert book.words(1, on(0)) == "awaiting technical"
    refused(book, opening(), "version 1 is open already")


@pytest.mark.parametrize("missing", [{"version": None}, {"digest": None}])
@pytest.mark.parametrize("action", ["open", "approve", "reject", "revoke", "promote", "roll back", "void"])
def test_what_is_decided_names_version_and_evidence(action, missing):
    attempt = entry(action, "ann").model_copy(update=missing)
    assert book_of().refusal(attempt) == f"{action} needs a version and its evidence digest"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"steps": ()}, "a version is opened with steps of different names, not none"),
        (
            {"steps": (TECHNICAL, TECHNICAL)},
            "a version is opened with steps of different names, not technical, technical",
        ),
        ({"valid_days": None}, "a version is opened with the days that a signature lasts"),
    ],
)
def test_a_version_is_opened_under_a_policy(changes, sentence):
    refused(book_of(), opening().model_copy(update=changes), sentence)


def test_the_steps_in_order_make_it_approved_and_promotion_makes_it_champion():
    book = book_of(opening())
    words = []
    for each in [*signing(), entry("promote", SERVICE)]:
        book.apply(each)
        words.append(book.words(1, on(0)))
    assert words == ["awaiting governance", "awaiting governance", "approved", "champion"]
    assert (book.champion, book.previous) == (1, None)


def test_only_the_steps_role_signs_it():
    book = book_of(opening(), TECHNICALLY)
    sentence = "governance is signed by the role reviewer; ann has risk-analyst"
    refused(book, approve("ann", "governance"), sentence)
    refused(
        book_of(opening()),
        approve("bob", "technical", roles=()),
        "technical is signed by the role risk-analyst; bob has none",
    )


@pytest.mark.parametrize("action", ["approve", "reject", "revoke"])
@pytest.mark.parametrize("actor", ["root", SERVICE, SERVER])
def test_administrators_and_services_decide_nothing_whatever_their_roles(actor, action):
    attempt = entry(action, actor, step="technical")
    refused(book_of(opening()), attempt, f"{actor} administers or serves, and so signs nothing")


@pytest.mark.parametrize("action", ["approve", "reject"])
def test_authors_decide_nothing(action):
    refused(book_of(opening()), entry(action, "eve", step="technical"), "eve made version 1, and so may not sign it")


@pytest.mark.parametrize("typed", ["Eve", " eve"])
def test_an_author_who_was_typed_otherwise_decides_nothing(typed):
    book = book_of(opening().model_copy(update={"authors": (typed,)}))
    refused(book, entry("approve", "eve", step="technical"), "eve made version 1, and so may not sign it")


def test_one_person_signs_once_whatever_the_step():
    book = book_of(opening(), approve("dee", "technical"))
    refused(book, approve("dee", "governance"), "dee has signed technical already; one person signs one step, once")
    book.apply(approve("bob", "governance"))
    refused(book, approve("bob", "governance"), "bob has signed governance already; one person signs one step, once")


def test_a_complete_step_takes_no_more():
    refused(book_of(opening(), TECHNICALLY), approve("dee", "technical"), "technical has all its signatures")


@pytest.mark.parametrize("action", ["approve", "reject"])
def test_a_later_step_waits_for_the_earlier(action):
    attempt = entry(action, "bob", step="governance")
    refused(book_of(opening()), attempt, "governance comes after technical, which still needs 1 signature(s)")


def test_an_unknown_step_is_named():
    attempt = approve("ann", "legal")
    refused(book_of(opening()), attempt, "there is no step 'legal'; the steps are technical, governance")


@pytest.mark.parametrize("action", ["approve", "reject", "revoke"])
@pytest.mark.parametrize("reason", ["", " \n", "x" * 1001])
def test_a_reason_is_required(action, reason):
    sentence = "a decision needs a reason (up to 1000 characters), as in 'approved: finds more'"
    refused(book_of(opening(), TECHNICALLY), entry(action, "ann", step="technical", reason=reason), sentence)


@pytest.mark.parametrize("action", ["approve", "reject", "revoke", "promote", "roll back"])
def test_nothing_counts_over_other_evidence(action):
    sentence = (
        "the evidence of version 1 was altered: it was opened over 6b86b273ff34 and is ffffffffffff now, "
        "so nothing signed for it counts"
    )
    refused(book_of(opening()), entry(action, "ann", step="technical", digest=ALTERED), sentence)


def test_a_rejection_ends_the_candidate():
    book = book_of(opening(), *signing(), entry("reject", "bob", step="governance", reason="slices"))
    assert book.state(1, on(0)) is State.REJECTED
    assert book.cases[1].tally(GOVERNANCE, on(0)) == "rejected by bob: slices"
    assert book.cases[1].tally(TECHNICAL, on(0)) == "approved by ann. ann: sound"
    ended = "version 1 is rejected: nothing more can be signed"
    refused(book, approve("dee", "governance"), ended)
    refused(book, entry("revoke", "bob", step="governance"), ended)
    refused(book, entry("reject", "cid", step="governance"), ended)
    refused(book, entry("promote", SERVICE), "version 1 is rejected, not approved")
    assert list(book.approved(on(0))) == []


def test_a_signature_can_be_taken_back_by_who_gave_it_until_promotion():
    book = book_of(opening(), *signing())
    refused(book, entry("revoke", "dee", step="governance"), "dee has no signature on governance to revoke")
    refused(book, entry("revoke", "dee", step="technical"), "dee has no signature on technical to revoke")
    book.apply(entry("revoke", "ann", step="technical"))
    assert book.words(1, on(0)) == "awaiting technical"
    refused(book, entry("revoke", "ann", step="technical"), "ann has no signature on technical to revoke")
    refused(book, entry("promote", SERVICE), "version 1 is awaiting technical, not approved")
    book.apply(TECHNICALLY)
    book.apply(entry("promote", SERVICE))
    refused(book, entry("revoke", "ann", step="technical"), "version 1 is champion: nothing more can be signed")


def test_a_signature_lasts_its_days_to_the_instant():
    book = book_of(opening(), *signing())
    assert book.state(1, on(30)) is State.APPROVED
    late = on(30).replace(microsecond=1)
    assert book.words(1, late) == "expired, awaiting technical"
    assert book.cases[1].tally(TECHNICAL, late) == "pending"
    refused(book, entry("promote", SERVICE, day=30.001), "version 1 is expired, awaiting technical, not approved")
    refused(book, entry("revoke", "ann", step="technical", day=31), "ann has no signature on technical to revoke")
    for each in signing(day=31):
        book.apply(each)
    assert book.state(1, on(61)) is State.APPROVED


def test_what_ran_out_is_given_again_and_what_did_not_still_counts():
    book = book_of(opening(), TECHNICALLY, *signing(day=20)[1:])
    assert book.words(1, on(31)) == "expired, awaiting technical"
    book.apply(approve("ann", "technical", day=31))
    assert book.state(1, on(31)) is State.APPROVED
    assert book.words(1, on(51)) == "expired, awaiting governance"


def test_a_person_whose_signature_ran_out_may_sign_another_step():
    book = book_of(opening(), approve("dee", "technical"), approve("ann", "technical", day=31))
    book.apply(approve("dee", "governance", day=31))
    assert [s.user for s in book.cases[1].in_force(on(31))] == ["ann", "dee"]


def test_a_champions_signatures_do_not_run_out():
    book = book_of(*promotion())
    assert book.state(1, on(400)) is State.CHAMPION
    assert book.cases[1].tally(GOVERNANCE, on(400)) == "2 of 2: approved by bob, cid. bob: sound. cid: sound"


def test_the_tally_says_who_signed_and_what_is_missing():
    case = Book(Signoff(valid_days=1, steps=(SignoffStep(name="board", role="director", signatures=3),)))
    board = case.opening(1, "d", (), on(0)).steps[0]
    case.apply(opening(policy=Signoff(valid_days=1, steps=(board,))))
    tallies = [case.cases[1].tally(board, on(0))]
    for actor, reason in (("ann", "finds  more"), ("bob", "agreed\nwith ann"), ("cid", "2 of 3: approved by zoe")):
        case.apply(approve(actor, "board", roles=("director",), reason=reason))
        tallies.append(case.cases[1].tally(board, on(0)))
    assert tallies == [
        "pending",
        "1 of 3: approved by ann; 2 more directors needed. ann: finds more",
        "2 of 3: approved by ann, bob; one more director needed. ann: finds more. bob: agreed with ann",
        "3 of 3: approved by ann, bob, cid. ann: finds more. bob: agreed with ann. cid: 2 of 3: approved by zoe",
    ]


def test_only_the_service_promotes_and_only_what_is_approved():
    book = book_of(opening())
    for missing, each in zip(("technical", "governance", "governance"), signing(), strict=True):
        refused(book, entry("promote", SERVICE), f"version 1 is awaiting {missing}, not approved")
        book.apply(each)
    for actor in ("root", "bob", SERVER):
        sentence = f"only the promotion service moves champion, not {actor}: sign the steps, and it follows"
        refused(book, entry("promote", actor), sentence)
    book.apply(entry("promote", SERVICE))
    refused(book, entry("promote", SERVICE), "version 1 is champion, not approved")


def test_what_is_approved_comes_in_the_order_of_its_last_signature():
    beside = beside_others(1), beside_others(2)
    book = book_of(*beside, *signing(1, day=2), *signing(2, day=1), opening(3))
    assert [case.version for case in book.approved(on(3))] == [2, 1]
    assert [case.version for case in book.approved(on(31.5))] == [1]


def test_altered_evidence_voids_for_good():
    book = book_of(opening(), *signing())
    refused(book, entry("void", SERVER), "the evidence stands")
    refused(book, entry("void", "root", digest=ALTERED), "only the server voids a version, not root")
    book.apply(entry("void", SERVER, digest=ALTERED))
    assert book.words(1, on(0)) == "void"
    assert book.cases[1].tally(GOVERNANCE, on(0)) == "void: the evidence was altered"
    refused(book, entry("void", SERVER, digest="e" * 64), "version 1 is void already")
    # Put back as it was, it stays void.
    refused(book, approve("dee", "governance"), "version 1 is void: nothing more can be signed")
    refused(book, entry("promote", SERVICE), "version 1 is void, not approved")


def reign(*versions):
    return [each for version in versions for each in promotion(version)]


def test_champions_follow_one_another_and_a_rollback_goes_back_one():
    book = book_of(*reign(1, 2, 3))
    assert (book.champion, book.previous) == (3, 2)
    assert [book.state(version, on(0)) for version in (1, 2, 3)] == ["superseded", "superseded", "champion"]
    refused(book, entry("roll back", "bob", 1), "a rollback goes to version 2, not 1")
    refused(book, entry("roll back", "bob", 3), "a rollback goes to version 2, not 3")
    book.apply(entry("roll back", "bob", 2))
    assert (book.champion, book.previous) == (2, 1)
    assert book.state(3, on(0)) is State.SUPERSEDED
    refused(book, entry("promote", SERVICE, 3), "version 3 is superseded, not approved")
    refused(book, entry("roll back", "bob", 3), "a rollback goes to version 1, not 3")
    book.apply(entry("roll back", "cid", 1))
    assert (book.champion, book.previous) == (1, None)
    refused(book, entry("roll back", "bob", 1), "there is no earlier champion whose evidence still stands")
    for each in promotion(4):
        book.apply(each)
    assert (book.champion, book.previous) == (4, 1)


def test_a_rollback_passes_over_what_is_void():
    book = book_of(*reign(1, 2, 3), entry("void", SERVER, 2, digest=ALTERED))
    assert book.previous == 1
    refused(book, entry("roll back", "bob", 2), "a rollback goes to version 1, not 2")
    book.apply(entry("roll back", "bob", 1))
    assert (book.champion, book.reigns) == (1, [1])


def test_a_void_champion_is_one_to_roll_back_from_and_not_to():
    book = book_of(*reign(1, 2), entry("void", SERVER, 2, digest=ALTERED))
    assert book.state(2, on(0)) is State.VOID
    assert (book.champion, book.previous) == (2, 1)
    for each in promotion(3):
        book.apply(each)
    assert (book.champion, book.previous) == (3, 1)


def test_a_rollback_takes_the_last_steps_role_and_a_reason():
    book = book_of(*reign(1, 2))
    sentence = "a rollback takes the role reviewer; {} has {}"
    refused(book, entry("roll back", "ann", 1), sentence.format("ann", "risk-analyst"))
    refused(book, entry("roll back", "root", 1), sentence.format("root", "administrator, reviewer, risk-analyst"))
    refused(book, entry("roll back", "bob", 1, reason=" "), "a rollback needs a reason")


def test_of_three_steps_the_last_ones_role_rolls_back():
    steps = tuple(SignoffStep(name=role, role=role, signatures=1) for role in ("one", "two", "three"))
    book = Book(Signoff(valid_days=30, steps=steps))
    for version in (1, 2):
        book.apply(opening(version, policy=Signoff(valid_days=30, steps=steps)))
        for actor, role in zip(("ann", "bob", "cid"), ("one", "two", "three"), strict=True):
            book.apply(entry("approve", actor, version, role, roles=(role,)))
        book.apply(entry("promote", SERVICE, version))
    attempt = entry("roll back", "bob", 1, roles=("two",))
    refused(book, attempt, "a rollback takes the role three; bob has two")
    book.apply(attempt.model_copy(update={"roles": ("three",)}))
    assert book.champion == 1


def test_a_change_of_policy_leaves_open_versions_under_theirs():
    book = Book(Signoff(valid_days=1, steps=(SignoffStep(name="board", role="director", signatures=1),)))
    book.apply(opening())
    assert book.cases[1].steps == POLICY.steps
    book.apply(book.opening(2, "d", (), on(0)))
    assert book.words(2, on(0)) == "awaiting board"


@pytest.mark.parametrize("action", ["align", "account", "write"])
def test_what_is_only_noted_changes_nothing(action):
    book = book_of(*promotion())
    before = str(book.cases)
    book.apply(entry(action, "ann"))
    assert (str(book.cases), book.champion) == (before, 1)


def test_once_versions_are_sealed_all_that_follow_are():
    book = book_of(opening(1), opening(2).model_copy(update={"seal": "a" * 64}))
    assert [book.cases[version].seal for version in (1, 2)] == [None, "a" * 64]
    refused(book, opening(3), "version 3 is not sealed, as versions before it were")
    book.apply(opening(3).model_copy(update={"seal": "b" * 64}))
    assert book.opening(4, "d", ("eve",), on(0), "c" * 64).seal == "c" * 64


def test_an_administrator_clears_versions_that_were_never_opened_and_they_stay_away():
    book = book_of(opening(1))
    others = "versions that were never opened are cleared by an administrator, not by dee"
    refused(book, entry("clear", "dee", 2), others)
    refused(book, entry("clear", "root", 1), "version 1 was opened, and stays as it was registered")
    assert book.refusal(entry("clear", "root").model_copy(update={"version": None})) == "clear needs a version"
    book.apply(entry("clear", "root", 2))
    assert book.cleared == {2}
    refused(book, opening(2), "version 2 was cleared away by an administrator")
    book.apply(opening(3))


NUMBERS = {"risk-analyst": 3, "reviewer": 4}


def noted(*entries):
    """A book in which the server has noted which number each role has."""
    return book_of(entry("account", SERVER, role_numbers=NUMBERS), *entries)


def test_only_the_server_notes_the_numbers_of_roles_and_only_if_it_has_some():
    book = noted(entry("account", "root", role_numbers={"reviewer": 9}), entry("account", SERVER))
    assert book.role_numbers == NUMBERS
    book.apply(entry("account", SERVER, role_numbers={"reviewer": 5}))
    assert book.role_numbers == {"reviewer": 5}
    book.apply(entry("align", SERVER, role_numbers={"reviewer": 6}))
    assert book.role_numbers == {"reviewer": 5}


def test_a_role_by_the_same_name_with_another_number_signs_nothing():
    book = noted(opening())
    attempt = approve("ann", "technical", role_numbers={"risk-analyst": 7}, grant="role 7")
    sentence = "the role risk-analyst is number 3; what ann has under this name is number {}"
    refused(book, attempt, sentence.format(7))
    refused(book, attempt.model_copy(update={"role_numbers": {}}), sentence.format(None))
    book.apply(attempt.model_copy(update={"role_numbers": NUMBERS}))
    assert book.words(1, on(0)) == "awaiting governance"


def test_who_may_not_write_tags_signs_nothing_once_roles_have_numbers():
    attempt = approve("ann", "technical", role_numbers=NUMBERS)
    refused(noted(opening()), attempt, "MLflow does not let ann write the tags of a version")
    assert book_of(opening()).refusal(attempt) is None


def test_a_rollback_takes_the_number_of_the_role_too():
    book = noted()
    for each in reign(1, 2):
        book.apply(each.model_copy(update={"role_numbers": NUMBERS, "grant": "role"}))
    attempt = entry("roll back", "bob", 1, role_numbers={"reviewer": 5})
    refused(book, attempt, "the role reviewer is number 4; what bob has under this name is number 5")
    book.apply(attempt.model_copy(update={"role_numbers": {"reviewer": 4}}))
    assert book.champion == 1


@pytest.mark.parametrize("reason", ["x", "x" * 1000, f" {'x' * 1000}\n"])
def test_a_reason_may_be_as_long_as_that(reason):
    assert book_of(opening()).refusal(approve("ann", "technical", reason=reason)) is None


def test_tags_are_cut_to_what_is_kept_of_them():
    start = "approved by ann. ann: "
    for length, ends in ((5000 - len(start), "xx"), (5001 - len(start), "x…")):
        book = book_of(opening())
        book.cases[1].approvals.append(Signature("technical", "ann", "x" * length, on(0)))
        tags = book.cases[1].tags(on(0))
        assert list(tags) == [f"{SIGNOFF}technical", f"{SIGNOFF}governance"]
        assert tags[f"{SIGNOFF}governance"] == "pending"
        assert len(tags[f"{SIGNOFF}technical"]) == 5000
        assert tags[f"{SIGNOFF}technical"].startswith(start)
        assert tags[f"{SIGNOFF}technical"].endswith(ends)


def test_before_anything_was_opened_there_is_no_champion_and_nothing_to_go_back_to():
    book = book_of()
    assert (book.champion, book.previous, book.reigns, book.role_numbers) == (None, None, [], {})
    refused(
        book_of(*reign(1)), entry("roll back", "bob", 1), "there is no earlier champion whose evidence still stands"
    )


def test_what_was_refused_is_no_part_of_the_book():
    book = book_of(opening())
    book.apply(entry("void", SERVER, digest=ALTERED, refusal="no"))
    book.check(approve("bob", "technical", refusal="no"))
    assert book.state(1, on(0)) is State.AWAITING


WAITS = (
    "version {} waits while people are signing version {}, until that is promoted, refused, run out or withdrawn by "
    "its author"
)


def test_while_people_sign_a_version_nobody_signs_another():
    ann = entry("approve", "ann", 2, "technical")
    book = book_of(opening(1), opening(2))
    assert book.refusal(ann) is None  # nobody signs the first
    book.apply(signing(1)[0])
    assert (book.being_signed(on(0)), book.waits_behind(2, on(0)), book.waits_behind(1, on(0))) == ([1], 1, None)
    refused(book, ann, WAITS.format(2, 1))
    assert book.waits_behind(3, on(0)) == 1  # it is not opened yet
    assert book.refusal(entry("reject", "ann", 2, "technical")) is None  # a refusal need not wait
    for each in signing(1)[1:]:
        book.apply(each)
    refused(book, ann, WAITS.format(2, 1))  # it has all its signatures, and is not promoted


@pytest.mark.parametrize(
    ("ends", "day"),
    [
        (entry("promote", SERVICE, 1), 1),
        (entry("reject", "bob", 1, "governance"), 1),
        (entry("withdraw", AUTHOR, 1, "technical"), 1),
        (entry("void", SERVER, 1, digest=ALTERED), 1),
        (None, 30.5),
    ],
    ids=["promoted", "refused", "withdrawn", "void", "run out"],
)
def test_a_version_waits_until_the_one_before_it_is_decided(ends, day):
    book = book_of(opening(1), opening(2), *signing(1))
    refused(book, entry("approve", "ann", 2, "technical", day=1), WAITS.format(2, 1))
    if ends:
        book.apply(ends)
    assert book.waits_behind(2, on(day)) is None
    book.apply(entry("approve", "ann", 2, "technical", day=day))
    assert book.being_signed(on(day)) == [2]
    if ends is None:  # and now the first waits, though its people could sign again
        refused(book, signing(1, day=day)[0], WAITS.format(1, 2))


def test_the_last_signature_that_is_taken_back_ends_the_waiting():
    book = book_of(opening(1), opening(2), *signing(1)[:2], entry("revoke", "bob", 1, "governance"))
    assert book.waits_behind(2, on(0)) == 1
    book.apply(entry("revoke", "ann", 1, "technical"))
    assert book.waits_behind(2, on(0)) is None


def test_only_the_author_withdraws_a_version_that_is_not_decided_and_says_why():
    book = book_of(opening(), *signing()[:2])
    for who in ("ann", "root", SERVICE):
        refused(
            book, entry("withdraw", who, step="technical"), f"a version is withdrawn by its author: {AUTHOR}, not {who}"
        )
    reason = "a decision needs a reason (up to 1000 characters), as in 'approved: finds more'"
    refused(book, entry("withdraw", AUTHOR, step="technical", reason=" "), reason)
    refused(book, entry("withdraw", AUTHOR), "there is no step None; the steps are technical, governance")
    book.apply(entry("withdraw", AUTHOR, step="governance", reason="a column\nis wrong"))
    case = book.cases[1]
    assert (book.state(1, on(0)), book.state(1, on(99))) == (State.WITHDRAWN, State.WITHDRAWN)
    assert case.tags(on(0))["signoff.governance"] == f"withdrawn by {AUTHOR}: a column is wrong"
    assert case.tags(on(0))["signoff.technical"] == "approved by ann. ann: sound"
    for each in (entry("approve", "cid", step="governance"), entry("withdraw", AUTHOR, step="technical")):
        refused(book, each, "version 1 is withdrawn: nothing more can be signed")


def test_versions_that_were_opened_to_be_signed_at_once_still_are_and_no_others_after_them():
    book = book_of(beside_others(1), beside_others(2), signing(1)[0], *signing(2))
    assert book.being_signed(on(0)) == [1, 2]
    book.apply(opening(3))
    assert [book.waits_behind(version, on(0)) for version in (1, 2, 3)] == [None, None, 1]
    refused(book, beside_others(4), "version 4 is opened to be signed beside others, as versions before it were not")


def one_person(*names, actor="root"):
    return entry("account", actor, one_person=names)


def test_who_made_a_version_signs_it_under_no_name():
    """eve has made all versions here."""
    book = book_of(one_person("Ann", "anita"), one_person("anita", "EVE "), opening())
    refused(book, TECHNICALLY, "ann made version 1, and so may not sign it")
    assert book.refusal(approve("dee", "technical")) is None


def test_one_person_signs_once_under_all_names_and_takes_it_back_under_any():
    book = book_of(one_person("bob", "dee"), opening(), TECHNICALLY, approve("bob", "governance"))
    refused(book, approve("dee", "governance"), "dee has signed governance already; one person signs one step, once")
    assert book.refusal(approve("cid", "governance")) is None
    book.apply(entry("revoke", "dee", step="governance"))
    assert [signature.user for signature in book.cases[1].approvals] == ["ann"]


def test_of_what_one_person_has_signed_under_two_names_the_first_counts():
    book = book_of(opening(), *signing())
    assert book.state(1, on(1)) is State.APPROVED
    names = [signature.user for signature in book.cases[1].approvals]
    book.apply(one_person(names[2], names[1]))
    assert [signature.user for signature in book.cases[1].approvals] == names[:2]
    assert book.state(1, on(1)) is State.AWAITING


def test_what_the_author_has_signed_under_another_name_does_not_count_any_more():
    book = book_of(opening(), TECHNICALLY)
    book.apply(one_person("ann", "eve"))
    assert book.cases[1].approvals == []


def test_a_champion_stays_what_it_was_signed_to_be():
    book = book_of(*reign(1))
    signed = list(book.cases[1].approvals)
    book.apply(one_person(signed[1].user, signed[2].user))
    assert (book.cases[1].approvals, book.champion) == (signed, 1)


def test_only_an_administrator_says_which_accounts_are_one_persons():
    attempt = one_person("ann", "bob", actor="dee")
    refused(book_of(), attempt, "an administrator says which accounts are one person's, not dee")
    attempt = entry("write", "root", one_person=("ann", "bob"))
    assert book_of().refusal(attempt) == "an administrator says which accounts are one person's, not root"


def test_criteria_take_two_persons_and_not_two_names():
    book = book_of(one_person("pia", "pol"))
    assert book.criteria._person("PIA") == book.criteria._person("pol") != book.criteria._person("ann")
