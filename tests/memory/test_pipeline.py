"""Memory of a whole run does not grow with the number of rows.

A process of its own takes two computed buckets through every stage, and says after each of them
what its peak was: resident memory as the kernel knows it, and memory blocks in use.
"""

import json
import subprocess
import sys
from pathlib import Path

from tests.doubles.figures import Row, Tried, figure

ROWS_FEW, ROWS_MANY = 16_000, figure(ci=40_000, release=1_000_000)
"""Few are still more than execute holds at a time: some 1,400 copies, of one row in eight."""
GROWTH_MAX_KIB = 2 * 1024
"""About 400 KiB is what a fuller heap was seen to take. One string of a version ID's length, kept
of each row, takes 3,200 more of 40,000 rows; of fewer, the blocks below tell."""
GROWTH_MAX_BLOCKS = (ROWS_MANY - ROWS_FEW) // 4
"""One object kept of each fourth row. Without a leak 2,000 were seen."""

STAGES = ("inventory", "plan", "manifest", "execute", "verify", "report")


def seen(folder: Path, rows: int) -> dict[str, tuple[int, int, int]]:
    """Return for each stage its rows, and its peaks in blocks and in KiB."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.memory.whole_pipeline", str(folder), str(rows)],
        check=True,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        timeout=300 * max(1, rows // 50_000),
    )
    return {
        stage: (rows, blocks, kib) for stage, (rows, blocks, kib) in json.loads(done.stdout).items()
    }


def test_a_run_of_many_rows_takes_no_more_memory_than_one_of_few(
    tmp_path: Path, tried: Tried
) -> None:
    """If this fails, some stage keeps what it should stream, and a large bucket ends the run."""
    few, many = seen(tmp_path / "few", ROWS_FEW), seen(tmp_path / "many", ROWS_MANY)
    assert tuple(few) == tuple(many) == STAGES
    for stage in STAGES:
        # One key of four has to be copied, and each has two versions.
        share = 8 if stage in {"manifest", "execute"} else 1
        assert (few[stage][0], many[stage][0]) == (ROWS_FEW // share, ROWS_MANY // share), stage
        blocks, kib = many[stage][1] - few[stage][1], many[stage][2] - few[stage][2]
        assert blocks < GROWTH_MAX_BLOCKS, f"{stage} keeps {blocks} blocks more"
        assert kib < GROWTH_MAX_KIB, f"{stage} takes {kib} KiB more"
    tried(Row.MEMORY_ENTRIES, ROWS_MANY)
