"""`python -m tests.trials [NAME] [UNITS]` runs a trial, or goes on with it; without a name, it lists the trials."""

import sys
from pathlib import Path

from tests.trials import (
    answering,
    answers,
    bundle,
    checks,
    decisions,
    demo,
    image,
    kills,
    offline,
    online,
    play,
    power,
    running,
    seeds,
    sign_on,
    signatures,
    submits,
    takes,
)

TRIALS = {
    "answering": answering.TRIAL,
    "answers": answers.TRIAL,
    "bundle": bundle.TRIAL,
    "checks": checks.TRIAL,
    "decisions": decisions.TRIAL,
    "demo": demo.TRIAL,
    "image": image.TRIAL,
    "kills": kills.TRIAL,
    "offline": offline.TRIAL,
    "online": online.TRIAL,
    "play": play.TRIAL,
    "power": power.TRIAL,
    "seeds": seeds.TRIAL,
    "sign-on": sign_on.TRIAL,
    "signatures": signatures.TRIAL,
    "submits": submits.TRIAL,
    "takes": takes.TRIAL,
}
KEPT = Path(".tidewaiter/trials")


def main(name: str = "", units: str = "") -> None:
    if name not in TRIALS:
        for each, trial in TRIALS.items():
            print(f"make trial {each:12}{trial.says} ({trial.units} units)")  # noqa: T201
        sys.exit(f"trial {name!r} does not exist; allowed: {', '.join(TRIALS)}" if name else None)
    trial = TRIALS[name]
    found = running.run(trial, int(units or trial.units), KEPT / f"{name}.jsonl", print)
    running.save(name, trial, found)


if __name__ == "__main__":
    main(*sys.argv[1:])
