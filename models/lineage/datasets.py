"""What runs read and write, by the names that OpenLineage's consumers see, and what is said of it.

Names are paths below the installation's namespace; what has versions has one name, and its version in a facet.

>>> model("3")
Dataset(name='models/customs-risk', kind='MODEL', version='3', tables=())
>>> file("files", "9f86d081").name
'files/files/sha256:9f86d081'
"""

from collections.abc import Iterable
from dataclasses import dataclass

from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import DatasetFacet, dataset_type_dataset, dataset_version_dataset, schema_dataset

from features.store import parquet
from models.names import MODEL

DATA = "data"


@dataclass(frozen=True)
class Dataset:
    """One thing that is read or written; `kind` is OpenLineage's, and `tables` are those of the contract it holds."""

    name: str
    kind: str
    version: str | None = None
    tables: tuple[str, ...] = ()

    def read(self, namespace: str) -> InputDataset:
        """Return it as an input."""
        return InputDataset(namespace, self.name, facets=self._facets())

    def written(self, namespace: str) -> OutputDataset:
        """Return it as an output."""
        return OutputDataset(namespace, self.name, facets=self._facets())

    def _facets(self) -> dict[str, DatasetFacet]:
        facets: dict[str, DatasetFacet] = {"datasetType": dataset_type_dataset.DatasetTypeDatasetFacet(self.kind)}
        if self.version:
            facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(self.version)
        if self.tables:
            facets["schema"] = schema_dataset.SchemaDatasetFacet([_table(name) for name in self.tables])
        return facets


def file(source: str, sha256: str) -> Dataset:
    """Return a file that was ingested: its content tells it from others, whatever it was called."""
    return Dataset(f"files/{source}/sha256:{sha256}", "FILE")


def store(source: str, tables: Iterable[str] = ()) -> Dataset:
    """Return the stored declarations of a source, with its tables."""
    return Dataset(f"{DATA}/{source}", "TABLE", tables=tuple(sorted(tables)))


def data(version: str | None) -> Dataset:
    """Return the data folder at a version of it, or as it is where it has none."""
    return Dataset(DATA, "TABLE", version)


def model(version: str) -> Dataset:
    """Return a registered version of the model."""
    return Dataset(f"models/{MODEL}", "MODEL", version)


def selection(source: str, number: int) -> Dataset:
    """Return a selection, whose work list has the same number."""
    return Dataset(f"selections/{source}", "JOB_OUTPUT", str(number))


def report(of: str, source: str, version: str) -> Dataset:
    """Return what a run found about a source, as `of` says: monitoring, networks or rehearsals."""
    return Dataset(f"{of}/{source}", "JOB_OUTPUT", version)


def _table(name: str) -> schema_dataset.SchemaDatasetFacetFields:
    columns = [
        schema_dataset.SchemaDatasetFacetFields(column, str(dtype)) for column, dtype in parquet.schema(name).items()
    ]
    return schema_dataset.SchemaDatasetFacetFields(name, "table", fields=columns)
