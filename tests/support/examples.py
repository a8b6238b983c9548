"""How many examples Hypothesis tries: few in `make test`, many in `make trial NAME=seeds`, by the profile in force."""

from hypothesis import Phase, settings

TRIAL = "trial"
MUTANTS = "mutants"  # the same examples each time; the first that fails is enough and is not made smaller
_USUAL = settings.get_profile("default").max_examples

settings.register_profile(MUTANTS, derandomize=True, phases=(Phase.explicit, Phase.generate), deadline=None)


def examples(number: int) -> int:
    """Return `number` for a usual run, and more in proportion to what the profile in force tries of any test."""
    return max(1, number * settings.default.max_examples // _USUAL)
