"""A run directory on S3, joined of its adapters: the bucket, the lease, the thread, the copy.

Stands below `compose`, which gives it to who asks for such a run directory.
Never opens what was not asked for: a local run directory costs nothing of this.
Law: the bucket's owner is expected by name, the identity's own account unless another was said.
"""

import os
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backfill.aws.calls import Calls
from backfill.aws.clock import SystemClock, SystemRandom
from backfill.aws.control_plane import S3ControlPlane
from backfill.aws.retry import ReadRetries, RetryingControlPlane
from backfill.aws.run_store import S3RunStore
from backfill.aws.session import AwsSession, Connection
from backfill.model.attributes import Encryption, EncryptionKind
from backfill.model.pauses import Pauses, RetryBudget
from backfill.model.places import BucketPlace
from backfill.ports import Event, Events, ProgressCounts
from backfill.ports.run_store import RunStore
from backfill.run_directory.on_s3.background import Background
from backfill.run_directory.on_s3.directory import S3RunDirectory
from backfill.run_directory.on_s3.keeper import Holder
from backfill.run_directory.on_s3.lease import renewal_pause_s
from backfill.run_directory.on_s3.location import S3Location
from backfill.settings import Settings

HEAD_LIMIT_S_MIN: Final = 5.0
"""A write of the head takes milliseconds; on a machine that is overloaded, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Options:
    """How a run directory on S3 is reached and kept.

    `scratch` is where working copies lie. `account` empty: the identity's own. `kms_key_arn` empty:
    SSE-S3. `lease_s` is how long a holder may be silent before another one may take over.
    """

    location: S3Location
    scratch: Path
    account: str
    kms_key_arn: str
    lease_s: float


@contextmanager
def opened(
    options: S3Options, connection: Connection, settings: Settings
) -> Iterator[S3RunDirectory]:
    """Open a run directory on S3; nothing is held or written yet.

    Raises:
        StoreFault: The bucket does not answer, or not to this identity.
        CredentialsError, UsageError: As every session.
    """
    clock = SystemClock()
    with Background() as background:
        stack = AsyncExitStack()
        relay = _Relay()
        try:
            store = background.call(
                stack.enter_async_context(_run_store(options, connection, settings, relay))
            )
            directory = S3RunDirectory(
                background,
                store,
                options.location,
                scratch=options.scratch,
                clock=clock,
                holder=Holder(
                    nonce=secrets.token_hex(16),
                    words=f"process {os.getpid()} on {socket.gethostname()} since"
                    f" {clock.now().isoformat(timespec='seconds')}",
                    lease_s=options.lease_s,
                ),
            )
            relay.directory = directory
            yield directory
        finally:
            background.call(stack.aclose())


@asynccontextmanager
async def _run_store(
    options: S3Options, connection: Connection, settings: Settings, events: Events
) -> AsyncIterator[RunStore]:
    clock, random = SystemClock(), SystemRandom()
    retries = ReadRetries(
        attempts_max=settings.control_attempts_max,
        pauses=Pauses(base_s=settings.retry_base_s, cap_s=settings.retry_cap_s),
        budget=RetryBudget(ratio=settings.retry_budget_ratio, floor=settings.retry_budget_floor),
        clock=clock,
        random=random,
        events=events,
    )
    async with AwsSession(connection) as session:
        calls = Calls(session, events)
        control = RetryingControlPlane(S3ControlPlane(calls), retries)
        place = BucketPlace(
            bucket=options.location.bucket,
            region=await control.bucket_region(options.location.bucket),
            expected_owner=options.account or await control.account_id(),
            owner_origin="flag" if options.account else "STS",
        )
        yield S3RunStore(
            calls,
            retries,
            place,
            _encryption(options.kms_key_arn),
            head_limit_s=max(HEAD_LIMIT_S_MIN, renewal_pause_s(options.lease_s)),
        )


def _encryption(kms_key_arn: str) -> Encryption:
    if not kms_key_arn:
        return Encryption(kind=EncryptionKind.SSE_S3)
    # A bucket key: each small write would ask KMS once, and pay for it.
    return Encryption(
        kind=EncryptionKind.SSE_KMS, kms_key_arn=kms_key_arn, is_bucket_key_enabled=True
    )


class _Relay:
    """The port Events of the thread: told by the run directory, in the thread that may."""

    def __init__(self) -> None:
        self.directory: S3RunDirectory | None = None

    def emit(self, event: Event) -> None:
        if self.directory is not None:
            self.directory.tell(event)

    def progress(self, counts: ProgressCounts) -> None:
        assert counts.done >= 0, "nobody counts here"
