"""When and in what order: Prefect flows and tasks, the command line, settings. No maths."""

import features as features  # its import switches telemetry off before any library reads the setting
from flows.outliving import outlive_worker

outlive_worker()  # as early as a run's process gets here: its worker may die at any moment
