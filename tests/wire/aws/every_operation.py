"""One call of every operation that the product sends, by the adapter that sends it, as data.

`before` are the answers to what the adapter asks besides. Reads are asked once here, so that one
call is one request, and what comes back is the fault of that request.
Law: which operation an act is about, and whether it writes, is said by hand.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from backfill.aws.accounts_writing import AwsAccountWriter
from backfill.aws.batch_bucket import S3BatchBucket
from backfill.aws.batch_operations import S3BatchOperations
from backfill.aws.calls import Calls
from backfill.aws.canary_store import S3CanaryStore
from backfill.aws.control_plane import S3ControlPlane
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.retry import ReadRetries
from backfill.aws.run_store import S3RunStore
from backfill.aws.watching import AwsWatching
from backfill.model.accounts import BucketDocument, MetricQuery, QueueMessage, SimulationRequest
from backfill.model.attributes import Encryption, EncryptionKind
from backfill.model.jobs import JobPlace, RequestedStatus
from backfill.model.store import RestoreRequest
from tests.unit.aws.test_job_requests import REPLICATE
from tests.wire.aws import operations
from tests.wire.aws.operations import KEY, SOURCE, VERSION
from tests.wire.aws.raw_server import Action, Seen, answer

ACCOUNT = "111111111111"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:events"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:events"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:events"
KMS_KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k"
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/p"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
JOBS = JobPlace(account_id=ACCOUNT, region="us-east-1")
JOB_ID = "0a1b2c3d-job"
_NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
_METRIC = MetricQuery(
    region="us-east-1", name="ReplicationLatency", dimensions=(("RuleId", "r"),), statistic="Sum"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """All adapters over the calls of one identity."""

    store: S3ObjectStore
    control: S3ControlPlane
    batch: S3BatchOperations
    batch_bucket: S3BatchBucket
    run_store: S3RunStore
    canary: S3CanaryStore
    writer: AwsAccountWriter
    watching: AwsWatching
    file: Path
    """Something to upload."""


def adapters(calls: Calls, retries: ReadRetries, file: Path) -> Adapters:
    """Return them, with nothing remembered yet."""
    return Adapters(
        store=S3ObjectStore(calls),
        control=S3ControlPlane(calls),
        batch=S3BatchOperations(calls, retries),
        batch_bucket=S3BatchBucket(calls, retries),
        run_store=S3RunStore(calls, retries, SOURCE, Encryption(kind=EncryptionKind.SSE_S3)),
        canary=S3CanaryStore(calls),
        writer=AwsAccountWriter(calls, retries),
        watching=AwsWatching(calls, retries),
        file=file,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A call whose `operation` meets a fault; `note` tells acts of one operation apart.

    `has_result`: whether success is read from the answer's body or headers, so that an empty 200 is
    none. `settles`: what may have been done is looked for by the adapter itself, with HeadObject.
    """

    operation: str
    call: Callable[[Adapters], Awaitable[object]]
    service: str = "s3"
    note: str = ""
    is_write: bool = False
    has_result: bool = True
    settles: bool = False
    is_lean: bool = False
    """Whether the lean client sends it; all else goes by the SDK whichever client is named."""
    before: Mapping[str, Action] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name in a report."""
        return f"{self.operation} ({self.note})" if self.note else self.operation


async def _drained(stream: AsyncIterator[object]) -> int:
    return len([item async for item in stream])


# --- the data plane ---


def _store_act(name: str, call: Callable[[S3ObjectStore, str], Awaitable[object]]) -> Act:
    operation, _, note = name.partition(" ")
    return Act(
        operation=operation,
        note=note.strip("()"),
        call=lambda on: call(on.store, KEY),
        is_write=name in operations.WRITES,
        has_result=operation not in ("GetObject", "AbortMultipartUpload"),
        is_lean=True,
    )


_RESTORE = RestoreRequest(place=SOURCE, key=KEY, version_id=VERSION, tier="Bulk", days=3)
_DATA = (
    *(_store_act(name, call) for name, call in operations.OPERATIONS.items()),
    # Whether a restore begins is told by the status alone.
    Act(
        operation="RestoreObject",
        call=lambda on: on.store.restore_object(_RESTORE),
        is_write=True,
        has_result=False,
    ),
    Act(
        operation="PutObject",
        note="head of a run",
        call=lambda on: on.run_store.write_head("p/head.json", b"{}", replaces=None),
        is_write=True,
    ),
    Act(
        operation="PutObject",
        note="canary",
        call=lambda on: on.canary.put_canary(SOURCE, KEY, b"c", tags=(), metadata={}),
        is_write=True,
    ),
    Act(
        operation="PutObject",
        note="manifest",
        call=lambda on: on.batch_bucket.put_file(
            SOURCE, KEY, on.file, encryption=Encryption(kind=EncryptionKind.SSE_S3)
        ),
        is_write=True,
        settles=True,
    ),
    Act(
        operation="PutObject",
        note="document of a run",
        call=lambda on: on.run_store.put_bytes("p/1/a.json", b"{}"),
        is_write=True,
        settles=True,
    ),
    Act(
        operation="GetObject",
        note="head of a run",
        call=lambda on: on.run_store.read_head("p/head.json"),
        is_lean=True,
    ),
    Act(
        operation="GetObject",
        note="completion report",
        call=lambda on: _drained(on.batch_bucket.read_file(SOURCE, KEY)),
        has_result=False,
        is_lean=True,
    ),
)


# --- buckets ---

_FIELDS: Mapping[BucketDocument, Mapping[str, object]] = {
    BucketDocument.REPLICATION: {"Role": ROLE, "Rules": []},
    BucketDocument.POLICY: {"Statement": []},
    BucketDocument.NOTIFICATION: {},
    BucketDocument.VERSIONING: {"Status": "Enabled"},
    BucketDocument.ENCRYPTION: {"Rules": []},
    BucketDocument.OWNERSHIP: {"Rules": []},
    BucketDocument.OBJECT_LOCK: {"ObjectLockEnabled": "Enabled"},
    BucketDocument.LIFECYCLE: {"Rules": []},
    BucketDocument.PUBLIC_ACCESS_BLOCK: {"BlockPublicAcls": True},
    BucketDocument.REQUEST_PAYMENT: {"Payer": "BucketOwner"},
}
_NAMES = {
    BucketDocument.REPLICATION: "BucketReplication",
    BucketDocument.POLICY: "BucketPolicy",
    BucketDocument.NOTIFICATION: "BucketNotificationConfiguration",
    BucketDocument.VERSIONING: "BucketVersioning",
    BucketDocument.ENCRYPTION: "BucketEncryption",
    BucketDocument.OWNERSHIP: "BucketOwnershipControls",
    BucketDocument.OBJECT_LOCK: "ObjectLockConfiguration",
    BucketDocument.LIFECYCLE: "BucketLifecycleConfiguration",
    BucketDocument.PUBLIC_ACCESS_BLOCK: "PublicAccessBlock",
    BucketDocument.REQUEST_PAYMENT: "BucketRequestPayment",
}
_DELETABLE = (
    BucketDocument.REPLICATION,
    BucketDocument.POLICY,
    BucketDocument.ENCRYPTION,
    BucketDocument.OWNERSHIP,
    BucketDocument.PUBLIC_ACCESS_BLOCK,
)


def _read_document(document: BucketDocument) -> Act:
    return Act(
        operation=f"Get{_NAMES[document]}",
        note="document",
        call=lambda on: on.writer.bucket_document(SOURCE, document),
    )


def _put_document(document: BucketDocument) -> Act:
    return Act(
        operation=f"Put{_NAMES[document]}",
        call=lambda on: on.writer.put_bucket_document(SOURCE, document, _FIELDS[document]),
        is_write=True,
        has_result=False,
    )


def _delete_document(document: BucketDocument) -> Act:
    return Act(
        operation=f"Delete{_NAMES[document]}",
        call=lambda on: on.writer.delete_bucket_document(SOURCE, document),
        is_write=True,
        has_result=False,
    )


OWNERSHIP = answer(
    200,
    b"<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>"
    b"</OwnershipControls>",
)
_FACTS = {
    "GetBucketOwnershipControls": OWNERSHIP,
    "GetBucketVersioning": answer(200, b"<VersioningConfiguration/>"),
    "GetObjectLockConfiguration": answer(200, b"<ObjectLockConfiguration/>"),
    "GetBucketAcl": answer(
        200, b"<AccessControlPolicy><Owner><ID>o</ID></Owner></AccessControlPolicy>"
    ),
    "GetPublicAccessBlock": answer(200, b"<PublicAccessBlockConfiguration/>"),
}


def _fact(operation: str) -> Act:
    """An act about one of the questions that together make a bucket's facts."""
    return Act(
        operation=operation,
        note="facts",
        call=lambda on: on.control.bucket_facts(SOURCE),
        before={name: said for name, said in _FACTS.items() if name != operation},
    )


_REGION = {"HeadBucket": answer(200, headers=(("x-amz-bucket-region", "us-east-1"),))}


def _head(note: str, call: Callable[[Adapters], Awaitable[object]]) -> Act:
    return Act(operation="HeadBucket", note=note, call=call, has_result=False)


_BUCKETS = (
    _head("region", lambda on: on.control.bucket_region("b")),
    _head("owner", lambda on: on.control.require_owner(SOURCE)),
    _head("is there", lambda on: on.writer.has_bucket(SOURCE)),
    Act(operation="GetBucketVersioning", call=lambda on: on.control.versioning(SOURCE)),
    Act(
        operation="GetBucketReplication",
        call=lambda on: on.control.replication_configuration("b", ACCOUNT),
        before=_REGION,
    ),
    Act(
        operation="GetObjectLockConfiguration",
        note="retention",
        call=lambda on: on.control.has_default_retention(SOURCE),
    ),
    *(_fact(operation) for operation in _FACTS),
    Act(
        operation="CreateBucket",
        call=lambda on: on.writer.create_bucket(SOURCE, has_object_lock=False),
        is_write=True,
        has_result=False,
    ),
    *(_read_document(document) for document in BucketDocument),
    *(_put_document(document) for document in BucketDocument),
    *(_delete_document(document) for document in _DELETABLE),
)


# --- jobs, identities, keys, queues, topics, functions, metrics ---


def _job(operation: str, call: Callable[[S3BatchOperations], Awaitable[object]]) -> Act:
    return Act(
        operation=operation,
        service="s3control",
        call=lambda on: call(on.batch),
        is_write=not operation.startswith(("Get", "List", "Describe")),
    )


_JOBS = (
    _job("CreateJob", lambda batch: batch.create_job(REPLICATE)),
    _job("DescribeJob", lambda batch: batch.describe_job(JOBS, JOB_ID)),
    _job("ListJobs", lambda batch: _drained(batch.list_jobs(JOBS))),
    _job("GetJobTagging", lambda batch: batch.job_tags(JOBS, JOB_ID)),
    _job(
        "UpdateJobStatus",
        lambda batch: batch.update_job_status(JOBS, JOB_ID, RequestedStatus.READY, reason="r"),
    ),
    _job("UpdateJobPriority", lambda batch: batch.update_job_priority(JOBS, JOB_ID, 7)),
)


def query_answer(operation: str, inside: str) -> Action:
    """Return a success of a service that speaks in queries."""
    named = f"{operation}Result"
    body = f"<{operation}Response><{named}>{inside}</{named}></{operation}Response>"
    return answer(200, body.encode())


_ROLE_XML = (
    f"<Role><Arn>{ROLE}</Arn><RoleName>r</RoleName><Path>/</Path>"
    "<AssumeRolePolicyDocument>%7B%7D</AssumeRolePolicyDocument></Role>"
)
_GET_ROLE = {"GetRole": query_answer("GetRole", _ROLE_XML)}
_NO_INLINE = _GET_ROLE | {"ListRolePolicies": query_answer("ListRolePolicies", "<PolicyNames/>")}
_ONE_INLINE = _GET_ROLE | {
    "ListRolePolicies": query_answer(
        "ListRolePolicies", "<PolicyNames><member>p</member></PolicyNames>"
    )
}
_ONE_ATTACHED = _NO_INLINE | {
    "ListAttachedRolePolicies": query_answer(
        "ListAttachedRolePolicies",
        f"<AttachedPolicies><member><PolicyArn>{POLICY}</PolicyArn></member></AttachedPolicies>",
    )
}
_ITS_VERSION = _ONE_ATTACHED | {
    "GetPolicy": query_answer(
        "GetPolicy", "<Policy><DefaultVersionId>v1</DefaultVersionId></Policy>"
    )
}
_SIMULATION = SimulationRequest(
    principal_arn=ROLE, actions=("s3:GetObject",), resource_arn="arn:aws:s3:::b/*"
)


def _iam(
    operation: str,
    call: Callable[[AwsAccountWriter], Awaitable[object]],
    before: Mapping[str, Action] | None = None,
) -> Act:
    is_write = not operation.startswith(("Get", "List", "Simulate"))
    return Act(
        operation=operation,
        service="iam",
        call=lambda on: call(on.writer),
        before=before or {},
        is_write=is_write,
        has_result=operation in ("GetRole", "GetRolePolicy", "GetPolicy", "GetPolicyVersion")
        or operation == "CreateRole",
    )


_IDENTITIES = (
    Act(
        operation="GetCallerIdentity",
        service="sts",
        note="account",
        call=lambda on: on.control.account_id(),
    ),
    Act(
        operation="GetCallerIdentity",
        service="sts",
        note="caller",
        call=lambda on: on.writer.caller(),
    ),
    _iam("GetRole", lambda writer: writer.role("r")),
    _iam("ListRolePolicies", lambda writer: writer.role("r"), _GET_ROLE),
    _iam("GetRolePolicy", lambda writer: writer.role("r"), _ONE_INLINE),
    _iam("ListAttachedRolePolicies", lambda writer: writer.role("r"), _NO_INLINE),
    _iam("GetPolicy", lambda writer: writer.role("r"), _ONE_ATTACHED),
    _iam("GetPolicyVersion", lambda writer: writer.role("r"), _ITS_VERSION),
    _iam("SimulatePrincipalPolicy", lambda writer: writer.simulated(_SIMULATION)),
    _iam(
        "CreateRole",
        lambda writer: writer.create_role("r", path="/", trust="{}", description="d", tags={}),
    ),
    _iam("UpdateAssumeRolePolicy", lambda writer: writer.put_role_trust("r", "{}")),
    _iam("PutRolePolicy", lambda writer: writer.put_role_policy("r", "p", "{}")),
    _iam("DeleteRolePolicy", lambda writer: writer.delete_role_policy("r", "p")),
    _iam("DeleteRole", lambda writer: writer.delete_role("r")),
)

_URL = {"GetQueueUrl": answer(200, b'{"QueueUrl": "http://127.0.0.1/q"}')}
_STATEMENT = {
    "Sid": "s",
    "Effect": "Allow",
    "Principal": {"Service": "s3.amazonaws.com"},
    "Action": "lambda:InvokeFunction",
    "Resource": FUNCTION,
    "Condition": {},
}
_ONE_STATEMENT = {"Statement": [_STATEMENT]}
_NO_POLICY = {
    "GetPolicy": answer(404, b"{}", headers=(("x-amzn-errortype", "ResourceNotFoundException"),))
}


def _destination(
    operation: str, arn: str, before: Mapping[str, Action], *, has_result: bool = False
) -> Act:
    """An act about the policy of a queue, topic or function as it is read."""
    return Act(
        operation=operation,
        note="" if operation != "GetPolicy" else "function",
        service=arn.split(":")[2],
        call=lambda on: on.writer.event_destination_policy(arn),
        before=before,
        has_result=has_result,
    )


def _put_destination(
    operation: str,
    arn: str,
    policy: Mapping[str, object] | None,
    *,
    old: Mapping[str, object] | None = None,
    before: Mapping[str, Action] | None = None,
) -> Act:
    return Act(
        operation=operation,
        service=arn.split(":")[2],
        call=lambda on: on.writer.put_event_destination_policy(arn, policy, before=old),
        before=before or {},
        is_write=True,
        has_result=False,
    )


_MESSAGE = QueueMessage(body="{}", receipt="handle")

_OTHERS = (
    Act(operation="DescribeKey", service="kms", call=lambda on: on.writer.kms_key(KMS_KEY)),
    Act(operation="GetKeyPolicy", service="kms", call=lambda on: on.writer.key_policy(KMS_KEY)),
    Act(
        operation="PutKeyPolicy",
        service="kms",
        call=lambda on: on.writer.put_key_policy(KMS_KEY, "{}"),
        is_write=True,
        has_result=False,
    ),
    _destination("GetQueueUrl", QUEUE, {}, has_result=True),
    _destination("GetQueueAttributes", QUEUE, _URL),
    _put_destination("SetQueueAttributes", QUEUE, {}, before=_URL),
    Act(
        operation="CreateQueue",
        service="sqs",
        call=lambda on: on.writer.create_queue(QUEUE, retention_s=3600, tags={}),
        is_write=True,
        has_result=False,
    ),
    Act(
        operation="ReceiveMessage",
        service="sqs",
        call=lambda on: on.watching.receive(QUEUE, wait_s=0),
        before=_URL,
        has_result=False,
    ),
    Act(
        operation="DeleteMessageBatch",
        service="sqs",
        call=lambda on: on.watching.delete(QUEUE, [_MESSAGE]),
        before=_URL,
        is_write=True,
        has_result=False,
    ),
    _destination("GetTopicAttributes", TOPIC, {}),
    _put_destination("SetTopicAttributes", TOPIC, {}),
    _destination("GetPolicy", FUNCTION, {}, has_result=True),
    _destination("GetFunctionConfiguration", FUNCTION, _NO_POLICY),
    _put_destination("AddPermission", FUNCTION, _ONE_STATEMENT),
    _put_destination("RemovePermission", FUNCTION, {}, old=_ONE_STATEMENT),
    Act(
        operation="GetMetricData",
        service="cloudwatch",
        call=lambda on: on.watching.metric(_METRIC, start=_NOON, end=_NOON),
        has_result=False,
    ),
)

ACTS = (*_DATA, *_BUCKETS, *_JOBS, *_IDENTITIES, *_OTHERS)


# --- what a request is for, read from its bytes ---

_WORDS = {
    "replication": "BucketReplication",
    "policy": "BucketPolicy",
    "notification": "BucketNotificationConfiguration",
    "versioning": "BucketVersioning",
    "encryption": "BucketEncryption",
    "ownershipControls": "BucketOwnershipControls",
    "object-lock": "ObjectLockConfiguration",
    "lifecycle": "BucketLifecycleConfiguration",
    "publicAccessBlock": "PublicAccessBlock",
    "requestPayment": "BucketRequestPayment",
    "acl": "BucketAcl",
}


def asked_operation(seen: Seen) -> str:
    """Return the operation of a request that stands in some `before`; empty for others."""
    if target := seen.headers.get("x-amz-target"):
        return target.rpartition(".")[2]
    if seen.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(seen.body.decode()))["Action"]
    parts = urlsplit(seen.target.decode())
    if parts.path.startswith("/2015-03-31/functions/"):
        return "GetPolicy" if parts.path.endswith("/policy") else "GetFunctionConfiguration"
    if seen.method == "HEAD":
        return "HeadBucket" if parts.path.count("/") == 1 else "HeadObject"
    is_of_bucket = parts.path.count("/") == 1
    word = parts.query.partition("=")[0].partition("&")[0]
    if is_of_bucket and word in _WORDS:
        return f"{seen.method.title()}{_WORDS[word]}"
    return ""
