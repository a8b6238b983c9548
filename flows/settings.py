"""The settings that a deployment of Tidewaiter may change: where things are and when nights run.

Not here: anything that decides about declarations or models. That is models/policy.toml, which people sign.

A setting comes from the environment (`TIDEWAITER_MLFLOW_PORT=5001`) or from `tidewaiter.toml` in the working folder
(`mlflow_port = 5001`); the environment wins. Unknown names are refused in both, because a misspelt setting that is
ignored looks like one that has no effect. DVC's remote is DVC's own configuration (`dvc remote add`).
"""

import ipaddress
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from features.sources import names as sources
from flows import schedules
from models.places import Places

PREFIX = "TIDEWAITER_"
FILE = "tidewaiter.toml"
_BUCKET = re.compile(r"s3://[^/*?\[]+(/[^/*?\[]+)*/?")
_RECEIVER = re.compile(r"https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?(/[\w./-]*)?")
_SERVER = re.compile(r"https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")

# What nobody sets to try the whole out: with any of these, time is not played.
_REAL = (
    "public_urls",
    "sign_on_issuer",
    "run_as",
    "job_image",
    "artifacts_uri",
    "mlflow_database_uri",
    "prefect_database_uri",
    "decisions_database_uri",
)


class Engine(StrEnum):
    """What computes the features of a retraining and grows its trees."""

    EMBEDDED = "embedded"
    RAY = "ray"


class Settings(BaseSettings):
    """The settings, checked and frozen. Relative paths are relative to the working folder.

    >>> Settings(mlflow_port=5001).mlflow_url
    'http://127.0.0.1:5001'
    >>> Settings(mlflow_port=4200)
    Traceback (most recent call last):
    ...
    pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings
      Value error, mlflow_port and prefect_port are both 4200; they must differ [...]
    ...
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=PREFIX, toml_file=FILE)

    state_folder: Path = Field(Path(".tidewaiter"), description="databases, artifacts, caches, logs")
    data_folder: Path = Field(Path("data"), description="the declarations, versioned by DVC")
    mlflow_tracking_uri: str | None = Field(None, description="MLflow; default: the database below, or `up`'s server")
    mlflow_database_uri: str | None = Field(
        None, description="where MLflow keeps runs, versions, accounts and the ledger; default: files in state_folder"
    )
    artifacts_uri: str | None = Field(
        None,
        pattern=r"^s3://[^/]+(/[^/]+)*$",
        description="where models and evidence go, as s3://bucket/mlflow; default: a folder in state_folder",
    )
    prefect_database_uri: str | None = Field(
        None, description="where the Prefect server of `up` keeps runs and schedules; default: a file in state_folder"
    )
    job_image: str | None = Field(
        None, description="image of Kubernetes jobs that retrainings and rehearsals run as; default: on this machine"
    )
    engine: Engine = Field(
        Engine.EMBEDDED, description="what computes the features of a retraining and grows its trees"
    )
    ray_address: str | None = Field(None, description="the cluster of engine ray, of which this machine is a node")
    run_as: str | None = Field(
        None, description="user of this machine that the worker and its runs are; default: who runs `tidewaiter up`"
    )
    host: str = Field("127.0.0.1", description="address that the servers of `tidewaiter up` listen on")
    mlflow_port: int = Field(5000, ge=1, le=65535)
    prefect_port: int = Field(4200, ge=1, le=65535)
    window_source: str | None = Field(
        None, description="the source whose declarations the window answers; default: `up` opens no window"
    )
    window_port: int = Field(4300, ge=1, le=65535)
    metrics_port: int | None = Field(
        None, ge=1, le=65535, description="the port of figures for Prometheus; default: `up` tells none"
    )
    window_tables: Path | None = Field(
        None, description="folder of customs' own tables of offices and rates, for what messages leave to customs"
    )
    lineage_namespace: str = Field(
        "tidewaiter", pattern=r"^[\w.:/-]{1,200}$", description="by which others know this installation's lineage"
    )
    lineage_url: str | None = Field(
        None, description="where `up` sends lineage, as http://marquez.example:5000/api/v1/lineage; default: nowhere"
    )
    traces_url: str | None = Field(
        None, description="where traces go by OTLP, as http://collector.example:4318/v1/traces; default: none are made"
    )
    decisions_database_uri: str | None = Field(
        None, description="where the window keeps its decisions; default: a file in state_folder"
    )
    public_urls: tuple[str, ...] = Field(
        (), description="where a proxy or a service serves these servers, as https://customs.example; besides loopback"
    )
    sign_on_issuer: str | None = Field(
        None, description="the house's identity provider (OpenID Connect); default: people have passwords"
    )
    sign_on_client_id: str | None = Field(None, description="what this installation is called there")
    sign_on_secret_file: Path | None = Field(
        None, description="the file with the secret by which it is known there; default: PKCE alone"
    )
    sign_on_scopes: tuple[str, ...] = Field(
        ("openid", "profile", "email"), description="what it asks the provider for when people sign in"
    )
    retrain_cron: str | None = Field(None, description="when retrain/nightly runs; default: as in prefect.yaml")
    monitor_cron: str | None = Field(None, description="when monitor/nightly runs; default: as in prefect.yaml")
    select_cron: str | None = Field(None, description="when select/nightly runs; default: as in prefect.yaml")
    network_cron: str | None = Field(None, description="when network/nightly runs; default: as in prefect.yaml")
    time_zone: str | None = Field(None, description="IANA zone of them; default: as in prefect.yaml")
    played_clock: Path | None = Field(
        None, description="a file that says what time it is at window and desk, for played days only"
    )
    input_folders: tuple[str, ...] = Field(
        (),
        description="folders and s3:// addresses besides the working folder that runs started in Prefect may read",
    )
    unjudged_nights: int = Field(
        7, ge=0, le=365, description="nights that monitoring may not judge columns or quality before it is told"
    )
    heartbeat_seconds: int = Field(
        30, ge=30, le=3600, description="how often a run says that it lives; Prefect's least"
    )
    zombie_after_seconds: int = Field(
        120, ge=31, description="a run silent for this long is marked Crashed, or begun again if it never began"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @model_validator(mode="before")
    @classmethod
    def _names_are_known(cls, values: dict[str, object]) -> dict[str, object]:
        # pydantic-settings looks up the names it knows and never sees the others.
        allowed = {PREFIX + name.upper() for name in cls.model_fields}
        unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in allowed)
        if unknown:
            raise ValueError(
                f"environment variable {unknown[0]} is not a setting; allowed: {', '.join(sorted(allowed))}"
            )
        if misspelt := sorted(set(values) - set(cls.model_fields)):
            raise ValueError(f"{FILE}: {misspelt[0]} is not a setting; allowed: {', '.join(sorted(cls.model_fields))}")
        return values

    @field_validator("host")
    @classmethod
    def _host_is_loopback(cls, host: str) -> str:
        is_loopback = host == "localhost" or _is_loopback(host)
        if not is_loopback:
            raise ValueError(f"{host!r} is not a loopback address; allowed: 127.0.0.1 to 127.255.255.254, localhost")
        return host

    @field_validator("public_urls")
    @classmethod
    def _addresses_name_a_server(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := next((url for url in urls if not _SERVER.fullmatch(url)), None):
            raise ValueError(f"{wrong!r} is not the address of a server; allowed: such as https://customs.example:8443")
        return urls

    @field_validator("lineage_url", "traces_url")
    @classmethod
    def _receiver_is_an_address(cls, url: str | None) -> str | None:
        # The address is not repeated: people put passwords into such.
        if url is not None and not _RECEIVER.fullmatch(url):
            raise ValueError("is no address; allowed: such as http://receiver.example:4318/v1/traces, and no password")
        return url

    @field_validator("input_folders")
    @classmethod
    def _folders_are_elsewhere(cls, folders: tuple[str, ...]) -> tuple[str, ...]:
        for folder in folders:
            if not _BUCKET.fullmatch(folder) and (not folder.startswith("/") or ".." in folder.split("/")):
                raise ValueError(
                    f"{folder!r} is no place; allowed: absolute folders, and s3://bucket or s3://bucket/part"
                )
        return folders

    @field_validator("mlflow_database_uri")
    @classmethod
    def _database_is_postgresql(cls, uri: str | None) -> str | None:
        # The address is not repeated: it holds a password.
        if uri is not None and not uri.startswith(("postgresql://", "postgresql+psycopg2://")):
            scheme = uri.partition(":")[0]
            raise ValueError(f"{scheme!r} is not a database for MLflow here; allowed: postgresql://user@host/database")
        return uri

    @field_validator("decisions_database_uri")
    @classmethod
    def _decisions_database_is_postgresql(cls, uri: str | None) -> str | None:
        if uri is not None and not uri.startswith(("postgresql://", "postgresql+psycopg2://")):
            scheme = uri.partition(":")[0]
            raise ValueError(f"{scheme!r} is not a database for decisions; allowed: postgresql://user@host/database")
        return uri

    @field_validator("window_source")
    @classmethod
    def _source_exists(cls, source: str | None) -> str | None:
        if source is not None and source not in sources():
            raise ValueError(f"{source!r} is not a source; allowed: {', '.join(sorted(sources()))}")
        return source

    @field_validator("prefect_database_uri")
    @classmethod
    def _prefect_database_is_postgresql(cls, uri: str | None) -> str | None:
        if uri is not None and not uri.startswith("postgresql+asyncpg://"):
            scheme = uri.partition(":")[0]
            raise ValueError(
                f"{scheme!r} is not a database for Prefect here; allowed: postgresql+asyncpg://user@host/database"
            )
        return uri

    @field_validator("retrain_cron", "monitor_cron", "select_cron", "network_cron")
    @classmethod
    def _cron_is_readable(cls, cron: str | None) -> str | None:
        if cron is not None:
            schedules.check(cron)
        return cron

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, zone: str | None) -> str | None:
        if zone is not None:
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"{zone!r} is not an IANA time zone; allowed: names such as Asia/Seoul") from error
        return zone

    @model_validator(mode="after")
    def _numbers_agree(self) -> Self:
        ports: dict[int, str] = {}
        for name in ("mlflow_port", "prefect_port", "window_port", "metrics_port"):
            port = getattr(self, name)
            other = ports.setdefault(port, name) if port else name
            if other != name:
                raise ValueError(f"{other} and {name} are both {getattr(self, name)}; they must differ")
        if (self.sign_on_issuer is None) != (self.sign_on_client_id is None):
            lacking = "sign_on_client_id" if self.sign_on_issuer else "sign_on_issuer"
            raise ValueError(f"{lacking} is missing; allowed: sign_on_issuer and sign_on_client_id, or neither")
        if self.played_clock and (real := next((name for name in _REAL if getattr(self, name)), None)):
            raise ValueError(
                f"played_clock is for played days only, and {real} for an installation that is used; allowed: one of "
                "them"
            )
        if self.zombie_after_seconds <= self.heartbeat_seconds:
            raise ValueError(
                f"zombie_after_seconds is {self.zombie_after_seconds}; it must exceed heartbeat_seconds, "
                f"{self.heartbeat_seconds}, or every run would count as dead"
            )
        return self

    @property
    def is_one_sign_on(self) -> bool:
        """Whether people sign in at the house's identity provider."""
        return self.sign_on_issuer is not None

    @property
    def tracking_uri(self) -> str:
        """Return MLflow's tracking URI: the one that is set, or the URI of its database."""
        return self.mlflow_tracking_uri or self.database_uri

    @property
    def database_uri(self) -> str:
        """Return where MLflow keeps runs and the registry: the database that is set, or a file in the state folder."""
        return self.mlflow_database_uri or f"sqlite:///{self.state_folder.absolute() / 'mlflow.db'}"

    @property
    def accounts_uri(self) -> str:
        """Return where MLflow keeps accounts and roles: the database that is set, or a SQLite file in state_folder."""
        return self.mlflow_database_uri or f"sqlite:///{self.state_folder.absolute() / 'accounts.db'}"

    @property
    def signoff_folder(self) -> Path:
        """Return the folder with the secrets of the sign-off server; see models/ledger/keys.py."""
        return self.state_folder.absolute() / "signoff"

    @property
    def places(self) -> Places:
        """Return where declarations, caches, reports, models and the ledger are, for all that works with them."""
        return Places(self.data_folder, self.state_folder, self.signoff_folder, self.tracking_uri, self.artifact_root)

    @property
    def artifact_root(self) -> str:
        """Return the URI where experiments keep artifacts, with or without a server."""
        return self.artifacts_uri or (self.state_folder.resolve() / "artifacts").as_uri()

    @property
    def mlflow_url(self) -> str:
        """Return the address of the MLflow server that `tidewaiter up` starts."""
        return f"http://{self.host}:{self.mlflow_port}"

    @property
    def pages_url(self) -> str:
        """Return where people look at MLflow: the server that is used, or the one that `tidewaiter up` would start.

        >>> Settings(mlflow_tracking_uri="http://127.0.0.1:5001").pages_url, Settings().pages_url
        ('http://127.0.0.1:5001', 'http://127.0.0.1:5000')
        """
        return self.tracking_uri.rstrip("/") if self.tracking_uri.startswith("http") else self.mlflow_url

    @property
    def prefect_url(self) -> str:
        """Return the address of the Prefect server that `tidewaiter up` starts; its API is below /api."""
        return f"http://{self.host}:{self.prefect_port}"

    @property
    def window_url(self) -> str:
        """Return the address of the window that `tidewaiter up` opens."""
        return f"http://{self.host}:{self.window_port}"

    @property
    def decisions_uri(self) -> str:
        """Return where the window keeps its decisions: the database that is set, or a SQLite file in state_folder."""
        return self.decisions_database_uri or f"sqlite:///{self.window_folder / 'decisions.db'}"

    @property
    def window_folder(self) -> Path:
        """Return the folder of the window's own files, and of the decisions that are in no other database."""
        return self.state_folder.absolute() / "window"

    @property
    def desk_folder(self) -> Path:
        """Return the folder of the desk's photos, and of its secret."""
        return self.state_folder.absolute() / "desk"

    @property
    def runs_folder(self) -> Path:
        """Return the folder of what runs keep for each other: the promotion's memory, and Prefect's files of runs."""
        return self.state_folder.absolute() / "runs"

    @property
    def lineage_folder(self) -> Path:
        """Return the folder of the events of lineage; see models/lineage/log.py."""
        return self.state_folder.absolute() / "lineage"

    @property
    def logs_folder(self) -> Path:
        return self.state_folder / "logs"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ipaddress.AddressValueError:
        return False
