"""From declarations to features: the contract, the sources, validation, storage, and what customs knew when.

It works in a notebook with no server. It knows nothing of models or of orchestration.
"""

import os

# Libraries read these when they are imported, and every other package imports this one first.
for _switch, _value in {
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "DVC_NO_ANALYTICS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # Threads that wait for one another sleep instead of spin; on busy cores LightGBM then takes a fifth of the time.
    "OMP_WAIT_POLICY": "PASSIVE",
}.items():
    os.environ.setdefault(_switch, _value)
