"""Where a run directory on S3 lies, and what its working copy on this machine is called.

Never asks anything.
Law: two run directories have two names here, and one has one.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from backfill.errors import UsageError

SCHEME: Final = "s3://"
HEAD_NAME: Final = "head.json"
PROBE_NAME: Final = "conditional-writes.txt"
PREFIX_CHARACTERS_MAX: Final = 400
"""Of a key's 1,024 bytes: what follows it has at most some 200."""

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX: Final = re.compile(r"[A-Za-z0-9!_.*'()=@,+-]+(?:/[A-Za-z0-9!_.*'()=@,+-]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Location:
    """A bucket and a prefix without outer slashes; an empty prefix is the bucket's root."""

    bucket: str
    prefix: str

    @property
    def url(self) -> str:
        """The location as it is typed."""
        return self.url_of("").rstrip("/")

    def key(self, name: str) -> str:
        """Return the key of something of this run directory."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def url_of(self, name: str) -> str:
        """Return the address of something of this run directory, for people."""
        return f"{SCHEME}{self.bucket}/{self.key(name)}"

    @property
    def working_copy_name(self) -> str:
        """The name of the folder of its working copy: no two locations share one."""
        digest = hashlib.sha256(f"{self.bucket}/{self.prefix}".encode()).hexdigest()
        return f"backfill-{digest[:20]}"


def is_on_s3(text: str) -> bool:
    """Return whether a run directory is named that lies on S3."""
    return text.lower().startswith(SCHEME)


def location_of(text: str) -> S3Location:
    """Return the location that `s3://BUCKET/PREFIX` names; one slash at the end is left out.

    Raises:
        UsageError: It is none.
    """
    bucket, _, prefix = text[len(SCHEME) :].removesuffix("/").partition("/")
    is_sound = _BUCKET.fullmatch(bucket) and (not prefix or _PREFIX.fullmatch(prefix))
    has_dots = any(part in (".", "..") for part in prefix.split("/"))
    if not is_sound or has_dots or len(prefix) > PREFIX_CHARACTERS_MAX:
        raise UsageError(
            f"{text!r} names no run directory on S3",
            hint="s3://BUCKET/PREFIX; a prefix of letters, digits and !_.*'()=@,+- between slashes",
        )
    return S3Location(bucket=bucket, prefix=prefix)
