"""How a lane runs machines: in CI the same steps each time, in the release lane fresh ones."""

from hypothesis import settings

from tests.doubles.figures import is_release

STEPS = 30
"""Of a run; hypothesis takes about as many."""


def run_settings(runs: int) -> settings:
    """Return the settings of so many runs; a failure prints what makes it again."""
    return settings(
        max_examples=runs,
        stateful_step_count=STEPS,
        derandomize=not is_release(),
        database=None,
    )
