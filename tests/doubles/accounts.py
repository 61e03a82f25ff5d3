"""The ports AccountReader, AccountWriter and Watching over accounts in memory: strict where AWS is.

    world = Accounts()
    source = world.account("111111111111")
    world.add_bucket("photos", "111111111111", "us-east-1")
    source.fail("GetRole")                      # denied from now on
    world.unsettled[role_arn] = 2               # policies that name it are refused twice

What setup leans on is refused as AWS refuses it: a policy that names a role not there, a rule
between buckets without versioning, a notification whose receiver does not let S3 send, a role
deleted with its policies.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import botocore.session
from botocore.serialize import create_serializer

from backfill.aws.raw_documents import FORMS, policy_document
from backfill.errors import Disposition, StoreFault
from backfill.model.accounts import (
    BucketDocument,
    CallerIdentity,
    Datapoint,
    EventDestinationKind,
    KmsKey,
    MetricQuery,
    QueueMessage,
    RawDocument,
    Role,
    Simulated,
    SimulatedEffect,
    SimulationRequest,
    Unread,
    event_destination_kind,
)
from backfill.model.places import BucketPlace

Fields = Mapping[str, object]
POLICY_BYTES_MAX = 20 * 1024
SQS_RETENTION_S = 4 * 24 * 3600
"""Of a queue that was made without saying (SQS API: CreateQueue)."""


def fault(operation: str, code: str, status: int = 400, message: str = "") -> StoreFault:
    return StoreFault(
        operation=operation,
        code=code,
        status=status,
        disposition=Disposition.FAIL,
        message=message,
    )


@dataclass
class Bucket:
    name: str
    account_id: str
    region: str
    documents: dict[BucketDocument, dict[str, object]] = field(default_factory=dict)
    unmodelled: dict[BucketDocument, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class RoleInMemory:
    arn: str
    trust: str
    inline: dict[str, str] = field(default_factory=dict)
    attached: dict[str, str] = field(default_factory=dict)
    boundary: str | Unread | None = None
    tags: dict[str, str] = field(default_factory=dict)
    description: str = ""

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def path(self) -> str:
        return self.arn.rpartition(":role")[2].rpartition("/")[0] + "/"


class Accounts:
    """Everything that the accounts of a test hold; every view of it sees every change."""

    def __init__(self) -> None:
        self.buckets: dict[str, Bucket] = {}
        self.roles: dict[str, RoleInMemory] = {}
        self.keys: dict[str, KmsKey] = {}
        self.key_policies: dict[str, str] = {}
        self.event_destinations: dict[str, str | None] = {}
        """Queues, topics and functions by ARN, with their policies."""
        self.queues: dict[str, tuple[int, Mapping[str, str]]] = {}
        """Retention in seconds and tags of queues that a writer made, by ARN."""
        self.messages: dict[str, list[QueueMessage]] = {}
        self.metrics: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[Datapoint]] = {}
        self.unsettled: dict[str, int] = {}
        """How often a policy that names a role is still refused, by the role's ARN."""

    def account(self, account_id: str, *, region: str = "us-east-1") -> "MemoryAccount":
        """Return one identity's view, of the account's administrator unless `fail` says less."""
        return MemoryAccount(self, account_id, region)

    def add_bucket(
        self, name: str, account_id: str, region: str, *, versioning: str = "Enabled"
    ) -> Bucket:
        bucket = self.buckets[name] = Bucket(name, account_id, region)
        if versioning:
            bucket.documents[BucketDocument.VERSIONING] = {"Status": versioning}
        return bucket

    def add_role(self, arn: str, trust: Fields, **inline: Fields) -> RoleInMemory:
        texts = {name: json.dumps(policy) for name, policy in inline.items()}
        role = self.roles[arn] = RoleInMemory(arn, json.dumps(trust), inline=texts)
        return role

    def add_key(self, arn: str, policy: Fields | None = None, *, state: str = "Enabled") -> KmsKey:
        _, _, _, region, account_id, _ = arn.split(":", 5)
        key = self.keys[arn] = KmsKey(
            arn=arn, account_id=account_id, region=region, state=state, managed_by="CUSTOMER"
        )
        self.key_policies[arn] = json.dumps(policy or _default_key_policy(account_id))
        return key

    def send(self, queue_arn: str, body: str) -> None:
        """Put a message into a queue."""
        messages = self.messages.setdefault(queue_arn, [])
        messages.append(QueueMessage(body=body, receipt=f"receipt-{len(messages)}-{body[:20]}"))

    def picture(self) -> str:
        """Everything as text: two worlds with the same picture are alike, byte for byte."""
        return json.dumps(
            {
                "buckets": {name: _plain(vars(bucket)) for name, bucket in self.buckets.items()},
                "roles": {arn: _plain(vars(role)) for arn, role in self.roles.items()},
                "keys": self.key_policies,
                "event_destinations": self.event_destinations,
                "queues": self.queues,
            },
            sort_keys=True,
            indent=1,
            default=str,
        )


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    return {
        name: {str(key): item for key, item in value.items()} if isinstance(value, dict) else value
        for name, value in values.items()
    }


def _default_key_policy(account_id: str) -> dict[str, object]:
    root = f"arn:aws:iam::{account_id}:root"
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": root},
        "Action": "kms:*",
        "Resource": "*",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


class MemoryAccount:
    """One identity's AccountReader, AccountWriter and Watching."""

    def __init__(self, world: Accounts, account_id: str, region: str) -> None:
        self.world = world
        self.account_id = account_id
        self.region = region
        self.arn = f"arn:aws:iam::{account_id}:user/admin"
        self.asked: list[str] = []
        """Every operation, in order."""
        self.written: list[str] = []
        """Those that changed something, and of what, in order."""
        self.before_write: Callable[[str], None] = lambda _: None
        self.after_write: Callable[[str], None] = lambda _: None
        self.after_read: Callable[[str], None] = lambda _: None
        self.simulator: Callable[[SimulationRequest], Iterable[Simulated]] | None = None
        self._faults: dict[str, list[StoreFault]] = {}

    def fail(self, operation: str, code: str = "AccessDenied", *, times: int = 1_000_000) -> None:
        """Let an operation fail so many times; for good unless said otherwise."""
        status = 403 if "Denied" in code else 400
        self._faults[operation] = [fault(operation, code, status)] * min(times, 1000)

    # --- AccountReader ---

    async def caller(self) -> CallerIdentity:
        self._read("GetCallerIdentity")
        kind, _, session = self.arn.rpartition(":")[2].partition("/")
        name = session.partition("/")[0] if kind == "assumed-role" else ""
        role_arn = f"arn:aws:iam::{self.account_id}:role/{name}" if name else ""
        return CallerIdentity(account_id=self.account_id, arn=self.arn, role_arn=role_arn)

    async def has_bucket(self, place: BucketPlace) -> bool:
        self._read("HeadBucket")
        if place.bucket not in self.world.buckets:
            return False
        self._bucket("HeadBucket", place)
        return True

    async def bucket_document(
        self, place: BucketPlace, document: BucketDocument
    ) -> RawDocument | None:
        operation = f"Get{FORMS[document].name}"
        bucket = self._bucket(operation, place)
        self._read(operation)
        fields, unmodelled = bucket.documents.get(document), bucket.unmodelled.get(document, ())
        if fields is None:
            return None
        if document is BucketDocument.POLICY:
            return policy_document(json.dumps(fields))
        return RawDocument(
            text=xml_of(document, fields), fields=deepcopy(fields), unmodelled=unmodelled
        )

    async def role(self, name: str) -> Role | None:
        self._read("GetRole")
        found = self._role(name)
        if found is None:
            return None
        for operation in ("ListRolePolicies", "GetRolePolicy", "ListAttachedRolePolicies"):
            self._read(operation)
        return Role(
            arn=found.arn,
            name=found.name,
            path=found.path,
            trust=found.trust,
            inline=dict(found.inline),
            attached=dict(found.attached),
            boundary=found.boundary,
            tags=dict(found.tags),
        )

    async def kms_key(self, arn: str) -> KmsKey | None:
        self._read("DescribeKey")
        return self.world.keys.get(arn)

    async def key_policy(self, arn: str) -> RawDocument:
        self._read("GetKeyPolicy")
        self._own_key("GetKeyPolicy", arn)
        found = policy_document(self.world.key_policies[arn])
        assert found is not None
        return found

    async def event_destination_policy(self, arn: str) -> RawDocument | None:
        operation = _EVENT_DESTINATION_OPERATIONS[event_destination_kind(arn)][0]
        self._read(operation)
        return policy_document(self._event_destination(operation, arn))

    async def simulated(self, request: SimulationRequest) -> Sequence[Simulated]:
        self._read("SimulatePrincipalPolicy")
        if self.simulator is None:
            raise fault("SimulatePrincipalPolicy", "AccessDenied", 403)
        answers = list(self.simulator(request))
        assert [answer.action for answer in answers] == list(request.actions)
        assert all(isinstance(answer.effect, SimulatedEffect) for answer in answers)
        return answers

    # --- AccountWriter ---

    async def create_bucket(self, place: BucketPlace, *, has_object_lock: bool) -> None:
        with_lock = {"ObjectLockEnabled": "Enabled"}

        def make() -> None:
            if place.bucket in self.world.buckets:
                is_ours = self.world.buckets[place.bucket].account_id == self.account_id
                code = "BucketAlreadyOwnedByYou" if is_ours else "BucketAlreadyExists"
                raise fault("CreateBucket", code, 409)
            assert place.expected_owner == self.account_id, "made by its owner"
            bucket = self.world.add_bucket(
                place.bucket,
                self.account_id,
                place.region,
                versioning="Enabled" if has_object_lock else "",
            )
            if has_object_lock:
                bucket.documents[BucketDocument.OBJECT_LOCK] = dict(with_lock)

        self._write("CreateBucket", place.bucket, make)

    async def put_bucket_document(
        self, place: BucketPlace, document: BucketDocument, fields: Fields
    ) -> None:
        operation = f"Put{FORMS[document].name}"
        bucket = self._bucket(operation, place)
        whole = deepcopy(dict(fields))
        if document is not BucketDocument.POLICY:
            xml_of(document, whole)  # the SDK's own validation

        def put() -> None:
            self._validate(operation, bucket, document, whole)
            # S3 gives an empty notification configuration back as none.
            bucket.documents[document] = whole
            if not whole:
                del bucket.documents[document]

        self._write(operation, place.bucket, put)

    async def delete_bucket_document(self, place: BucketPlace, document: BucketDocument) -> None:
        form = FORMS[document]
        assert form.is_deletable or document is BucketDocument.NOTIFICATION, "S3 deletes no such"
        operation = f"{'Delete' if form.is_deletable else 'Put'}{form.name}"
        bucket = self._bucket(operation, place)
        self._write(operation, place.bucket, lambda: bucket.documents.pop(document, None))

    async def create_role(
        self, name: str, *, path: str, trust: str, description: str, tags: Mapping[str, str]
    ) -> str:
        arn = f"arn:aws:iam::{self.account_id}:role{path}{name}"

        def make() -> None:
            if self._role(name) is not None:
                raise fault("CreateRole", "EntityAlreadyExists", 409)
            _checked_policy("CreateRole", trust, "MalformedPolicyDocument")
            self.world.roles[arn] = RoleInMemory(
                arn, trust, tags=dict(tags), description=description
            )

        self._write("CreateRole", name, make)
        return arn

    async def put_role_trust(self, name: str, trust: str) -> None:
        def put() -> None:
            _checked_policy("UpdateAssumeRolePolicy", trust, "MalformedPolicyDocument")
            self._existing_role("UpdateAssumeRolePolicy", name).trust = trust

        self._write("UpdateAssumeRolePolicy", name, put)

    async def put_role_policy(self, name: str, policy_name: str, policy: str) -> None:
        def put() -> None:
            _checked_policy("PutRolePolicy", policy, "MalformedPolicyDocument")
            self._existing_role("PutRolePolicy", name).inline[policy_name] = policy

        self._write("PutRolePolicy", f"{name}/{policy_name}", put)

    async def delete_role_policy(self, name: str, policy_name: str) -> None:
        def delete() -> None:
            role = self._existing_role("DeleteRolePolicy", name)
            if role.inline.pop(policy_name, None) is None:
                raise fault("DeleteRolePolicy", "NoSuchEntity", 404)

        self._write("DeleteRolePolicy", f"{name}/{policy_name}", delete)

    async def delete_role(self, name: str) -> None:
        def delete() -> None:
            role = self._existing_role("DeleteRole", name)
            if role.inline or role.attached:
                raise fault("DeleteRole", "DeleteConflict", 409)
            del self.world.roles[role.arn]

        self._write("DeleteRole", name, delete)

    async def put_key_policy(self, arn: str, policy: str) -> None:
        code = "MalformedPolicyDocumentException"

        def put() -> None:
            self._own_key("PutKeyPolicy", arn)
            document = _checked_policy("PutKeyPolicy", policy, code)
            self._refuse_strangers("PutKeyPolicy", document, code)
            if f"{self.account_id}:root" not in policy and self.arn not in policy:
                raise fault("PutKeyPolicy", code, 400, "The new key policy will not allow you to")
            self.world.key_policies[arn] = policy

        self._write("PutKeyPolicy", arn, put)

    async def create_queue(self, arn: str, *, retention_s: int, tags: Mapping[str, str]) -> None:
        def make() -> None:
            assert arn.split(":")[4] == self.account_id, "made by its owner"
            if arn not in self.world.event_destinations:
                self.world.event_destinations[arn] = None
                self.world.queues[arn] = (retention_s, dict(tags))
            elif self.world.queues.get(arn, (SQS_RETENTION_S, {}))[0] != retention_s:
                raise fault("CreateQueue", "QueueAlreadyExists", 400)

        self._write("CreateQueue", arn, make)

    async def put_event_destination_policy(
        self, arn: str, policy: Fields | None, *, before: Fields | None
    ) -> None:
        kind = event_destination_kind(arn)
        operation = _EVENT_DESTINATION_OPERATIONS[kind][1]

        def put() -> None:
            current = json.loads(self._event_destination(operation, arn) or "{}")
            if kind is EventDestinationKind.FUNCTION:
                told = {**current, **(policy or {})}
                told["Statement"] = _merged_statements(current, policy or {}, before or {})
                self.world.event_destinations[arn] = json.dumps(told) if told["Statement"] else None
            else:
                assert policy is not None or kind is EventDestinationKind.QUEUE
                self.world.event_destinations[arn] = None if policy is None else json.dumps(policy)

        self._write(operation, arn, put)

    # --- Watching ---

    async def metric(
        self, query: MetricQuery, *, start: datetime, end: datetime
    ) -> Sequence[Datapoint]:
        self._read("GetMetricData")
        points = self.world.metrics.get((query.region, query.name, query.dimensions), [])
        found = [point for point in points if start <= point.at < end]
        return sorted(found, key=lambda point: point.at)

    async def receive(self, queue_arn: str, *, wait_s: int) -> Sequence[QueueMessage]:
        assert 0 <= wait_s <= 20, "the longest long poll of SQS"
        self._read("ReceiveMessage")
        self._event_destination("ReceiveMessage", queue_arn)
        return tuple(self.world.messages.get(queue_arn, ())[:10])

    async def delete(self, queue_arn: str, messages: Sequence[QueueMessage]) -> None:
        gone = {message.receipt for message in messages}

        def remove() -> None:
            kept = self.world.messages.get(queue_arn, [])
            self.world.messages[queue_arn] = [m for m in kept if m.receipt not in gone]

        self._write("DeleteMessageBatch", queue_arn, remove)

    # --- what AWS would say ---

    def _read(self, operation: str) -> None:
        self.asked.append(operation)
        self._raise_fault(operation)
        self.after_read(operation)

    def _write(self, operation: str, what: str, apply: Callable[[], object]) -> None:
        self.asked.append(operation)
        self.before_write(operation)
        self._raise_fault(operation)
        apply()
        self.written.append(f"{operation} {what}")
        self.after_write(operation)

    def _raise_fault(self, operation: str) -> None:
        faults = self._faults.get(operation)
        if faults:
            raise faults.pop()

    def _bucket(self, operation: str, place: BucketPlace) -> Bucket:
        bucket = self.world.buckets.get(place.bucket)
        if bucket is None:
            raise fault(operation, "NoSuchBucket", 404)
        if place.expected_owner != bucket.account_id or self.account_id != bucket.account_id:
            raise fault(operation, "AccessDenied", 403)
        assert place.region == bucket.region, f"{place.bucket} is in {bucket.region}"
        return bucket

    def _role(self, name: str) -> RoleInMemory | None:
        for role in self.world.roles.values():
            if role.name == name and role.arn.split(":")[4] == self.account_id:
                return role
        return None

    def _existing_role(self, operation: str, name: str) -> RoleInMemory:
        role = self._role(name)
        if role is None:
            raise fault(operation, "NoSuchEntity", 404)
        return role

    def _own_key(self, operation: str, arn: str) -> None:
        if arn not in self.world.keys:
            raise fault(operation, "NotFoundException", 400)
        if self.world.keys[arn].account_id != self.account_id:
            raise fault(operation, "AccessDeniedException", 400)

    def _event_destination(self, operation: str, arn: str) -> str | None:
        if arn not in self.world.event_destinations:
            raise fault(operation, "NotFound", 404)
        if arn.split(":")[4] != self.account_id:
            raise fault(operation, "AccessDenied", 403)
        return self.world.event_destinations[arn]

    def _refuse_strangers(self, operation: str, policy: Fields, code: str) -> None:
        """Refuse a policy that names a role which is not there, or not everywhere yet."""
        for arn in _principals(policy):
            if ":role/" not in arn:
                continue
            left = self.world.unsettled.get(arn, 0)
            self.world.unsettled[arn] = max(0, left - 1)
            if arn not in self.world.roles or left > 0:
                raise fault(operation, code, 400, "Invalid principal in policy")

    def _validate(
        self, operation: str, bucket: Bucket, document: BucketDocument, fields: dict[str, object]
    ) -> None:
        match document:
            case BucketDocument.POLICY:
                text = json.dumps(fields)
                policy = _checked_policy(operation, text, "MalformedPolicy")
                self._refuse_strangers(operation, policy, "MalformedPolicy")
                if len(text) > POLICY_BYTES_MAX:
                    raise fault(operation, "PolicyTooLarge", 400)
            case BucketDocument.REPLICATION:
                self._validate_replication(operation, bucket, fields)
            case BucketDocument.NOTIFICATION:
                self._validate_notification(operation, fields)
            case BucketDocument.VERSIONING:
                if fields.get("Status") != "Enabled" and (
                    BucketDocument.REPLICATION in bucket.documents
                ):
                    raise fault(operation, "InvalidBucketState", 409)
            case BucketDocument.OBJECT_LOCK:
                if _versioning(bucket) != "Enabled":
                    raise fault(operation, "InvalidBucketState", 409)
            case _:
                pass

    def _validate_replication(
        self, operation: str, bucket: Bucket, fields: Mapping[str, Any]
    ) -> None:
        if not fields.get("Rules"):
            raise fault(operation, "MalformedXML", 400)
        if _versioning(bucket) != "Enabled":
            message = "Versioning must be 'Enabled' on the bucket"
            raise fault(operation, "InvalidRequest", 400, message)
        for rule in fields["Rules"]:
            name = rule["Destination"]["Bucket"].rpartition(":")[2]
            there = self.world.buckets.get(name)
            if there is None or _versioning(there) != "Enabled":
                message = "Destination bucket must have versioning enabled."
                raise fault(operation, "InvalidRequest", 400, message)

    def _validate_notification(self, operation: str, fields: Mapping[str, Any]) -> None:
        for group, member in _EVENT_ARNS.items():
            for configuration in fields.get(group, ()):
                arn = configuration[member]
                if "s3.amazonaws.com" not in (self.world.event_destinations.get(arn) or ""):
                    message = "Unable to validate the following destination configurations"
                    raise fault(operation, "InvalidArgument", 400, message)


_EVENT_ARNS = {
    "QueueConfigurations": "QueueArn",
    "TopicConfigurations": "TopicArn",
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
}
_EVENT_DESTINATION_OPERATIONS = {
    EventDestinationKind.QUEUE: ("GetQueueAttributes", "SetQueueAttributes"),
    EventDestinationKind.TOPIC: ("GetTopicAttributes", "SetTopicAttributes"),
    EventDestinationKind.FUNCTION: ("GetPolicy", "AddPermission"),
}


def _versioning(bucket: Bucket) -> object:
    return bucket.documents.get(BucketDocument.VERSIONING, {}).get("Status", "")


def _checked_policy(operation: str, text: str, code: str) -> Fields:
    policy = json.loads(text)
    if not isinstance(policy, dict) or not policy.get("Statement"):
        raise fault(operation, code, 400, "a policy needs statements")
    return policy


def _principals(policy: Fields) -> list[str]:
    statements: Any = policy["Statement"]
    principals: list[str] = []
    for statement in statements if isinstance(statements, list) else [statements]:
        named = statement.get("Principal", {})
        arns = named.get("AWS", []) if isinstance(named, dict) else []
        principals += [arns] if isinstance(arns, str) else arns
    return principals


def _merged_statements(current: Any, policy: Any, before: Any) -> list[dict[str, object]]:
    """What Lambda's AddPermission and RemovePermission leave: only what differs is touched."""
    old = {s["Sid"]: s for s in before.get("Statement", [])}
    new = {s["Sid"]: s for s in policy.get("Statement", [])}
    touched = {sid for sid in old.keys() | new.keys() if old.get(sid) != new.get(sid)}
    kept = [s for s in current.get("Statement", []) if s["Sid"] not in touched]
    return kept + [s for sid, s in new.items() if sid in touched]


_S3 = botocore.session.get_session().get_service_model("s3")


def xml_of(document: BucketDocument, fields: Fields) -> str:
    """The body that the SDK would send for a document; raises where the SDK would."""
    form = FORMS[document]
    size_name = "TransitionDefaultMinimumObjectSize"
    more = {size_name: fields[size_name]} if size_name in fields else {}
    body = {name: value for name, value in fields.items() if name not in more}
    request = create_serializer("rest-xml").serialize_to_request(
        {"Bucket": "b", form.parameter: body, **more}, _S3.operation_model(f"Put{form.name}")
    )
    text: str = request["body"].decode()
    return text
