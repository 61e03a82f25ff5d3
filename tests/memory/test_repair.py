"""Memory of repair does not grow with the rows that are bad."""

import json
import subprocess
import sys
from pathlib import Path

from tests.doubles.figures import Row, Tried, figure

ROWS_FEW, ROWS_MANY = 3_000, figure(ci=30_000, release=1_000_000)
GROWTH_MAX_KIB = 2 * 1024
"""Of 27,000 rows. One string of a version ID's length, kept of each, takes 2,300; with the key and
a tuple that holds them it is three times that."""


def grown_kib(folder: Path, rows: int) -> int:
    """Let a process repair so many rows twice; return what it took beside itself."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.memory.streamed_repair", str(folder), str(rows)],
        check=True,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        timeout=300 * max(1, rows // 50_000),
    )
    told = json.loads(done.stdout)
    assert told["entries"] == [rows, rows]
    return int(told["peak_kib"] - told["base_kib"])


def test_a_repair_of_many_rows_takes_no_more_memory_than_one_of_few(
    tmp_path: Path, tried: Tried
) -> None:
    """If this fails, a run in which nearly all is wrong cannot be repaired."""
    few, many = (grown_kib(tmp_path / str(rows), rows) for rows in (ROWS_FEW, ROWS_MANY))
    assert many - few < GROWTH_MAX_KIB, f"{few} KiB grew to {many} KiB"
    tried(Row.MEMORY_ENTRIES, 2 * ROWS_MANY)
