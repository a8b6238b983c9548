"""What nobody may write, whatever the role: what was registered stays as it is, and aliases follow the ledger."""

from typing import Any

import pytest

from tests.attacks.scene import ACCOUNTS, ALIAS, MODEL, OLD, OWN, REIGNING, REJECTED, VOID, WAITING
from tests.support.signoff_server import AJAX, API

# What nobody may do, whatever the role; <RUN>, <MODEL> and <VERSION> are those of WAITING.

NOBODY: dict[str, tuple[str, str, dict[str, Any]]] = {
    "champion to a version that waits": ("POST", "registered-models/alias", {**ALIAS, "version": "<VERSION>"}),
    "champion to a rejected version": ("POST", "registered-models/alias", {**ALIAS, "version": REJECTED}),
    "champion to a void version": ("POST", "registered-models/alias", {**ALIAS, "version": VOID}),
    "champion back to the one before": ("POST", "registered-models/alias", {**ALIAS, "version": OLD}),
    "champion to no version": ("POST", "registered-models/alias", {**ALIAS, "version": "99"}),
    "previous to a version that waits": (
        "POST",
        "registered-models/alias",
        {**ALIAS, "alias": "previous", "version": "<VERSION>"},
    ),
    "champion taken away": ("DELETE", "registered-models/alias", ALIAS),
    "previous taken away": ("DELETE", "registered-models/alias", {**ALIAS, "alias": "previous"}),
    "a tally of one's own": (
        "POST",
        "model-versions/set-tag",
        {**MODEL, "version": "<VERSION>", "key": "signoff.governance", "value": "2 of 2: approved by rea, rob"},
    ),
    "a step set back": (
        "POST",
        "model-versions/set-tag",
        {**MODEL, "version": "<VERSION>", "key": "signoff.technical", "value": "pending"},
    ),
    "a signature deleted": (
        "DELETE",
        "model-versions/delete-tag",
        {**MODEL, "version": "<VERSION>", "key": "signoff.technical"},
    ),
    "the digest deleted": (
        "DELETE",
        "model-versions/delete-tag",
        {**MODEL, "version": "<VERSION>", "key": "evidence_digest"},
    ),
    "the author deleted": ("DELETE", "model-versions/delete-tag", {**MODEL, "version": OWN, "key": "author"}),
    "the digest rewritten": (
        "POST",
        "model-versions/set-tag",
        {**MODEL, "version": "<VERSION>", "key": "evidence_digest", "value": "0" * 64},
    ),
    "the author rewritten": (
        "POST",
        "model-versions/set-tag",
        {**MODEL, "version": OWN, "key": "author", "value": "dan"},
    ),
    "an author for a version without": (
        "POST",
        "model-versions/set-tag",
        {**MODEL, "version": "<VERSION>", "key": "author", "value": "rea"},
    ),
    "the data version rewritten": (
        "POST",
        "model-versions/set-tag",
        {**MODEL, "version": "<VERSION>", "key": "data_version", "value": "other"},
    ),
    "the version deleted": ("DELETE", "model-versions/delete", {**MODEL, "version": "<VERSION>"}),
    "the champion deleted": ("DELETE", "model-versions/delete", {**MODEL, "version": REIGNING}),
    "the description rewritten": (
        "PATCH",
        "model-versions/update",
        {**MODEL, "version": "<VERSION>", "description": "much better than it is"},
    ),
    "the stage": (
        "POST",
        "model-versions/transition-stage",
        {**MODEL, "version": "<VERSION>", "stage": "Production", "archive_existing_versions": True},
    ),
    "the model deleted": ("DELETE", "registered-models/delete", MODEL),
    "the model renamed": ("POST", "registered-models/rename", {**MODEL, "new_name": "gone"}),
    "another model with its name": ("POST", "registered-models/rename", {"name": "other", "new_name": "customs-risk"}),
    "another model that looks like it": ("POST", "registered-models/create", {"name": "Customs-Risk"}),
    "the model's description": ("PATCH", "registered-models/update", {**MODEL, "description": "x"}),
    "the model's tags": ("POST", "registered-models/set-tag", {**MODEL, "key": "a", "value": "b"}),
    "the model's tags deleted": ("DELETE", "registered-models/delete-tag", {**MODEL, "key": "a"}),
    "the model as a prompt": (
        "POST",
        "registered-models/set-tag",
        {**MODEL, "key": "mlflow.prompt.is_prompt", "value": "true"},
    ),
    "a version from a file": ("POST", "model-versions/create", {**MODEL, "source": "file://<FOLDER>/signoff"}),
    "a version from a path": ("POST", "model-versions/create", {"name": "other", "source": "<FOLDER>/signoff"}),
    "a version that is born approved": (
        "POST",
        "model-versions/create",
        {
            **MODEL,
            "source": "models:/<MODEL>",
            "tags": [{"key": "signoff.technical", "value": "approved by ana. ana: sound"}],
        },
    ),
    "a prompt": (
        "POST",
        "registered-models/create",
        {"name": "other", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]},
    ),
    "the run deleted": ("POST", "runs/delete", {"run_id": "<RUN>"}),
    "the run restored": ("POST", "runs/restore", {"run_id": "<RUN>"}),
    "the run's name": ("POST", "runs/update", {"run_id": "<RUN>", "run_name": "x"}),
    "the run's old id": ("POST", "runs/update", {"run_uuid": "<RUN>", "status": "RUNNING"}),
    "the run's tag": ("POST", "runs/set-tag", {"run_id": "<RUN>", "key": "a", "value": "b"}),
    "the run's tag deleted": ("POST", "runs/delete-tag", {"run_id": "<RUN>", "key": "evidence_digest"}),
    "the run's metric": ("POST", "runs/log-metric", {"run_id": "<RUN>", "key": "roc_auc", "value": 1, "timestamp": 1}),
    "the run's parameter": ("POST", "runs/log-parameter", {"run_id": "<RUN>", "key": "a", "value": "b"}),
    "a batch into the run": (
        "POST",
        "runs/log-batch",
        {"run_id": "<RUN>", "metrics": [{"key": "roc_auc", "value": 1, "timestamp": 1, "step": 0}]},
    ),
    "a batch for its model from another run": (
        "POST",
        "runs/log-batch",
        {
            "run_id": "<LOOSE>",
            "metrics": [{"key": "roc_auc", "value": 1, "timestamp": 1, "step": 0, "model_id": "<MODEL>"}],
        },
    ),
    "a model into the run": ("POST", "runs/log-model", {"run_id": "<RUN>", "model_json": "{}"}),
    "inputs into the run": ("POST", "runs/log-inputs", {"run_id": "<RUN>", "models": [{"model_id": "<MODEL>"}]}),
    "outputs into the run": ("POST", "runs/outputs", {"run_id": "<RUN>", "models": [{"model_id": "<MODEL>"}]}),
    "another author for a run": ("POST", "runs/set-tag", {"run_id": "<LOOSE>", "key": "author", "value": "rea"}),
    "no author for a run": ("POST", "runs/delete-tag", {"run_id": "<LOOSE>", "key": "author"}),
    "another author by a batch": (
        "POST",
        "runs/log-batch",
        {"run_id": "<LOOSE>", "tags": [{"key": "author", "value": "rea"}]},
    ),
    "a logged model under the run": (
        "POST",
        "logged-models",
        {"experiment_id": "<EXPERIMENT>", "name": "x", "source_run_id": "<RUN>"},
    ),
    "the logged model failed": (
        "PATCH",
        "logged-models/<MODEL>",
        {"model_id": "<MODEL>", "status": "LOGGED_MODEL_UPLOAD_FAILED"},
    ),
    "the logged model deleted": ("DELETE", "logged-models/<MODEL>", {}),
    "the logged model's tags": ("PATCH", "logged-models/<MODEL>/tags", {"tags": [{"key": "a", "value": "b"}]}),
    "the logged model's tags deleted": ("DELETE", "logged-models/<MODEL>/tags/evidence_digest", {}),
    "the logged model's parameters": ("POST", "logged-models/<MODEL>/params", {"params": [{"key": "a", "value": "b"}]}),
    "the experiment deleted": ("POST", "experiments/delete", {"experiment_id": "<EXPERIMENT>"}),
    "the experiment renamed": ("POST", "experiments/update", {"experiment_id": "<EXPERIMENT>", "new_name": "x"}),
    "the service's password": ("PATCH", "users/update-password", {"username": "tidewaiter", "password": "x" * 20}),
    "the service as administrator": ("PATCH", "users/update-admin", {"username": "tidewaiter", "is_admin": True}),
    "the service deleted": ("DELETE", "users/delete", {"username": "tidewaiter"}),
}


@pytest.mark.attempts(len(ACCOUNTS))
@pytest.mark.parametrize("attack", NOBODY)
def test_what_nobody_may_do(scene, attack):
    method, name, body = NOBODY[attack]
    with scene.refused(*ACCOUNTS):
        for number, who in enumerate(ACCOUNTS):
            path = f"{API if number % 2 else AJAX}/{scene.fill(name, WAITING)}"
            answer = scene.send(who, method, path, scene.fill(body, WAITING))
            assert answer.status_code in (400, 403, 404), (who, answer.text)
            assert answer.json()["message"]
