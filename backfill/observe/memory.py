"""How much memory this process may have, as the kernel has it, and how much it has.

Never sets a limit, and never believes one that makes no sense: it looks on for another.
Law: of several limits the smallest counts, and who set it is told.
"""

import os
import re
import resource
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backfill.settings import MIB

SENSIBLE_BYTES: Final = (MIB, 1 << 50)
"""A process with less does not start; more is how a kernel says that there is no limit (cgroup v1
has 2^63 less a page)."""
_V2_ROOT: Final = "sys/fs/cgroup"
_V1_ROOT: Final = "sys/fs/cgroup/memory"
_PARENTS_MAX: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryLimit:
    """A limit, and what set it."""

    size_bytes: int
    told_by: str


def memory_limit(declared_bytes: int = 0, *, root: Path = Path("/")) -> MemoryLimit | None:
    """Return the smallest limit of campaign, container and process; None where there is none.

    `declared_bytes` 0: the campaign declares none. `root` is where the kernel's files are looked
    for; another one in tests.
    """
    found = [*_of_cgroups(root), *_of_process()]
    if declared_bytes:
        found.append(MemoryLimit(size_bytes=declared_bytes, told_by="--max-memory"))
    return min(found, key=lambda limit: limit.size_bytes, default=None)


def resident_bytes() -> int:
    """Return how much memory this process holds now; 0 where the kernel does not say."""
    with suppress(OSError, IndexError, ValueError):
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0


def _of_cgroups(root: Path) -> Iterator[MemoryLimit]:
    """Give the limits of the control group and all those above it.

    A container that sees its own group as the root finds the limit there; one that sees the host's
    path without having it mounted does, too.
    """
    for version, folder, name in (
        ("v2", _V2_ROOT, "memory.max"),
        ("v1", _V1_ROOT, "memory.limit_in_bytes"),
    ):
        place = Path(_group(root, version).lstrip("/"))
        for above in (place, *list(place.parents)[:_PARENTS_MAX]):
            with suppress(OSError, ValueError):
                size_bytes = int((root / folder / above / name).read_text(encoding="ascii"))
                if SENSIBLE_BYTES[0] <= size_bytes < SENSIBLE_BYTES[1]:
                    yield MemoryLimit(size_bytes=size_bytes, told_by=f"cgroup {version}")


def _group(root: Path, version: str) -> str:
    """Return the path of this process's control group."""
    pattern = r"0::(.*)" if version == "v2" else r"\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)"
    with suppress(OSError):
        # A group's name may be any bytes.
        text = (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="surrogateescape")
        for line in text.split("\n"):
            if (found := re.fullmatch(pattern, line)) is not None and ".." not in found[1]:
                return found[1]
    return ""


def _of_process() -> Iterator[MemoryLimit]:
    for name in ("RLIMIT_AS", "RLIMIT_DATA"):
        size_bytes, _ = resource.getrlimit(getattr(resource, name))
        if SENSIBLE_BYTES[0] <= size_bytes < SENSIBLE_BYTES[1]:
            yield MemoryLimit(size_bytes=size_bytes, told_by=name)
