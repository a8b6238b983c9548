"""How many examples Hypothesis tries: few in `make test`, many in `make trial NAME=seeds`, by the profile in force."""

from hypothesis import Phase, settings

TRIAL = "trial"
MUTANTS = "mutants"  # the same examples each time, and the first that fails is as good as the least
_USUAL = settings.get_profile("default").max_examples

settings.register_profile(MUTANTS, derandomize=True, phases=(Phase.explicit, Phase.generate), deadline=None)


def examples(number: int) -> int:
    """`number` of a usual run, as many times more as the profile in force tries of any test."""
    return max(1, number * settings.default.max_examples // _USUAL)
