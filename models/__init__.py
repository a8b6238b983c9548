"""Feature matrix to decisions: training, evaluation, gates, evidence, registry and drift."""

import features as features  # its import switches telemetry off before any library reads the setting
