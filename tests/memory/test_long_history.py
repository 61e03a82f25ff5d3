"""Verifying a key with very many versions takes memory by the version, and little of it.

A process of its own verifies one computed history, and says what its peak was.
"""

import json
import subprocess
import sys
from pathlib import Path

FEW, MANY = 1_000, 21_000
KIB_A_VERSION_MAX = 3.0
"""2.2 KiB were seen: plan row, outcome and both listed entries of each version, and no second copy
of a key's 1,024 bytes. So 100,000 versions of a key take 220 MiB."""


def seen(folder: Path, versions: int) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.memory.long_history", str(folder), str(versions)],
        check=True,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        timeout=300,
    )
    found: dict[str, int] = json.loads(done.stdout)
    return found


def test_a_long_history_is_verified_within_its_memory(tmp_path: Path) -> None:
    """If this fails, one key with very many versions ends the container, or is not read whole."""
    few, many = seen(tmp_path / "few", FEW), seen(tmp_path / "many", MANY)
    assert (few["rows"], few["equal"]) == (FEW, FEW)
    assert (many["rows"], many["equal"]) == (MANY, MANY)
    grown_kib = many["peak_kib"] - few["peak_kib"]
    assert grown_kib < KIB_A_VERSION_MAX * (MANY - FEW), f"{grown_kib} KiB more"
