"""Bucket-level questions of one identity: the port ControlPlane on the SDK.

Never writes, and never takes a denial for an answer: what cannot be read is a fault, but for what
the port lets be empty.
Law: a Region comes from the bucket itself, never from a guess.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from botocore.exceptions import ClientError

from backfill.aws import requests
from backfill.aws.bucket_heads import told_by_head
from backfill.aws.calls import Call, Calls
from backfill.aws.raw_documents import require_document
from backfill.aws.replies import Reply, ReplyError
from backfill.errors import StoreFault
from backfill.model.places import BucketFacts, BucketPlace

_UNSUPPORTED: Final = frozenset({"NotImplemented", "501", "MethodNotAllowed"})
"""What stores that are not AWS answer to questions about features that they do not have."""

_UNREADABLE: Final = frozenset({"AccessDenied", "403"})
_OWNER_ENFORCED: Final = "BucketOwnerEnforced"
_NO_LOCK: Final = frozenset({"ObjectLockConfigurationNotFoundError"})

T = TypeVar("T")

_BUCKET_REGION: Final = "x-amz-bucket-region"


class S3ControlPlane:
    """ControlPlane over the calls of one identity."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        # Bounded by the buckets of one campaign; a bucket never changes its Region.
        self._regions: dict[str, str] = {}

    async def account_id(self) -> str:
        """Return the account of the identity (STS GetCallerIdentity)."""
        call = Call(
            operation="GetCallerIdentity",
            region=self._calls.region,
            parameters={},
            service="sts",
        )
        return await self._calls.send(call, _account)

    async def bucket_region(self, bucket: str) -> str:
        """Return the Region of a bucket, its own or another account's.

        The one request without an expected owner: it is asked before any owner is known, and its
        answer is a Region, which is no secret. S3 names it on 200, 301, 400 and 403 alike.
        """
        if bucket not in self._regions:
            self._regions[bucket] = await self._bucket_region(bucket)
        return self._regions[bucket]

    async def server_time(self, bucket: str) -> datetime | None:
        """Return the Date of S3's answer to HeadBucket, whatever else that answer says.

        The header has whole seconds, rounded down as the times of versions are.
        """
        return await self._told_by_head(bucket, _date)

    async def store_name(self, bucket: str) -> str:
        """Return the header Server of S3's answer to HeadBucket, whatever else it says."""
        return await self._told_by_head(bucket, lambda reply: _text(_headers(reply), "server"))

    async def _told_by_head(self, bucket: str, tell: Callable[[Mapping[str, object]], T]) -> T:
        """Return what a header of HeadBucket tells; a refusal's answer has headers, too."""
        call = Call(
            operation="HeadBucket",
            region=await self.bucket_region(bucket),
            parameters={"Bucket": bucket},
        )
        try:
            return await self._calls.send(call, tell)
        except StoreFault as fault:
            error = fault.__cause__
            told = tell(error.response) if isinstance(error, ClientError) else None
            if told:
                return told
            raise

    async def bucket_facts(self, place: BucketPlace) -> BucketFacts:
        """Return versioning, Object Lock and ownership, and where ACLs count what they hang on."""
        ownership = await self._object_ownership(place)
        # A bucket without ownership controls is an old one, whose ACLs count.
        has_acls = ownership != _OWNER_ENFORCED
        return BucketFacts(
            region=place.region,
            versioning=await self.versioning(place),
            has_object_lock=await self._has_object_lock(place),
            object_ownership=ownership,
            owner_id=await self._owner_id(place) if has_acls else "",
            blocks_public_acls=has_acls and await self._blocks_public_acls(place),
        )

    async def versioning(self, place: BucketPlace) -> str:
        """Return Enabled, Suspended or an empty string."""
        call = _bucket_call("GetBucketVersioning", place)
        return await self._calls.send(call, _documented(lambda reply: _text(reply, "Status")))

    async def require_owner(self, place: BucketPlace) -> None:
        """Ask HeadBucket with the expected owner; S3 answers 403 where another one owns it.

        A 403 may also be a missing s3:ListBucket: HEAD has no body that would tell them apart.
        """
        await told_by_head(self._calls, _bucket_call("HeadBucket", place), lambda _: None)

    async def has_default_retention(self, place: BucketPlace) -> bool:
        """Return whether GetObjectLockConfiguration has a DefaultRetention; a denial is no."""
        return await self._answer(
            _bucket_call("GetObjectLockConfiguration", place),
            _has_default_retention,
            otherwise=False,
            when=_UNSUPPORTED | _UNREADABLE | _NO_LOCK,
        )

    async def replication_configuration(
        self, bucket: str, expected_owner: str | None
    ) -> Mapping[str, object] | None:
        """Return the raw GetBucketReplication document, None when the bucket has none."""
        parameters = {"Bucket": bucket}
        if expected_owner is not None:
            parameters["ExpectedBucketOwner"] = expected_owner
        call = Call(
            operation="GetBucketReplication",
            region=await self.bucket_region(bucket),
            parameters=parameters,
        )
        try:
            return await self._calls.send(
                call, _documented(lambda reply: _mapping(reply, "ReplicationConfiguration"))
            )
        except StoreFault as fault:
            if fault.code == "ReplicationConfigurationNotFoundError":
                return None
            raise

    async def _bucket_region(self, bucket: str) -> str:
        call = Call(
            operation="HeadBucket", region=self._calls.region, parameters={"Bucket": bucket}
        )

        def of_refusal(fault: StoreFault) -> str | None:
            error = fault.__cause__
            return (_region(error.response) or None) if isinstance(error, ClientError) else None

        return await told_by_head(
            self._calls,
            call,
            lambda reply: _region(reply) or self._calls.region,
            of_refusal=of_refusal,
        )

    async def _has_object_lock(self, place: BucketPlace) -> bool:
        return await self._answer(
            _bucket_call("GetObjectLockConfiguration", place),
            lambda reply: _lock(reply) == "Enabled",
            otherwise=False,
            when=_UNSUPPORTED | _NO_LOCK,
        )

    async def _object_ownership(self, place: BucketPlace) -> str:
        return await self._answer(
            _bucket_call("GetBucketOwnershipControls", place),
            _ownership,
            otherwise="",
            when=_UNSUPPORTED | _UNREADABLE | {"OwnershipControlsNotFoundError"},
        )

    async def _owner_id(self, place: BucketPlace) -> str:
        return await self._answer(
            _bucket_call("GetBucketAcl", place),
            lambda reply: _text(_mapping(reply, "Owner"), "ID"),
            otherwise="",
            when=_UNSUPPORTED | _UNREADABLE,
        )

    async def _blocks_public_acls(self, place: BucketPlace) -> bool:
        return await self._answer(
            _bucket_call("GetPublicAccessBlock", place),
            lambda reply: (
                _mapping(reply, "PublicAccessBlockConfiguration").get("BlockPublicAcls") is True
            ),
            otherwise=False,
            when=_UNSUPPORTED | _UNREADABLE | {"NoSuchPublicAccessBlockConfiguration"},
        )

    async def _answer(
        self, call: Call, parse: Callable[[Reply], T], *, otherwise: T, when: frozenset[str]
    ) -> T:
        try:
            return await self._calls.send(call, _documented(parse))
        except StoreFault as fault:
            if fault.code in when:
                return otherwise
            raise


def _bucket_call(operation: str, place: BucketPlace) -> Call:
    parameters = requests.bucket_parameters(place)
    return Call(operation=operation, region=place.region, parameters=parameters)


def _documented(parse: Callable[[Reply], T]) -> Callable[[Reply], T]:
    """Return the parser for answers that hold a document: from nothing it would read a no."""

    def parsed(reply: Reply) -> T:
        require_document(reply)
        return parse(reply)

    return parsed


def _account(reply: Reply) -> str:
    account = _text(reply, "Account")
    if len(account) != 12 or not account.isdigit():
        raise ReplyError(f"GetCallerIdentity with account {account!r}")
    return account


def _region(reply: Mapping[str, object]) -> str:
    return _text(_headers(reply), _BUCKET_REGION)


def _date(reply: Mapping[str, object]) -> datetime | None:
    """Parse the header Date (RFC 9110 §6.6.1: always GMT); None for none or another shape."""
    try:
        told = parsedate_to_datetime(_text(_headers(reply), "date"))
    except ValueError:
        return None
    return told.astimezone(UTC) if told.tzinfo is not None else None


def _headers(reply: Mapping[str, object]) -> Mapping[str, object]:
    return _mapping(_mapping(reply, "ResponseMetadata"), "HTTPHeaders")


def _lock(reply: Reply) -> str:
    return _text(_mapping(reply, "ObjectLockConfiguration"), "ObjectLockEnabled")


def _has_default_retention(reply: Reply) -> bool:
    rule = _mapping(_mapping(reply, "ObjectLockConfiguration"), "Rule")
    return bool(_mapping(rule, "DefaultRetention"))


def _ownership(reply: Reply) -> str:
    rules = _mapping(reply, "OwnershipControls").get("Rules")
    return _text(rules[0], "ObjectOwnership") if isinstance(rules, list) and rules else ""


def _mapping(container: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = container.get(name)
    return value if isinstance(value, Mapping) else {}


def _text(container: Mapping[str, object], name: str) -> str:
    value = container.get(name)
    return value if isinstance(value, str) else ""
