"""Thousands of histories of the lease of a run directory on S3."""

from collections import Counter
from pathlib import Path

from tests.simulation.leases import lease_history

HISTORIES = 300


def test_two_holders_never_both_act_and_the_catalogue_never_goes_backwards(tmp_path: Path) -> None:
    """If this fails, two containers write to one destination, or forget what was known."""
    counts: Counter[str] = Counter()
    for seed in range(HISTORIES):
        folder = tmp_path / str(seed)
        folder.mkdir()
        counts += lease_history(seed, folder)
    # All that can happen did happen, or the histories prove little.
    for what in ("acts", "refused", "released", "lost", "killed", "stopped", "unpublished"):
        assert counts[what] > HISTORIES / 50, counts
