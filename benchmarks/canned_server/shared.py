"""What the server remembers, in memory that its processes share: copies, counters, pace.

Never holds a name or a body: four bytes a key. Law: what is counted was answered.
"""

import mmap
import os
import time
from pathlib import Path
from typing import Final

OPERATIONS: Final = (
    "ListObjectVersions", "ListObjectsV2", "ListBuckets", "HeadObject", "GetObject", "CopyObject",
    "GetObjectTagging", "GetObjectAcl", "GetObjectAttributes", "PutObject", "DeleteObject",
    "CreateMultipartUpload", "UploadPartCopy", "CompleteMultipartUpload", "AbortMultipartUpload",
    "HeadBucket", "GetBucket", "GetCallerIdentity", "Other",
)  # fmt: skip
INDEX: Final = {name: place for place, name in enumerate(OPERATIONS)}
EXTRA: Final = ("connections", "refused_412", "slow_down", "accepted_copies", "listed_entries")
_COLUMNS: Final = len(OPERATIONS) + len(EXTRA)
_EXTRA_AT: Final = {name: len(OPERATIONS) + place for place, name in enumerate(EXTRA)}


class Shared:
    """Made before the processes are forked; each writes counters in a row of its own."""

    def __init__(self, keys: int, processes: int) -> None:
        self.copied_s = memoryview(mmap.mmap(-1, max(4, 4 * keys))).cast("I")
        self._counts = memoryview(mmap.mmap(-1, 8 * _COLUMNS * processes)).cast("Q")
        self._pids = memoryview(mmap.mmap(-1, 8 * processes)).cast("Q")
        self._cpu_before_s = memoryview(mmap.mmap(-1, 8 * processes)).cast("d")
        self._keys = keys
        self._at = 0
        self.row = self._counts[:_COLUMNS]

    def enter(self, process: int) -> None:
        """Take a row of counters, in the process that will write it."""
        self._pids[process] = os.getpid()
        self._cpu_before_s[process] = _ran_s(os.getpid())
        self.row = self._counts[process * _COLUMNS : (process + 1) * _COLUMNS]

    def count(self, name: str, by: int = 1) -> None:
        """Count one of EXTRA."""
        self.row[_EXTRA_AT[name]] += by

    def cpu_s(self) -> float:
        """Return the CPU seconds of all processes since the last reset."""
        pids = [pid for pid in self._pids if pid]
        return sum(map(_ran_s, pids)) - sum(self._cpu_before_s)

    def told(self) -> dict[str, object]:
        """Return the counters of all processes since the last reset."""
        sums = [sum(self._counts[column::_COLUMNS]) for column in range(_COLUMNS)]
        copied = sum(1 for moment_s in self.copied_s[: self._keys].tolist() if moment_s)
        return {
            "at": time.time(),
            "cpu_s": round(self.cpu_s(), 6),
            "requests": {name: sums[place] for name, place in INDEX.items() if sums[place]},
            **{name: sums[place] for name, place in _EXTRA_AT.items()},
            "copied_keys": copied,
        }

    def reset(self) -> None:
        """Empty the destination and begin to count anew."""
        for place in range(len(self._counts)):
            self._counts[place] = 0
        self.copied_s[:] = memoryview(bytes(4 * len(self.copied_s))).cast("I")
        for process, pid in enumerate(self._pids):
            self._cpu_before_s[process] = _ran_s(pid) if pid else 0.0


def _ran_s(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
