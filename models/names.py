"""The names in MLflow: the registered model, its aliases and its tags, accounts of no person, and our page there.

They are apart from registry.py, because the MLflow server needs the names and nothing that a registration imports.
"""

MODEL = "customs-risk"
MONITORING = f"{MODEL}-monitoring"  # the experiment with the runs that look for drift

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"

SIGNOFF = "signoff."  # the prefix of the name of a step
PENDING = "pending"

# Accounts that stand for no person, as the ledger records them.
SERVICE = "tidewaiter"  # the account that the flows use; it moves aliases and signs nothing
ANALYST = "analyst"  # the role of those who propose and confirm criteria
ADMINISTRATOR = "administrator"  # not one of MLflow's roles but its flag, recorded as if it were a role
SERVER = "mlflow-server"  # the actor where nobody asked: it opens what it finds, and voids what was altered

AUTHOR = "author"
RUN_KEY = "run_key"  # the tag by which a run is found again
MADE_FROM, HELD_AGAINST = "made_from", "held_against"  # tags of a run; see models/evidence/origins.py
SERVICE_RUN_TAGS = frozenset({RUN_KEY, MADE_FROM, HELD_AGAINST})
EVIDENCE_DIGEST = "evidence_digest"
DATA_VERSION, CODE_COMMIT, CODE_IS_DIRTY = "data_version", "code_commit", "code_is_dirty"
LONGEST_TAG = 5000  # of a tag of a version: MLflow's own limit
REGISTRATION, COMPLETE = "registration", "complete"
EVIDENCE_TAGS = frozenset({AUTHOR, EVIDENCE_DIGEST, DATA_VERSION, CODE_COMMIT, CODE_IS_DIRTY, REGISTRATION})

NETWORK_PAGE = "network"  # the path of the page of companies on the same server

RISK_MODEL = "risk_model"  # the logged model's artifact that is the risk model's folder
# Loading the served model imports these, directly or through `features` and `models`.
REQUIREMENTS = ("mlflow", "lightgbm", "numpy", "pandas", "polars", "pyarrow", "pycountry", "scikit-learn", "scipy")
