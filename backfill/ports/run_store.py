"""What a run directory on S3 asks of its bucket, and what its writes to other buckets ask of it.

Never overwrites but for the head, and that only as it was read; never deletes.
Law: every request names the bucket's expected owner, every write its encryption.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backfill.model.objects import ETag


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSeen:
    """The head as the store gave it.

    `age_s` is the answer's Date less the object's Last-Modified, both S3's own clock and whole
    seconds; None where either is missing or they contradict each other.
    """

    data: bytes
    etag: ETag
    age_s: float | None


class RunStore(Protocol):
    """The bucket of a run directory, as one identity sees it. Reads are retried."""

    async def has_conditional_writes(self, key: str) -> bool:
        """Return whether the store obeys If-None-Match and If-Match of PutObject; tried on `key`.

        What lies there is the same few bytes before and after.
        """
        ...

    async def read_head(self, key: str) -> HeadSeen | None:
        """Return the head, None where there is none."""
        ...

    async def write_head(self, key: str, data: bytes, *, replaces: ETag | None) -> ETag:
        """Write the head over the one with this ETag, or where there is none; never sent twice.

        Raises StoreFault: whoever knows what was written settles what is ambiguous.
        """
        ...

    async def put_bytes(self, key: str, data: bytes) -> None:
        """Put an object under a key that is absent, or that holds these very bytes."""
        ...

    async def put_file(self, key: str, path: Path) -> None:
        """Put a file under a key that is absent, or that holds these very bytes."""
        ...

    def read_file(self, key: str) -> AsyncIterator[bytes]:
        """Stream an object; chunks of at most 1 MiB. Raises StoreFault, 404 where it is absent."""
        ...


class WriteGate(Protocol):
    """Whether who works on a run directory may still write to other buckets."""

    async def admit(self) -> None:
        """Return when a write may be sent.

        Raises:
            LeaseLostError: The run directory belongs to somebody else by now.
        """
        ...
