"""Long runs of what the suite does on a small scale: hundreds of kills, thousands of examples. `make trial` lists them.

A trial is made of numbered units, each complete in itself. What a unit found is kept in
.tidewaiter/trials/<name>.jsonl, so a trial that was stopped goes on where it was. When all are done,
benchmarks/results/trial-<name>.json says what was measured. A unit that fails ends the trial with its error, and is
tried again by the next run.
"""
