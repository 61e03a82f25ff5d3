"""Everything that the operations share: buckets, time, chance, limits and the hooks.

Never part of an answer to a client.
Law: each source of time or chance enters here and nowhere else.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from random import Random
from typing import TYPE_CHECKING

from backfill.sandbox.model.identities import Authorize
from backfill.sandbox.model.kms import KeyRing
from backfill.sandbox.model.limits import Limits
from backfill.sandbox.model.measurements import Measure, measure_nothing
from backfill.sandbox.model.restore_settings import RestoreSettings
from backfill.sandbox.model.roles import Roles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backfill.sandbox.model.buckets import Bucket
    from backfill.sandbox.model.versions import Entry, ObjectVersion


def _nothing(_bucket: Bucket, _entry: Entry) -> None:
    """Do nothing about a write: a world without replication."""


def _tell_nobody(_destination_arn: str, _body: str) -> None:
    """Forget an event: a world without queues, topics and functions."""


def _take_any(_destination_arn: str, _bucket: str) -> str | None:
    """Find nothing wrong with an event destination: a world without such services."""


# Open to change: it is what operations act on.
@dataclass(slots=True, kw_only=True)
class World:
    """The whole of S3 as the model knows it."""

    clock: Callable[[], datetime]
    """The time of the next write: aware, UTC."""
    random: Random
    limits: Limits
    authorize: Authorize
    keys: KeyRing = field(default_factory=KeyRing)
    roles: Roles = field(default_factory=Roles)
    buckets: dict[str, Bucket] = field(default_factory=dict)
    on_version_written: Callable[[Bucket, Entry], None] = _nothing
    """Called after a client's write of a version or delete marker."""
    on_attributes_changed: Callable[[Bucket, ObjectVersion], None] = _nothing
    """Called after a client's change of tags or lock of a version."""
    notify: Callable[[str, str], None] = _tell_nobody
    """Hand an event's JSON to a queue, topic or function, named by its ARN."""
    may_notify: Callable[[str, str], str | None] = _take_any
    """Why S3 may not publish to this ARN on behalf of the bucket of this name, in S3's words (no
    such queue, a policy that does not let it); None if it may."""
    measure: Measure = measure_nothing
    """Hand a datum to CloudWatch."""
    restores: RestoreSettings = field(default_factory=RestoreSettings)
    """How long restores from archives take; at once unless a test, or who serves it, says else."""
    _sequence: Iterator[int] = field(default_factory=lambda: count(1))

    def next_sequence(self) -> int:
        """The rank of the next write among all: breaks ties between equal times."""
        return next(self._sequence)

    def new_id(self, length: int = 32) -> str:
        """An opaque URL-ready ID as S3 makes them for versions and uploads."""
        assert length % 4 == 0, "base64 comes in fours"
        raw = self.random.randbytes(length // 4 * 3)
        return b64encode(raw, b"._").decode("ascii")

    def opaque_etag(self) -> str:
        """An ETag that is no MD5, as objects under SSE-KMS, DSSE-KMS and SSE-C have."""
        return f"{self.random.getrandbits(128):032x}"
