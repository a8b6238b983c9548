"""What things are called in MLflow: the registered model, its aliases and its tags, and our page on its server.

Apart from registry.py, because the MLflow server needs the names and nothing of what a registration imports.
"""

MODEL = "customs-risk"

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"

SIGNOFF = "signoff."  # before the name of a step
PENDING = "pending"

AUTHOR = "author"
RUN_KEY = "run_key"  # by which a run is found again
MADE_FROM, HELD_AGAINST = "made_from", "held_against"  # of a run; see models/evidence/made_from.py
SERVICE_RUN_TAGS = frozenset({RUN_KEY, MADE_FROM, HELD_AGAINST})
EVIDENCE_DIGEST = "evidence_digest"
DATA_VERSION, CODE_COMMIT = "data_version", "code_commit"
LONGEST_TAG = 5000  # of a version: MLflow's own limit
REGISTRATION, COMPLETE = "registration", "complete"
EVIDENCE_TAGS = frozenset({AUTHOR, EVIDENCE_DIGEST, DATA_VERSION, CODE_COMMIT, REGISTRATION})

NETWORK_PAGE = "network"  # the path of the page of companies on the same server

RISK_MODEL = "risk_model"  # the logged model's artifact that is the risk model's folder
# What loading the served model imports, directly or through `features` and `models`.
REQUIREMENTS = ("mlflow", "lightgbm", "numpy", "pandas", "polars", "pyarrow", "pycountry", "scikit-learn", "scipy")
