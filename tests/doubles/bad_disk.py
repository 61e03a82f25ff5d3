"""A disk that fails, as one process sees it: installed in a forked command before it begins.

    BAD_DISK=/folder:ENOSPC:7:for-good

At the seventh change below the folder (a write of a journal, a sync, a rename, a file or folder
made) the disk fails: a write leaves half of its bytes, as a full disk does, and nothing else is
done. `once`: it is well again after that. `for-good`: it never is; and with EIO it does not even
read any more. With 0 it never fails, and `BAD_DISK_COUNT` names a file for the count of changes.
Never installed in a process of pytest. Law: what fails, fails with the errno of the kernel's own.
"""

import errno
import io
import os
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

VARIABLE: Final = "BAD_DISK"
COUNT: Final = "BAD_DISK_COUNT"
"""A file that is rewritten with how many changes were made."""
_BEATS: Final = "pulse."
"""Written every now and then by a thread: not counted, so that a number is always the same change;
a pulse that cannot be written is nobody's loss."""
_CHANGES: Final = ("fsync", "ftruncate", "mkdir", "rename", "replace")


@dataclass(slots=True)
class Disk:
    """What is known of it."""

    root: str
    number: int
    at: int
    is_for_good: bool
    count_file: str
    changes: int = 0
    has_failed: bool = False

    def is_here(self, path: object) -> bool:
        """Whether something lies on this disk: a path, or a file that is open."""
        if isinstance(path, int):
            try:
                path = Path(f"/proc/self/fd/{path}").readlink()
            except OSError:
                return False
        if not isinstance(path, str | os.PathLike):
            return False
        real = os.path.realpath(path)
        return real.startswith(self.root) and not Path(real).name.startswith(_BEATS)

    def is_failing(self) -> bool:
        """Count a change and tell whether it fails."""
        if self.has_failed:
            return self.is_for_good
        self.changes += 1
        if self.count_file:
            Path(self.count_file).write_text(str(self.changes), encoding="ascii")
        self.has_failed = self.changes == self.at
        return self.has_failed

    def cannot_read(self) -> bool:
        """Whether it is gone."""
        return self.has_failed and self.is_for_good and self.number == errno.EIO

    def fault(self) -> OSError:
        """Return what the kernel would say."""
        return OSError(self.number, os.strerror(self.number))


def installed(environment: MutableMapping[str, str]) -> None:
    """Let this process have the disk that its environment tells of, if it tells of one."""
    if not (told := environment.pop(VARIABLE, "")):
        return
    root, name, at, lasting = told.rsplit(":", 3)
    disk = Disk(
        os.path.realpath(root),
        getattr(errno, name),
        int(at),
        lasting == "for-good",
        environment.pop(COUNT, ""),
    )
    changing = {name: _changing(disk, getattr(os, name)) for name in _CHANGES}
    opening = _opening(disk, os.open, lambda how: bool(how & os.O_CREAT))
    making = _opening(disk, io.open, lambda how: not set("wxa+").isdisjoint(how))
    replaced = {os: {**changing, "write": _writing(disk, os.write), "open": opening}}
    for module, calls in {**replaced, io: {"open": making}}.items():
        for call, failing in calls.items():
            setattr(module, call, failing)


def _writing(disk: Disk, write: Callable[..., int]) -> Callable[..., int]:
    def failing(descriptor: int, data: Any) -> int:
        if disk.is_here(descriptor) and disk.is_failing():
            write(descriptor, bytes(data)[: len(data) // 2])
            raise disk.fault()
        return write(descriptor, data)

    return failing


def _changing(disk: Disk, call: Callable[..., Any]) -> Callable[..., Any]:
    def failing(path: Any, *args: Any, **more: Any) -> Any:
        if disk.is_here(path) and disk.is_failing():
            raise disk.fault()
        return call(path, *args, **more)

    return failing


def _opening(
    disk: Disk, call: Callable[..., Any], makes: Callable[[Any], bool]
) -> Callable[..., Any]:
    def failing(path: Any, *args: Any, **more: Any) -> Any:
        how = args[0] if args else more.get("mode", more.get("flags", "r"))
        if disk.is_here(path) and (disk.cannot_read() or (makes(how) and disk.is_failing())):
            raise disk.fault()
        return call(path, *args, **more)

    return failing
