import pytest
from pydantic import ValidationError

from flows.settings import Settings


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_defaults_need_no_file(tmp_path):
    settings = Settings()
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/.tidewaiter/mlflow.db"
    assert settings.prefect_url == "http://127.0.0.1:4200"


def test_the_file_is_read_and_the_environment_wins(tmp_path, monkeypatch):
    (tmp_path / "tidewaiter.toml").write_text('mlflow_port = 5001\ntime_zone = "Asia/Seoul"\n')
    assert Settings().mlflow_port == 5001
    monkeypatch.setenv("TIDEWAITER_MLFLOW_PORT", "5002")
    assert (Settings().mlflow_port, Settings().time_zone) == (5002, "Asia/Seoul")


def test_an_unknown_key_of_the_file_is_refused(tmp_path):
    (tmp_path / "tidewaiter.toml").write_text("mlflow_prt = 5001\n")
    with pytest.raises(ValidationError, match=r"tidewaiter.toml: mlflow_prt is not a setting; allowed: .*mlflow_port"):
        Settings()


def test_an_unknown_environment_variable_is_refused(monkeypatch):
    monkeypatch.setenv("TIDEWAITER_MLFLOW_PRT", "5001")
    with pytest.raises(
        ValidationError, match=r"TIDEWAITER_MLFLOW_PRT is not a setting; allowed: .*TIDEWAITER_MLFLOW_PORT"
    ):
        Settings()


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("host", "0.0.0.0", "not a loopback address"),
        ("host", "example.org", "not a loopback address"),
        ("retrain_cron", "at night", "not a cron expression"),
        ("retrain_cron", "0 30 1 * * *", "not a cron expression"),
        ("monitor_cron", "99 1 * * *", "not a cron expression"),
        ("time_zone", "Asia/Soul", "not an IANA time zone"),
        ("time_zone", "../etc/passwd", "not an IANA time zone"),
        ("input_folders", '["data"]', "'data' is no place; allowed: absolute folders, and s3://bucket"),
        ("input_folders", '["/srv/../etc"]', "'/srv/../etc' is no place"),
        ("input_folders", '["s3://"]', "'s3://' is no place"),
        ("mlflow_port", "0", "greater than or equal to 1"),
        ("heartbeat_seconds", "5", "greater than or equal to 30"),
        ("zombie_after_seconds", "31", None),
        ("mlflow_port", "4200", "must differ"),
        ("metrics_port", "4300", "window_port and metrics_port are both 4300; they must differ"),
        ("metrics_port", "9464", None),
        (
            "sign_on_issuer",
            "https://login.customs.example",
            "sign_on_client_id is missing; allowed: sign_on_issuer and",
        ),
        ("sign_on_client_id", "tidewaiter", "sign_on_issuer is missing; allowed: sign_on_issuer and"),
    ],
)
def test_values_are_checked(key, value, told, monkeypatch):
    monkeypatch.setenv(f"TIDEWAITER_{key.upper()}", value)
    if told is None:
        assert getattr(Settings(), key) == int(value)
        return
    with pytest.raises(ValidationError, match=told):
        Settings()


def test_a_run_must_be_heard_of_before_it_counts_as_dead():
    with pytest.raises(ValidationError, match="must exceed heartbeat_seconds, 60"):
        Settings(heartbeat_seconds=60, zombie_after_seconds=60)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("public_urls", ("https://customs.example",)),
        ("run_as", "tidewaiter"),
        ("decisions_database_uri", "postgresql://window@db/decisions"),
        ("artifacts_uri", "s3://bucket/mlflow"),
    ],
)
def test_time_is_not_played_where_real_work_is_done(name, value, tmp_path):
    assert Settings(played_clock=tmp_path / "clock").played_clock == tmp_path / "clock"
    with pytest.raises(ValidationError, match=f"played_clock is for played days only, and {name} for an installation"):
        Settings(**{"played_clock": tmp_path / "clock", name: value})


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().mlflow_port = 5001


def test_mlflow_keeps_runs_and_accounts_in_files_or_in_one_database(tmp_path):
    assert Settings().accounts_uri == f"sqlite:///{tmp_path}/.tidewaiter/accounts.db"
    set_ = Settings(mlflow_database_uri="postgresql://mlflow@db/mlflow")
    assert set_.database_uri == set_.accounts_uri == set_.tracking_uri == "postgresql://mlflow@db/mlflow"


def test_another_kind_of_database_is_refused_without_repeating_its_password():
    with pytest.raises(ValidationError, match="'mysql' is not a database for MLflow here; allowed: postgresql") as told:
        Settings(mlflow_database_uri="mysql://mlflow:secret@db/mlflow")
    assert "secret" not in told.value.errors()[0]["msg"]


@pytest.mark.parametrize("name", ["lineage_url", "traces_url"])
def test_what_is_told_to_others_goes_to_an_address_without_a_password(name):
    assert getattr(Settings(), name) is None
    for url in ("http://receiver.example:4318/v1/traces", "https://receiver.example"):
        assert getattr(Settings(**{name: url}), name) == url
    for url in ("receiver.example", "ftp://receiver.example", "http://ann:secret@receiver.example/", "http://a b/"):
        with pytest.raises(ValidationError, match="allowed: such as http://receiver") as told:
            Settings(**{name: url})
        assert "secret" not in told.value.errors()[0]["msg"]


@pytest.mark.parametrize("namespace", ["", "a b", "tide\nwaiter", "x" * 201])
def test_a_namespace_of_lineage_is_one_word(namespace):
    with pytest.raises(ValidationError, match="lineage_namespace"):
        Settings(lineage_namespace=namespace)


@pytest.mark.parametrize("uri", ["s3://", "gs://bucket/mlflow", "/srv/mlflow", "s3://bucket/mlflow/"])
def test_artifacts_go_to_a_folder_or_to_s3(uri):
    with pytest.raises(ValidationError, match="artifacts_uri"):
        Settings(artifacts_uri=uri)
