"""Memory of Batch Replication does not grow with its rows, nor its work with their square.

A process of its own takes computed rows from the manifest's artefact to that of the outcomes; its
jobs are carried out by others. What it checks of the outcomes is in `whole_batch`.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.doubles.figures import Row, Tried, figure

ROWS_FEW, ROWS_MANY = 10_000, figure(ci=60_000, release=1_000_000)
GROWTH_MAX_KIB = 3 * 1024
"""About 2 MiB is what a fuller heap was seen to take. One string of a version ID's length, kept of
each row, takes 4 more."""
VERSIONS_OF_ONE_KEY = figure(ci=40_000, release=100_000)
CEILING_KIB = 250 * 1024
"""What the product promises for a process."""
ONE_KEY_CEILING_KIB = figure(ci=150, release=250) * 1024
"""The same with 100,000 versions of a key; each takes 1.2 KiB at most beside what all take."""
TIMEOUT_S = figure(ci=240, release=3600)
"""Ten times what it takes. Work that grows with the square of these versions takes longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Peaks of resident memory by phase, and requests by operation."""

    peaks_kib: dict[str, float]
    requests: dict[str, int]


def seen(folder: Path, verb: str, versions: int, of_each_key: int) -> Seen:
    """Let a process do its work, and return what it told."""
    words = verb, str(folder), str(versions), str(of_each_key), "small"
    done = subprocess.run(
        [sys.executable, "-m", "tests.memory.whole_batch", *words],
        check=True,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        timeout=TIMEOUT_S,
    )
    told = json.loads(done.stdout or b'{"phases": {}, "requests": {}}')
    peaks_kib = {phase: took[2] for phase, took in told["phases"].items()}
    return Seen(peaks_kib=peaks_kib, requests=told["requests"])


def test_many_rows_take_no_more_memory_than_few(tmp_path: Path, tried: Tried) -> None:
    """If this fails, some step keeps what it should stream, and a job of millions ends the run.

    Or the look at what jobs have delivered costs more requests than pages, and than what they
    failed at: one row in a hundred is there already, three in a thousand are asked about.
    """
    peaks = []
    for rows in (ROWS_FEW, ROWS_MANY):
        folder = tmp_path / str(rows)
        seen(folder, "prepare", rows, 2)
        done = seen(folder, "execute", rows, 2)
        peaks.append(done.peaks_kib)
        assert done.requests.pop("ListObjectVersions") <= 2 * rows // 1000 + 1
        assert done.requests == {
            "HeadObject computed-destination": rows // 100,
            "HeadObject computed-source": 3 * rows // 1000,
        }
        tried(Row.REQUEST_COUNTS, sum(done.requests.values()))
    few, many = peaks
    tried(Row.MEMORY_ENTRIES, ROWS_MANY)
    assert few.keys() == many.keys() > {"manifest", "reports", "join", "look", "outcomes"}
    assert max(many.values()) < CEILING_KIB
    growth_kib = {phase: many[phase] - few[phase] for phase in few}
    assert max(growth_kib.values()) < GROWTH_MAX_KIB, growth_kib


def test_a_key_of_very_many_versions_is_worked_on_once_and_fits(tmp_path: Path) -> None:
    """If this fails, one counter that is written every minute holds up the whole bucket."""
    versions = VERSIONS_OF_ONE_KEY
    seen(tmp_path, "prepare", versions, versions)
    done = seen(tmp_path, "execute", versions, versions)
    # One look finds nearly all; another what was late. Nothing of this is asked for by itself.
    assert done.requests.pop("HeadObject computed-source") == 3 * versions // 1000
    assert done.requests.keys() == {"ListObjectVersions"}
    # The first page of each of the two looks is sized by what its neighbours held: a small one.
    assert done.requests["ListObjectVersions"] <= 2 * (versions // 1000 + 3)
    assert max(done.peaks_kib.values()) < ONE_KEY_CEILING_KIB
    plan = seen(tmp_path, "plan", versions, versions)
    assert not plan.requests
    assert max(plan.peaks_kib.values()) < ONE_KEY_CEILING_KIB
