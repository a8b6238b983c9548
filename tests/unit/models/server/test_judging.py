"""What the server judges of a version: a whole version is opened, and one with any part changed is not."""

import json
import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.dossier.dossier import Dossier
from models.evidence import manifest as evidence
from models.evidence import seal, source_code
from models.server import judging
from models.server.admission import Judge, Request
from tests.support import candidates, judged
from tests.support.examples import examples
from tests.support.judged import Version


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Version:
    return judged.register(tmp_path_factory.mktemp("judged"))


@pytest.fixture
def version(whole, tmp_path) -> Version:
    return copied(whole, tmp_path / "files")


def copied(whole: Version, files: Path) -> Version:
    shutil.copytree(whole.files, files)
    return replace(whole, files=files)


def test_what_was_registered_is_opened(version):
    assert version.faults() == ()


def test_made_whole_again_it_still_is(version):
    version.rewrite(candidates.dossier())
    assert version.faults() == ()


def test_it_is_judged_in_another_process_which_goes_on(version):
    judge = Judge()
    request = Request(files=version.files, shown=version.shown, data=version.data, policy=version.policy)
    try:
        assert judge(request) == ()
        first = judge._process
        (version.run / "model").unlink()
        assert judge(request) == ()
        assert judge._process is first
        (version.run / "model").unlink()
        (version.run / "card.md").write_text("all is well")
        assert judge(request) != ()
        assert judge._process is None  # nothing is judged by a process that has read what was wrong
    finally:
        judge._end()


PLACES = [
    (name, path)
    for name, document in {
        "evaluation.json": candidates.dossier().judged.model_dump(mode="json"),
        "drift.json": candidates.dossier().drift.model_dump(mode="json"),
        "validation.json": candidates.dossier().validation.model_dump(mode="json"),
    }.items()
    for path in judged.leaves(document)
]


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES))
def test_every_field_of_every_document_is_judged(whole, tmp_path_factory, monkeypatch, place):
    """Manifest, seal and tags follow what was done, so it is the content that is refused."""
    monkeypatch.setattr(judging, "_origin", lambda case: ())  # the same each time, and slow
    version = copied(whole, tmp_path_factory.mktemp("spoilt") / "files")
    name, path = place
    file = version.place(name)
    file.write_text(json.dumps(judged.spoil(json.loads(file.read_text()), path), indent=1) + "\n")
    version.restate()
    assert version.faults(), place
    shutil.rmtree(version.files)


@pytest.mark.parametrize("path", list(judged.leaves(json.loads(candidates.dossier().model.files["model.json"])))[::3])
def test_every_field_of_the_model_is_judged(version, monkeypatch, path):
    monkeypatch.setattr(judging, "_origin", lambda case: ())
    file = version.place("model/model.json")
    file.write_text(json.dumps(judged.spoil(json.loads(file.read_text()), path), indent=1) + "\n")
    version.restate()
    assert version.faults()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"data_version": candidates.version_of_data("lost")}, "is neither in the cache nor in the remote"),
        ({"data_version": "../" * 4 + "etc/passwd.dir"}, "is neither in the cache nor in the remote"),
        ({"window": {"train": "2020-01-01/2020-12-31"}}, "the windows of the manifest"),
        ({"lock_sha256": "0" * 64}, "requirements.lock was another"),
        ({"lock_sha256": None}, "requirements.lock was another"),
        ({"code": {"commit": "0" * 40}}, "is not in the repository of this server"),
        ({"code": {"commit": "--output=/tmp/x"}}, "is not in the repository of this server"),
        ({"code": {"source_sha256": "0" * 64}}, "neither committed nor here"),
        ({"code": {"is_dirty": not candidates.CODE.is_dirty}}, "neither committed nor here"),
    ],
)
def test_every_field_of_the_manifest_is_judged(version, fields, sentence):
    if "code" in fields:
        fields = {"code": candidates.CODE.model_copy(update=fields["code"])}
    say(version, fields)
    assert any(sentence in fault for fault in version.faults())


def test_a_version_of_a_commit_is_opened_though_something_was_changed_here_since(version, monkeypatch):
    clean = candidates.CODE.model_copy(update={"is_dirty": False})
    changed = clean.model_copy(update={"is_dirty": True, "source_sha256": "1" * 64})
    monkeypatch.setattr(source_code, "committed", lambda commit, project: nullcontext(project))
    monkeypatch.setattr(source_code, "code_state", lambda project: changed)
    say(version, {"code": clean})
    assert not any("neither committed nor here" in fault for fault in version.faults())


def say(version, fields):
    """Have the manifest say so, with card and description as they would be made of it."""
    version.restate(**fields)
    manifest = evidence.read((version.run / "evidence.json").read_bytes())
    dossier = candidates.dossier()
    (version.run / "model").symlink_to(version.model, target_is_directory=True)
    texts = dossier.texts(version.run, manifest.data_version, manifest.code.commit)
    (version.run / "model").unlink()
    for name, text in texts.items():
        (version.run / name).write_text(text)
    page = version.shown.page
    version.shown = version.shown.model_copy(update={"description": evidence.description(version.run, page)})
    version.restate()


def with_judged(**fields):
    dossier = candidates.dossier()
    return replace(dossier, judged=dossier.judged.model_copy(update=fields))


def failing() -> Dossier:
    """Its figures fail a gate, and it says that none did."""
    evaluation = candidates.dossier().judged.evaluation
    return with_judged(evaluation=evaluation.model_copy(update={"rows": 3}))


def honest() -> Dossier:
    """As before, and it says so."""
    made = failing()
    verdicts = made.verdicts(made.in_force())
    return replace(made, judged=made.judged.model_copy(update={"gates": verdicts}))


def lenient() -> Dossier:
    """Return a version that was judged by a policy of its own, under which its figures pass."""
    own = candidates.dossier().policy.replace(b"min_test_rows = 500", b"min_test_rows = 1")
    return replace(honest(), policy=own, judged=replace(failing(), policy=own).judged)


def unasked() -> Dossier:
    """Intervals of another confidence."""
    evaluation = candidates.dossier().judged.evaluation
    return with_judged(evaluation=evaluation.model_copy(update={"confidence": 0.5}))


def unsure() -> Dossier:
    """Detection with another confidence, as whoever wants it to look surer would have it."""
    detection = candidates.dossier().judged.detection
    return with_judged(detection=detection.model_copy(update={"confidence": 0.5}))


def silent() -> Dossier:
    """It says nothing of what inspections find, as if it were of an older product."""
    return with_judged(detection=None)


def blind() -> Dossier:
    """Drift judged by bounds that nothing exceeds."""
    dossier = candidates.dossier()
    return replace(dossier, drift=dossier.drift.model_copy(update={"max_drifted_columns": 99}))


def compared_with_nothing(**reference: int) -> Dossier:
    dossier = candidates.dossier()
    window = dossier.drift.reference.model_copy(update=reference)
    return replace(dossier, drift=dossier.drift.model_copy(update={"reference": window, "columns": ()}))


def test_drift_has_no_columns_where_nothing_is_stored_to_compare_with_and_only_there(version):
    for made, is_fault in ((compared_with_nothing(rows=0, sampled=0), False), (compared_with_nothing(), True)):
        version.rewrite(made)
        assert any("drift.json was judged by other bounds" in fault for fault in version.faults()) is is_fault


def other_groups() -> Dossier:
    load = candidates.dossier().judged.burden
    return with_judged(burden=load.model_copy(update={"min_rows": 100_000}))


def uncommitted(**fields) -> Dossier:
    """Made from code of which one file was not committed, as it says."""
    about = candidates.dossier().judged.about.model_copy(
        update={"uncommitted": source_code.Uncommitted(files=("models/more.py",), sha256="a" * 64), **fields}
    )
    made = with_judged(about=about)
    return replace(made, judged=made.judged.model_copy(update={"gates": made.verdicts(made.in_force())}))


def unknown() -> Dossier:
    return uncommitted(uncommitted=None)


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (uncommitted, "gate committed_code failed: 1 file of the code differs from the commit: models/more.py"),
        (unknown, "gate committed_code failed: Nobody can say whether the code is committed"),
        (uncommitted, "what was not committed is not what the manifest says of commit"),
        (unknown, "what was not committed is not what the manifest says of commit"),
        (failing, "has other verdicts than its figures give"),
        (honest, "gate test_rows failed: Test rows 3 is below 500"),
        (lenient, "policy.toml is not the policy in force"),
        (unasked, "intervals of another confidence"),
        (unsure, "what inspections find is not told, or with another confidence"),
        (silent, "what inspections find is not told, or with another confidence"),
        (blind, "drift.json was judged by other bounds"),
        (other_groups, "groups of 100000 rows, not 300"),
    ],
)
def test_a_forgery_that_holds_together_is_judged_by_the_policy_in_force(version, made, sentence):
    version.rewrite(made())
    assert any(sentence in fault for fault in version.faults())


@pytest.mark.parametrize("name", ["card.md", "description.md"])
def test_what_people_read_is_rendered_again(version, name):
    place = version.run / name
    place.write_text(place.read_text().replace("fraud", "nothing").replace("score", "Score", 1))
    version.restate()
    assert f"{name} is not what is rendered from the evidence" in version.faults()


def test_a_card_of_other_code_is_not_taken_and_says_what_to_do(version, monkeypatch):
    (version.run / "card.md").write_text("as another product had it")
    version.restate()
    monkeypatch.setattr(judging.source_code, "source_digest", lambda project: "of another product")
    monkeypatch.setattr(judging, "_origin", lambda case: ())
    (fault,) = version.faults()
    assert fault.startswith("card.md was rendered by other code, commit ")
    assert fault.endswith("and this renders it otherwise: retrain")


@pytest.mark.parametrize(
    ("where", "changed"),
    [
        ("params", {"seed": "1"}),
        ("params", {"more": "1"}),
        ("params", {"source": None}),
        ("params", {"tuning.more": "1"}),
        ("metrics", {"model.roc_auc": 0.99}),
        ("metrics", {"more": 1.0}),
        ("metrics", {"rows": None}),
        *(("run_tags", {name: "x"}) for name in ("evidence_digest", "data_version", "code_commit", "code_is_dirty")),
        *(("run_tags", {name: "x"}) for name in ("gates", "failed_gates", "author")),
        *(("version_tags", {name: "x"}) for name in ("evidence_digest", "data_version", "code_commit", "author")),
        ("version_tags", {"code_is_dirty": "true"}),
        ("version_tags", {"code_is_dirty": None}),
        ("version_tags", {"author": None}),
    ],
)
def test_what_mlflow_shows_is_what_the_evidence_says(version, where, changed):
    version.tell(**{where: changed})
    version.reseal()
    assert version.faults()


def test_what_the_versions_page_says_is_the_card(version):
    version.shown = version.shown.model_copy(update={"description": "better than it was"})
    assert version.faults() == ("the version's description is not the card that is in the evidence",)


def test_without_a_seal_nothing_is_opened(version):
    (version.run / "sealed.json").unlink()
    assert version.faults() == ("sealed.json is missing: only what is sealed is opened, so retrain",)


@pytest.mark.parametrize(
    ("folder", "name"),
    [("run", "plots/gain.png"), ("run", "drift.html"), ("logged", "MLmodel"), ("logged", "serving.py")],
)
@pytest.mark.parametrize("how", ["changed", "gone", "more"])
def test_the_seal_is_over_every_file(version, folder, name, how):
    file = getattr(version, folder) / name
    if how == "changed":
        file.write_bytes(file.read_bytes() + b"\n")
    elif how == "gone":
        file.unlink()
    else:
        file.with_name("more.txt").write_text("more")
    assert any("sealed" in fault for fault in version.faults())


@pytest.mark.parametrize("which", ["run", "model", "params", "metrics"])
def test_every_part_of_the_seal_is_held_to_what_lies_there(version, which):
    stated = seal.read(version.run)
    values = {**getattr(stated, which)}
    values.popitem()
    stated.model_copy(update={which: values}).write(version.run)
    assert any("is not among what was sealed" in fault for fault in version.faults())


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"layout": 3, "run": {}, "model": {}}'])
def test_a_seal_that_is_none_is_not_read(version, content):
    (version.run / "sealed.json").write_bytes(content)
    assert version.faults()[0].startswith("the evidence cannot be read")


def mlmodel(**fields):
    def change(logged: Path) -> None:
        described = yaml.safe_load((logged / "MLmodel").read_text())
        described["flavors"]["python_function"] |= fields
        (logged / "MLmodel").write_text(yaml.safe_dump(described))

    return change


def appended(name: str, text: str):
    def change(logged: Path) -> None:
        (logged / name).parent.mkdir(exist_ok=True)
        (logged / name).open("a").write(text)

    return change


SERVED = {
    "the serving script": appended("serving.py", "\nprint('mine')\n"),
    "a module of the code": appended("code/models/risk/risk_model.py", "\nprint('mine')\n"),
    "a module that was not there": appended("code/sitecustomize.py", "print('mine')\n"),
    "a file beside the model": appended("more.py", "print('mine')\n"),
    "a pickle": appended("python_model.pkl", "x"),
    "another loader": mlmodel(loader_module="os"),
    "another code folder": mlmodel(code="artifacts"),
    "another script": mlmodel(model_code_path="more.py"),
    "another artifact": mlmodel(artifacts={"risk_model": {"path": "code", "uri": ""}}),
    "a requirement": appended("requirements.txt", "\nmine==1.0"),
    "a requirement from elsewhere": appended("requirements.txt", " @ http://mine.example/scipy.whl"),
    "another environment": appended("python_env.yaml", "- mine\n"),
    "another channel": appended("conda.yaml", "variables: {LD_PRELOAD: mine.so}\n"),
    "no MLmodel": lambda logged: (logged / "MLmodel").write_text("["),
}


@pytest.mark.parametrize("how", SERVED)
def test_what_runs_when_the_model_is_loaded_is_of_the_code_that_made_it(version, how):
    SERVED[how](version.logged)
    version.restate()
    assert any("logged model" in f or "MLmodel" in f or ".txt" in f or ".yaml" in f for f in version.faults())


def test_another_flavor_is_not_loaded(version):
    described = yaml.safe_load((version.logged / "MLmodel").read_text())
    described["flavors"]["sklearn"] = {"pickled_model": "model.pkl"}
    (version.logged / "MLmodel").write_text(yaml.safe_dump(described))
    version.restate()
    assert version.faults() == ("MLmodel names the flavors python_function, sklearn; allowed: python_function",)


def test_a_run_with_a_folder_of_the_models_name_is_refused(version):
    (version.run / "model").mkdir()
    (version.run / "model" / "illicit.txt").write_text("mine")
    version.reseal()
    request = Request(files=version.files, shown=version.shown, data=version.data, policy=version.policy)
    assert "which belongs to the logged model" in judging.faults(request)[0]
