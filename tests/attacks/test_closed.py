"""What the product does not use is closed: routes of MLflow, GraphQL and websockets."""

import pytest

from tests.attacks.scene import WAITING
from tests.support.signoff_server import ADMINISTRATOR

CLOSED = [
    ("POST", "/v1/traces"),
    ("POST", "/v1/metrics"),
    ("POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=<RUN>&path=evaluation.json"),
    ("POST", "/ajax-api/2.0/mlflow/gateway-proxy"),
    ("GET", "/ajax-api/2.0/mlflow/gateway-proxy?gateway_path=api/2.0/endpoints/"),
    ("POST", "/ajax-api/2.0/mlflow/runs/create-promptlab-run"),
    ("POST", "/gateway/x/mlflow/invocations"),
    ("POST", "/gateway/mlflow/v1/chat/completions"),
    ("POST", "/api/3.0/mlflow/gateway/endpoints/create"),
    ("POST", "/api/3.0/mlflow/gateway/secrets/create"),
    ("GET", "/api/3.0/mlflow/gateway/secrets/list"),
    ("POST", "/ajax-api/3.0/mlflow/assistant/message"),
    ("PUT", "/ajax-api/3.0/mlflow/assistant/config"),
    ("GET", "/ajax-api/3.0/mlflow/assistant/config"),
    ("POST", "/ajax-api/3.0/jobs"),
    ("POST", "/ajax-api/3.0/jobs/search"),
    ("PATCH", "/ajax-api/3.0/mlflow/jobs/cancel/x"),
    ("POST", "/ajax-api/3.0/mlflow/mcp-servers"),
    ("GET", "/api/3.0/mlflow/mcp-servers"),
    ("POST", "/mcp"),
    ("POST", "/api/2.0/mlflow/webhooks"),
    ("GET", "/api/2.0/mlflow/webhooks"),
    ("POST", "/api/2.0/mlflow/webhooks/x/test"),
    ("POST", "/api/3.0/mlflow/traces"),
    ("POST", "/api/2.0/mlflow/traces"),
    ("PATCH", "/api/2.0/mlflow/traces/x/tags"),
    ("POST", "/api/2.0/mlflow/traces/link-prompts"),
    ("POST", "/api/2.0/mlflow/traces/link-to-run"),
    ("POST", "/api/3.0/mlflow/traces/delete-traces"),
    ("POST", "/api/3.0/mlflow/traces/x/assessments"),
    ("POST", "/api/3.0/mlflow/datasets/create"),
    ("POST", "/api/3.0/mlflow/scorers/register"),
    ("PUT", "/api/3.0/mlflow/scorers/online-config"),
    ("POST", "/ajax-api/3.0/mlflow/scorer/invoke"),
    ("POST", "/ajax-api/3.0/mlflow/genai/evaluate/invoke"),
    ("POST", "/ajax-api/3.0/mlflow/issues/invoke"),
    ("POST", "/ajax-api/3.0/mlflow/demo/generate"),
    ("POST", "/ajax-api/3.0/mlflow/demo/delete"),
    ("POST", "/api/3.0/mlflow/prompt-optimization/jobs"),
    ("POST", "/api/3.0/mlflow/label-schemas/create"),
    ("POST", "/api/3.0/mlflow/review-queues/create"),
    ("POST", "/api/3.0/mlflow/workspaces"),
    ("DELETE", "/api/3.0/mlflow/workspaces/default"),
    ("POST", "/api/2.0/mlflow/artifacts/presigned-upload-url"),
    ("POST", "/api/2.0/mlflow-artifacts/mpu/create/customs-risk/<RUN>/artifacts/evaluation.json"),
    ("POST", "/api/2.0/mlflow-artifacts/mpu/complete/customs-risk/<RUN>/artifacts/evaluation.json"),
    ("POST", "/api/2.0/mlflow-artifacts/mpu/abort/customs-risk/<RUN>/artifacts/evaluation.json"),
    ("DELETE", "/api/2.0/mlflow/registered-models/get"),
    ("DELETE", "/graphql"),
    ("PUT", "/graphql"),
    ("PUT", "/"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/metrics"),
    ("GET", "/build/x"),
]


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_what_the_product_does_not_use_is_closed(scene, method, path):
    with scene.refused():
        body = {"run_id": scene.runs[WAITING], "name": "x", "url": "http://127.0.0.1/x", "events": []}
        answer = scene.send(ADMINISTRATOR, method, scene.fill(path, WAITING), body)
    assert answer.status_code == 404
    assert "is not part of this product" in answer.json()["message"]


@pytest.mark.parametrize(
    "query",
    [
        'mutation { setModelVersionTag(name: "customs-risk", version: "3", key: "signoff.technical") { x } }',
        'mutation { mlflowSetRegisteredModelAlias(input: {alias: "champion", version: "3"}) { x } }',
        'mutation { testMutation(inputString: "x") { output } }',
        '{ mlflowGetRun(input: {runId: "<RUN>"}) { run { info { status } } } }',
        "{ __schema { mutationType { fields { name } } } }",
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_graphql_changes_nothing(scene, query, method):
    body = {"query": scene.fill(query, WAITING)}
    with scene.refused():
        answer = scene.send(ADMINISTRATOR, method, "/graphql", body, params=body if method == "GET" else None)
    assert b"alias" not in answer.content.lower() or answer.is_error or "errors" in answer.json()


@pytest.mark.parametrize("path", ["/", "/api/2.0/mlflow/registered-models/alias", "/ajax-api/3.0/mlflow/assistant/ws"])
def test_no_websockets(scene, path):
    upgrade = ["Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]
    with scene.refused():
        status = scene.raw(ADMINISTRATOR, f"GET {path} HTTP/1.1", [*upgrade, "Connection: Upgrade"])
    assert status != 101
