"""What nobody can write past the sign-off."""

import pytest

from models.access.call import Refused
from models.ledger.book import SERVICE
from models.names import MODEL
from models.server import restrictions
from tests.support.rules import LOGGED, RUN, call, entries, grants, last, numbers, rules, store, table, tagging, told

__all__ = ["grants", "numbers", "rules", "store", "table", "told"]


class TestRestrictions:
    @pytest.mark.parametrize(
        ("method", "name", "body"),
        [
            ("POST", "runs/log-metric", {"run_id": RUN}),
            ("POST", "runs/update", {"run_uuid": RUN}),
            ("POST", "runs/log-batch", {"run_id": "x", "metrics": [{"model_id": LOGGED}]}),
            ("POST", "runs/outputs", {"run_id": "x", "models": [{"model_id": LOGGED}]}),
            ("DELETE", f"logged-models/{LOGGED}/tags/a", {}),
            ("POST", "logged-models", {"source_run_id": RUN}),
            ("POST", "runs/set-tag", {"run_id": "x", "key": "author", "value": "rea"}),
            ("POST", "runs/set-tag", {"run_id": "x", "key": "run_key", "value": "a"}),
            ("POST", "runs/create", {"tags": [{"key": "run_key", "value": "a"}]}),
            ("POST", "runs/set-tag", {"run_id": "x", "key": "made_from", "value": "a"}),
            ("POST", "runs/log-batch", {"run_id": "x", "tags": [{"key": "held_against", "value": "a"}]}),
            ("POST", "runs/log-batch", {"run_id": "x", "tags": [{"key": "run_key", "value": "a"}]}),
            ("POST", "runs/log-batch", {"run_id": "x", "tags": [{"key": "author", "value": "rea"}]}),
            ("POST", "experiments/delete", {"experiment_id": "7"}),
            ("POST", "experiments/update", {"experiment_id": 7}),
            ("POST", "experiments/create", {"name": "x", "artifact_location": "file:///etc"}),
            ("POST", "model-versions/create", {"name": "other", "source": "/etc"}),
            ("POST", "model-versions/create", {"name": MODEL, "source": "models:/x", "tags": {"key": "a"}}),
            ("POST", "model-versions/create", {"name": MODEL, "source": "models:/x", "tags": "ab"}),
            ("DELETE", "model-versions/delete", {"name": [MODEL], "version": "1"}),
            ("POST", "registered-models/rename", {"name": "other", "new_name": MODEL}),
            ("POST", "registered-models/create", {"name": "Customs-Risk"}),
            ("POST", "registered-models/create", {"name": "x", "tags": [{"key": "mlflow.prompt.is_prompt"}]}),
        ],
    )
    @pytest.mark.parametrize("who", ["root", "dan"])
    def test_refused_and_noted(self, rules, table, who, method, name, body):
        with pytest.raises(Refused):
            rules.judge(call(who, method, name, **body))
        assert (last(table).actor, last(table).action) == (who, "write")

    @pytest.mark.parametrize(
        ("method", "name", "body"),
        [
            ("POST", "runs/log-metric", {"run_id": "x", "key": "a"}),
            ("POST", "runs/set-tag", {"run_id": "x", "key": "metaphor", "value": "author"}),
            ("POST", "runs/set-tag", {"run_id": "x", "key": "\uba54\ubaa8", "value": "b"}),
            ("PATCH", f"logged-models/m-{'3' * 32}", {}),
            ("POST", "experiments/create", {"name": "x"}),
            ("POST", "experiments/delete", {"experiment_id": "8"}),
            ("DELETE", "model-versions/delete", {"name": "other", "version": "1"}),
            ("POST", "model-versions/set-tag", {"name": MODEL, "version": "1", "key": "note", "value": "b"}),
            ("DELETE", "model-versions/delete-tag", {"name": MODEL, "version": "1", "key": "note"}),
        ],
    )
    def test_everything_else_is_mlflows_to_decide(self, rules, table, method, name, body):
        asked = call("dan", method, name, **body)
        assert rules.judge(asked) == asked
        assert entries(table) == []

    def test_the_author_is_who_asks_but_for_the_service(self, rules):
        tags = [{"key": "author", "value": "rea"}, {"key": "a", "value": "b"}]
        version = {"name": MODEL, "source": "models:/x", "tags": tags}
        made = rules.judge(call("dan", "POST", "runs/create", tags=tags)).body["tags"]
        assert {each["key"]: each["value"] for each in made} == {"author": "dan", "a": "b"}
        for name, body in (("runs/create", {"tags": tags}), ("model-versions/create", version)):
            assert rules.judge(call(SERVICE, "POST", name, **body)).body["tags"] == tags
        assert rules.judge(call(SERVICE, "POST", "runs/create")).body["tags"] == [{"key": "author", "value": SERVICE}]

    def test_evidence_tags_are_written_once_and_by_the_service(self, rules, store):
        assert rules.judge(tagging(SERVICE, "registration", "complete"))
        assert rules.judge(tagging(SERVICE, "data_version", "abc"))
        for who, key in (("max", "registration"), ("root", "registration"), (SERVICE, "evidence_digest")):
            with pytest.raises(Refused):
                rules.judge(tagging(who, key, "x"))
        del store.tags["author"]
        with pytest.raises(Refused, match="part of its evidence"):
            rules.judge(tagging(SERVICE, "author", "rea"))

    @pytest.mark.parametrize(
        ("path", "is_allowed"),
        [
            (f"1/{'a' * 32}/artifacts/x", True),
            (f"1/models/m-{'a' * 32}/artifacts/x/y", True),
            (f"1/{RUN}/artifacts/x", False),
            (f"1/models/{LOGGED}/artifacts/x", False),
            (f"1/{'a' * 32}/artifacts", False),
            (f"1/2/{'a' * 32}/artifacts/x", False),
            (f"1/{'A' * 32}/artifacts/x", False),
            ("1", False),
            ("signoff/secret/ledger.key", False),
        ],
    )
    def test_files_of_runs_and_logged_models_that_belong_to_no_version(self, store, path, is_allowed):
        if is_allowed:
            restrictions.judge_artifact(path)
        else:
            with pytest.raises(Refused):
                restrictions.judge_artifact(path)
