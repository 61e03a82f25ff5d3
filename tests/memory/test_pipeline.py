"""Memory of a whole run does not grow with the number of rows.

A process of its own takes two computed buckets through every stage; its peak is what the kernel
says after each of them.
"""

import json
import subprocess
import sys
from pathlib import Path

ROWS_FEW, ROWS_MANY = 5_000, 40_000
GROWTH_MAX_KIB = 3 * 1024
"""Between so few and so many rows. One string of a version ID's length kept of each row would take
more, and 400 KiB to 1.5 MiB is what a run's windows and a fuller heap have been seen to take."""

STAGES = ("inventory", "plan", "manifest", "execute", "verify", "report")


def seen(folder: Path, rows: int) -> dict[str, tuple[int, int]]:
    """Return the rows that each stage saw and the peak memory in KiB after it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.memory.whole_pipeline", str(folder), str(rows)],
        check=True,
        capture_output=True,
        cwd=Path(__file__).parents[2],
        timeout=300,
    )
    return {stage: (saw, peak) for stage, (saw, peak) in json.loads(done.stdout).items()}


def test_a_run_of_many_rows_takes_no_more_memory_than_one_of_few(tmp_path: Path) -> None:
    """If this fails, some stage keeps what it should stream, and a large bucket ends the run."""
    few, many = seen(tmp_path / "few", ROWS_FEW), seen(tmp_path / "many", ROWS_MANY)
    for stage in STAGES:
        is_of_routes = stage in {"manifest", "execute"}
        for run, rows in ((few, ROWS_FEW), (many, ROWS_MANY)):
            # One key of four has to be copied, and each has two versions.
            assert run[stage][0] == (rows // 8 if is_of_routes else rows), stage
        growth = many[stage][1] - few[stage][1]
        assert growth < GROWTH_MAX_KIB, f"{stage}: {few[stage][1]} KiB grew by {growth}"
