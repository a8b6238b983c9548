"""What a process has to do once before it registers a model; a fork server imports this, so that its processes have it.

MLflow looks through all installed packages when a process saves its first model, which takes as long as the rest.
"""

from mlflow.utils.requirements_utils import warn_dependency_requirement_mismatches

from tests.support import candidates

__all__ = ["candidates"]

warn_dependency_requirement_mismatches(["mlflow"])
