"""Two views of an account's control plane: what setup, preflight and watch read, what setup writes.

Never implements anything. Each object is one identity, as it sees and may change its own account's
and shared documents; S3's data plane is another port.
Law: a reader never writes. What is not there is None, what is denied is a fault.

Faults: every call raises `errors.StoreFault`; reads were retried by then, writes were not.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from backfill.model.accounts import (
    BucketDocument,
    CallerIdentity,
    Datapoint,
    KmsKey,
    MetricQuery,
    QueueMessage,
    RawDocument,
    Role,
    Simulated,
    SimulationRequest,
)
from backfill.model.places import BucketPlace


class AccountReader(Protocol):
    """Reads an account's control plane as one identity sees it."""

    async def caller(self) -> CallerIdentity:
        """Return who signs."""
        ...

    async def has_bucket(self, place: BucketPlace) -> bool:
        """Return whether a bucket is there.

        Code 403 where another account owns it, or where s3:ListBucket is denied.
        """
        ...

    async def bucket_document(
        self, place: BucketPlace, document: BucketDocument
    ) -> RawDocument | None:
        """Return one configuration of a bucket; None where it has none."""
        ...

    async def role(self, name: str) -> Role | None:
        """Return a role of the identity's own account with all its policies; None: no such role."""
        ...

    async def kms_key(self, arn: str) -> KmsKey | None:
        """Return a key, also another account's; None where there is none."""
        ...

    async def key_policy(self, arn: str) -> RawDocument:
        """Return the key policy named `default`; only the key's own account can read it."""
        ...

    async def event_destination_policy(self, arn: str) -> RawDocument | None:
        """Return the policy of a queue, topic or function; None where it has none.

        Code NotFound (404) where the thing itself is not there.
        """
        ...

    async def simulated(self, request: SimulationRequest) -> Sequence[Simulated]:
        """Ask IAM's simulator, one answer an action."""
        ...


class AccountWriter(AccountReader, Protocol):
    """Changes an account's control plane: setup only. Every put replaces a whole document."""

    async def create_bucket(self, place: BucketPlace, *, has_object_lock: bool) -> None:
        """Create a bucket in its Region, for manifests and reports."""
        ...

    async def put_bucket_document(
        self, place: BucketPlace, document: BucketDocument, fields: Mapping[str, object]
    ) -> None:
        """Put one configuration of a bucket, in the SDK's shape; a policy as its JSON."""
        ...

    async def delete_bucket_document(self, place: BucketPlace, document: BucketDocument) -> None:
        """Take a configuration away: only for one that holds nothing of others."""
        ...

    async def create_role(
        self, name: str, *, path: str, trust: str, description: str, tags: Mapping[str, str]
    ) -> str:
        """Create a role and return its ARN; code EntityAlreadyExists where it is there."""
        ...

    async def put_role_trust(self, name: str, trust: str) -> None:
        """Replace a role's trust policy."""
        ...

    async def put_role_policy(self, name: str, policy_name: str, policy: str) -> None:
        """Put one inline policy of a role."""
        ...

    async def delete_role_policy(self, name: str, policy_name: str) -> None:
        """Delete one inline policy of a role."""
        ...

    async def delete_role(self, name: str) -> None:
        """Delete a role without policies; code DeleteConflict where it has some."""
        ...

    async def put_key_policy(self, arn: str, policy: str) -> None:
        """Replace a key policy; KMS refuses one that locks the account out."""
        ...

    async def create_queue(self, arn: str, *, retention_s: int, tags: Mapping[str, str]) -> None:
        """Create a standard queue by the ARN that it shall have, in the identity's own account.

        Does nothing where a queue with that retention is there, whatever its tags; code
        QueueAlreadyExists where one with another is.
        """
        ...

    async def put_event_destination_policy(
        self,
        arn: str,
        policy: Mapping[str, object] | None,
        *,
        before: Mapping[str, object] | None,
    ) -> None:
        """Put the policy of a queue or topic; None takes a queue's away.

        Lambda has no whole policy to put: statements that differ from `before`, which was read,
        are removed and added by their Sid, all others are left alone.
        """
        ...


class Watching(Protocol):
    """What live replication reports: CloudWatch numbers, and events in a queue."""

    async def metric(
        self, query: MetricQuery, *, start: datetime, end: datetime
    ) -> Sequence[Datapoint]:
        """Return a metric's values, oldest first; none is normal (S3 reports only activity)."""
        ...

    async def receive(self, queue_arn: str, *, wait_s: int) -> Sequence[QueueMessage]:
        """Return up to ten messages, waiting so long for the first."""
        ...

    async def delete(self, queue_arn: str, messages: Sequence[QueueMessage]) -> None:
        """Delete messages that were dealt with."""
        ...
