"""Planning a key with very many versions takes memory by the version, and little of it."""

import json
import subprocess
import sys
from pathlib import Path

FEW, MANY = 1_000, 21_000
KIB_A_VERSION_MAX = 3.0
"""2.7 KiB were seen: the listed entry, what its HEAD told, the decision. So 100,000 versions of a
key take 260 MiB, as docs/guides/full-history.md says."""


def seen(versions: int) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.memory.long_plan", str(versions)],
        check=True,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        timeout=300,
    )
    found: dict[str, int] = json.loads(done.stdout)
    return found


def test_a_long_history_is_planned_within_its_memory() -> None:
    """If this fails, one key with very many versions ends the container before anything is done."""
    few, many = seen(FEW), seen(MANY)
    assert (few["rows"], few["heads"]) == (FEW, FEW)
    assert (many["rows"], many["heads"]) == (MANY, MANY)
    grown_kib = many["peak_kib"] - few["peak_kib"]
    assert grown_kib < KIB_A_VERSION_MAX * (MANY - FEW), f"{grown_kib} KiB more"
