"""One key with very many versions is written as a history, within a stated ceiling."""

import json
import subprocess
import sys
from pathlib import Path

from tests.doubles.figures import Row, Tried, figure

VERSIONS = figure(ci=30_000, release=100_000)
CEILING_KIB = VERSIONS * 48 * 1024 // 100_000
"""What the history may take beside the process itself. Held packed, its rows take some 100 bytes a
version; as objects they would take 600 and more, and with this key's name twice that."""


def test_a_key_with_very_many_versions_stays_under_its_ceiling(
    tmp_path: Path, tried: Tried
) -> None:
    """If this fails, the versions of one key are held as objects, and a long key ends the run."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.memory.one_key", str(tmp_path / "run"), str(VERSIONS)],
        check=True,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        timeout=600,
    )
    told = json.loads(done.stdout)
    markers = VERSIONS // 10
    assert told["kinds"] == {"copied": VERSIONS - markers, "marked": markers}
    # Both chains once before and once after, a thousand versions a page; nothing lies at the
    # destination before. One write a version, and nothing else.
    pages = VERSIONS // 1000
    assert told["calls"] == {
        "copy": VERSIONS - markers,
        "hide": markers,
        "list source": 2 * pages,
        "list destination": 1 + pages,
    }
    assert told["peak_kib"] - told["base_kib"] < CEILING_KIB
    tried(Row.MEMORY_ENTRIES, VERSIONS)
    tried(Row.REQUEST_COUNTS, sum(told["calls"].values()))
