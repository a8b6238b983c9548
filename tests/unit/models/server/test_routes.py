import pytest

from models.server.routes import Kind, artifact_path, find

WRITE = "/api/2.0/mlflow/registered-models/alias"


@pytest.mark.parametrize("prefix", ["/api/2.0", "/ajax-api/2.0", "/api/3.0", "/ajax-api/3.0"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_write_is_guarded_under_every_prefix(prefix, method):
    route = find(method, f"{prefix}/mlflow/registered-models/alias")
    assert (route.kind, route.name) == (Kind.GUARDED, "mlflow/registered-models/alias")


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/", Kind.FRONT),
        ("GET", "/health", Kind.OPEN),
        ("GET", "/static-files/a/b.js", Kind.OPEN),
        ("GET", "/get-artifact", Kind.PASS),
        ("GET", "/api/2.0/mlflow/runs/get", Kind.PASS),
        ("HEAD", "/api/2.0/mlflow/runs/get", Kind.PASS),
        ("POST", "/api/2.0/mlflow/runs/search", Kind.PASS),
        ("POST", "/graphql", Kind.PASS),
        ("GET", "/api/2.0/mlflow-artifacts/artifacts/a/b", Kind.PASS),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/a/b", Kind.ARTIFACT),
        ("DELETE", "/ajax-api/2.0/mlflow-artifacts/artifacts/a/b", Kind.ARTIFACT),
        ("POST", "/api/2.0/mlflow-artifacts/artifacts/a/b", Kind.CLOSED),
        ("POST", "/api/2.0/mlflow-artifacts/mpu/create/a/b", Kind.CLOSED),
        ("PATCH", "/api/2.0/mlflow/logged-models/m-1", Kind.GUARDED),
        ("DELETE", "/api/2.0/mlflow/logged-models/m-1/tags/a", Kind.GUARDED),
        ("POST", "/api/2.0/mlflow/logged-models/search", Kind.PASS),
        ("POST", "/api/2.0/tidewaiter/inspect", Kind.OWN),
        ("GET", "/api/2.0/tidewaiter/ledger", Kind.OWN),
        ("POST", "/api/2.0/tidewaiter/ledger", Kind.CLOSED),
        ("GET", "/api/2.0/tidewaiter/inspect", Kind.CLOSED),
        ("PUT", WRITE, Kind.CLOSED),
        ("POST", "/api/2.0/mlflow/webhooks", Kind.CLOSED),
        ("GET", "/api/2.0/mlflow/webhooks", Kind.CLOSED),
        ("POST", "/v1/traces", Kind.CLOSED),
        ("POST", "/signup", Kind.CLOSED),
        ("GET", "/api/2.0/mlflow/something-new", Kind.CLOSED),
    ],
)
def test_kinds(method, path, kind):
    assert find(method, path).kind is kind


@pytest.mark.parametrize(
    "path",
    [
        f"/{WRITE}",
        f"{WRITE}/",
        WRITE.replace("/alias", "//alias"),
        WRITE.replace("/alias", "/./alias"),
        WRITE.replace("/alias", "/x/../alias"),
        WRITE.replace("/alias", "%2falias"),
        WRITE.replace("/alias", "\\alias"),
        WRITE.upper(),
        f"{WRITE};a",
        f"{WRITE}\x00",
        f"{WRITE}\n",
        f"{WRITE}\u200b",
        f"http://host{WRITE}",
        WRITE.replace("/api/", "/api/2.0/../"),
        WRITE.replace("2.0", "2.0/preview"),
        WRITE[1:],
        "*",
        "",
    ],
)
def test_a_path_that_is_written_otherwise_is_closed(path):
    assert find("POST", path).kind is Kind.CLOSED
    assert find("GET", path).kind is Kind.CLOSED


def test_the_path_of_an_artifact():
    assert artifact_path("mlflow-artifacts/artifacts/a/b c") == "a/b c"
    with pytest.raises(ValueError, match="writes no artifact"):
        artifact_path("mlflow/runs/get")
