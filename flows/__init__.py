"""When and in what order: Prefect flows and tasks, the command line, settings. No maths."""

import features as features  # its import switches telemetry off before any library reads the setting
