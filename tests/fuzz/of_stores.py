"""Parsers of what S3, S3 Control, SQS, IAM and proxies send, by either client."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from backfill.aws import acl_replies, job_replies, replies
from backfill.aws.calls import FAILURES
from backfill.aws.echoes import cut_echo
from backfill.aws.faults import fault_of_answer
from backfill.aws.lean.answers import AnswerReader
from backfill.aws.lean.documents import error_answer_of, reply_of
from backfill.aws.lean.failures import AnswerGarbledError
from backfill.aws.lean.modelled import modelled_reply
from backfill.aws.lean.readings import CopyReading, HeadReading
from backfill.aws.lean.wire import WireReply
from backfill.aws.mail_words import decoded_words
from backfill.aws.raw_documents import policy_document
from backfill.aws.replies import Reply, ReplyError
from backfill.aws.unmodelled import unmodelled_paths
from backfill.aws.versions_page import RAW_PAGE, _ordinary_page, _page, _read, versions_page
from backfill.aws.watching import _datapoints
from backfill.errors import CampaignError
from backfill.model.attributes import ObjectHead
from backfill.model.store import VersionsPage
from backfill.plan.configuration import parse_configuration
from backfill.policies.conditions import OPERATORS
from backfill.policies.document import PolicyError, parsed
from backfill.policies.patterns import plain
from backfill.policies.quoting import quoted
from backfill.setup.layouts import LIST_KINDS, OddDocumentError, items_of
from backfill.watch.notices import Reading, reading_of
from tests.doubles import replication_events as events
from tests.fuzz.of_disks import CONFIGURATION
from tests.fuzz.parser import Parser

DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
SPACE = b'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
HEADERS = {"x-amz-request-id": "R1", "x-amz-version-id": "v1", "content-type": "application/xml"}
TIME = b"<LastModified>2026-11-22T10:00:00.000Z</LastModified>"
ETAG = b"<ETag>&quot;9a0364b9e99bb480dd25e1f0284c8555&quot;</ETag>"


def _document(root: bytes, *children: bytes) -> bytes:
    return DECLARATION + b"<%b %b>%b</%b>" % (root, SPACE, b"".join(children), root)


ERROR = _document(
    b"Error",
    b"<Code>SlowDown</Code><Message>Please &lt;reduce&gt;</Message><RequestId>Q</RequestId>",
)
XML: Mapping[str, tuple[bytes, Callable[[Reply], object]]] = {
    "CopyObject": (
        _document(b"CopyObjectResult", TIME, ETAG, b"<ChecksumCRC64NVME>AA=</ChecksumCRC64NVME>"),
        lambda reply: replies.write_result(reply, result="CopyObjectResult"),
    ),
    "UploadPartCopy": (
        _document(b"CopyPartResult", ETAG, TIME),
        lambda reply: replies.copied_part(reply, part_number=1),
    ),
    "CreateMultipartUpload": (
        _document(b"InitiateMultipartUploadResult", b"<Key>k&amp;</Key><UploadId>u-1</UploadId>"),
        replies.upload_id,
    ),
    "CompleteMultipartUpload": (
        _document(
            b"CompleteMultipartUploadResult",
            b"<Location>https://b/k</Location>" + ETAG + b"<ChecksumSHA256>A=-2</ChecksumSHA256>",
            b"<ChecksumType>COMPOSITE</ChecksumType>",
        ),
        lambda reply: replies.write_result(reply, result=None),
    ),
    "GetObjectTagging": (
        _document(
            b"Tagging",
            b"<TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value/></Tag></TagSet>",
        ),
        replies.object_tags,
    ),
    "GetObjectAcl": (
        _document(
            b"AccessControlPolicy",
            b"<Owner><ID>o</ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi="
            b'"http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>o</ID>'
            b"</Grantee><Permission>READ</Permission></Grant></AccessControlList>",
        ),
        acl_replies.object_acl,
    ),
    "GetObjectRetention": (
        _document(b"Retention", b"<Mode>GOVERNANCE</Mode>"),
        replies.is_retained,
    ),
    "GetObjectLegalHold": (_document(b"LegalHold", b"<Status>ON</Status>"), replies.is_held),
    "ListParts": (
        _document(
            b"ListPartsResult",
            b"<NextPartNumberMarker>2</NextPartNumberMarker><IsTruncated>true</IsTruncated>",
            b"<Part><PartNumber>1</PartNumber>" + ETAG + b"<Size>5</Size></Part>",
        ),
        replies.parts_page,
    ),
    "RestoreObject": (ERROR, replies.is_restore_begun),
}
"""An answer of each operation that the lean client reads by itself, and what reads the reply."""


def _told(operation: str, status: int) -> Callable[[bytes], object]:
    read = XML[operation][1]
    return lambda data: read(reply_of(operation, WireReply(status, HEADERS, data)))


def _answer(operation: str) -> Parser[object]:
    return Parser(
        name=f"xml-{operation}",
        parse=_told(operation, 200),
        refusals=FAILURES,
        specimens=(XML[operation][0], ERROR),
    )


def _refused(data: bytes) -> object:
    """Make a fault of an error body, as it comes with each of some statuses."""
    return [
        fault_of_answer(
            operation="CopyObject",
            bucket="b",
            answer=error_answer_of(WireReply(status, HEADERS, data)),
        ).code
        for status in (301, 403, 412, 503)
    ]


# --- listings ---

VERSION = (
    b"<Version><Key>a%2Fb+c</Key><VersionId>3</VersionId><IsLatest>true</IsLatest>"
    + TIME
    + ETAG
    + b"<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
    b"<Size>5</Size><StorageClass>STANDARD</StorageClass><Owner><ID>o</ID></Owner></Version>"
)
DELETED = (
    b"<DeleteMarker><Owner><ID>o</ID></Owner><Key>a%2Fb+c</Key><VersionId>2</VersionId>"
    b"<IsLatest>false</IsLatest>" + TIME + b"</DeleteMarker>"
)
PAGE_HEAD = b"<Name>b</Name><EncodingType>url</EncodingType><IsTruncated>%b</IsTruncated>%b"
PAGES = (
    _document(b"ListVersionsResult", PAGE_HEAD % (b"false", b""), VERSION, DELETED, VERSION),
    _document(
        b"ListVersionsResult",
        PAGE_HEAD % (b"true", b"<NextKeyMarker>a%2Fb</NextKeyMarker>"),
        VERSION,
    ),
    _document(b"ListVersionsResult", PAGE_HEAD % (b"false", b"")),
)


def _versions(data: bytes) -> VersionsPage:
    """Read a page; what goes the short way is what the long way says."""
    page = versions_page(data)
    if _ordinary_page(data) is not None:
        slow = _page(_read(data))
        assert (page.entries, page.next_position) == (slow.entries, slow.next_position)
    for entry in page.entries:
        entry.key.encode()
    return page


# --- HTTP ---

HEAD = (
    b"HTTP/1.1 200 OK\r\nx-amz-id-2: i\r\nx-amz-request-id: R\r\nDate: Sun, 22 Nov 2026 10:00:00"
    b" GMT\r\nLast-Modified: Sun, 22 Nov 2026 10:00:00 GMT"
    b'\r\nETag: "9a0364b9e99bb480dd25e1f0284c8555"'
    b"\r\nx-amz-checksum-crc64nvme: AAAAAAAAAAA=\r\nx-amz-checksum-type: FULL_OBJECT"
    b"\r\nx-amz-server-side-encryption: AES256\r\nx-amz-version-id: 3HL4kqtJlcpXroDTDmJ"
    b"\r\nAccept-Ranges: bytes\r\nx-amz-meta-a: =?UTF-8?B?w6k=?=\r\nx-amz-tagging-count: 2"
    b"\r\nx-amz-object-lock-mode: GOVERNANCE"
    b"\r\nx-amz-object-lock-retain-until-date: 2027-01-01T00:00:00.000Z"
    b"\r\nx-amz-replication-status: PENDING\r\nx-amz-mp-parts-count: 2\r\nx-amz-missing-meta: 1"
    b"\r\nExpires: never\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n"
)
PLAIN_HEAD = (
    b"HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 10:00:00 GMT\r\nLast-Modified: Sun, 22 Nov 2026"
    b' 10:00:00 GMT\r\nETag: "9a0364b9e99bb480dd25e1f0284c8555"\r\nx-amz-version-id: 3HL4kqtJ'
    b"\r\nx-amz-meta-a: b c\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n"
)
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nx: y\r\n\r\n"
)
COPIED = XML["CopyObject"][0]
COPY = (
    b"HTTP/1.1 200 OK\r\nx-amz-version-id: 3HL4kqtJ\r\nContent-Type: application/xml\r\n"
    b"Content-Length: %d\r\n\r\n" % len(COPIED)
) + COPIED


def _whole(*pieces: bytes, is_head: bool) -> WireReply | None:
    """Return an answer that came in these pieces; None where it is not whole."""
    reader = AnswerReader()
    reader.begin(is_head=is_head)
    return reader.take() if any(map(reader.feed, pieces)) or reader.end() else None


def _answered(data: bytes) -> WireReply | None:
    """Read an answer at once and in two halves: both are one."""
    found = _whole(data, is_head=False)
    middle = len(data) // 2
    try:
        halved = _whole(data[:middle], data[middle:], is_head=False)
    except AnswerGarbledError:
        return found
    assert found is None or halved is None or found == halved, "cut elsewhere, another answer"
    return found


def _head_of(reply: WireReply) -> ObjectHead:
    head = replies.object_head(reply_of("HeadObject", reply))
    for moment in (head.last_modified, head.lock_retain_until):
        assert moment is None or moment.tzinfo is not None, "a time is a moment anywhere"
    for _, value in (*head.metadata, *head.unmodelled_checksums):
        value.encode()
    return head


def _headed(data: bytes) -> ObjectHead:
    reply = _whole(data, is_head=True)
    if reply is None:
        raise ReplyError("not whole")
    return _head_of(reply)


@cache
def _head_reading() -> HeadReading:
    reading = HeadReading()
    for data in (PLAIN_HEAD, HEAD):
        reply = _whole(data, is_head=True)
        assert reply is not None, "a specimen is whole"
        reading.learn(data, reply)
    assert reading.read(PLAIN_HEAD) is not None, "the short way is taken"
    return reading


@cache
def _copy_reading() -> CopyReading:
    reading = CopyReading()
    reply = _whole(COPY, is_head=False)
    assert reply is not None, "a specimen is whole"
    reading.learn(COPY, reply)
    assert reading.read(COPY) is not None, "the short way is taken"
    return reading


def _in_one_step(data: bytes) -> object:
    """Read an answer to HeadObject or CopyObject the short way; the long way says the same."""
    head, copied = _head_reading().read(data), _copy_reading().read(data)
    assert head is None or head == _headed(data)
    if copied is not None:
        reply = _whole(data, is_head=False)
        assert reply is not None, "what is read in one step is whole"
        told = reply_of("CopyObject", reply)
        assert copied == replies.write_result(told, result="CopyObjectResult")
    return head, copied


# --- JSON and the SDK's structures ---


def _structure(read: Callable[[Any], object]) -> Callable[[bytes], object]:
    """Return what reads a structure as the SDK gives it: mappings, lists, texts, times."""

    def parse(data: bytes) -> object:
        try:
            document = json.loads(data, object_hook=_with_times)
        except (ValueError, RecursionError):
            return None
        return read(document) if isinstance(document, dict) else None

    return parse


def _with_times(document: dict[str, object]) -> dict[str, object]:
    return {name: _time(value) if "Time" in name else value for name, value in document.items()}


def _time(value: object) -> object:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value


JOB = {
    "JobId": "job-1",
    "Status": "Complete",
    "Priority": 10,
    "Description": "d",
    "CreationTime": "2026-11-22T10:00:00+00:00",
    "TerminationTime": "2026-11-22T11:00:00+00:00",
    "ProgressSummary": {"TotalNumberOfTasks": 5, "NumberOfTasksSucceeded": 4},
    "FailureReasons": [{"FailureCode": "c", "FailureReason": "r"}],
    "Operation": {"S3ReplicateObject": {}},
    "Report": {"Enabled": True, "Bucket": "arn:aws:s3:::b", "Prefix": "p"},
}
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "A",
                "Effect": "Allow",
                "Principal": {"AWS": ["arn:aws:iam::111111111111:root", "*"]},
                "Action": "s3:Get*",
                "Resource": ["arn:aws:s3:::b/${aws:username}/*"],
                "Condition": {"StringLike": {"aws:SourceArn": ["a*"]}, "Bool": {"x": True}},
            },
            {"Effect": "Deny", "NotPrincipal": "*", "NotAction": ["s3:*"], "Resource": "*"},
        ],
    }
).encode()
LIFECYCLE = (
    b"<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix>p</Prefix></Filter><Status>Enabled"
    b"</Status><Expiration><Days>5</Days></Expiration><Shiny/></Rule></LifecycleConfiguration>"
)
NOTIFICATION = (
    b"<NotificationConfiguration><QueueConfiguration><Id>i</Id><Queue>arn</Queue><Event>s3:*</Event>"
    b"</QueueConfiguration><EventBridgeConfiguration/></NotificationConfiguration>"
)


@cache
def _shape(operation: str) -> Shape:
    service = ServiceModel(Loader().load_service_model("s3", "service-2"), "s3")
    shape = service.operation_model(operation).output_shape
    assert shape is not None, "every reading of a document has one"
    return shape


def _noticed(data: bytes) -> Reading:
    reading = reading_of(data.decode(errors="replace"), bucket=events.SOURCE)
    for notice in reading.notices:
        "".join(notice).encode()
    return reading


def _compared(data: bytes) -> object:
    """Compare two values by every operator that a policy may name."""
    said, _, wanted = data[:500].decode(errors="surrogateescape").partition("\n")
    told = [operator.compared(said, wanted, None) for operator in OPERATORS.values()]
    assert all(each in (True, False, None) for each in told)
    return told, plain(wanted).covers(said)


def _items(document: dict[str, object]) -> object:
    """Take a document of an account apart as each kind that setup merges into."""
    found = []
    for kind in sorted(LIST_KINDS):
        try:
            found.append(items_of(kind, document))
        except OddDocumentError:
            found.append(())
    return found


def _words(data: bytes) -> str:
    value = data.decode(errors="replace")
    words = decoded_words(value)
    words.encode()
    return words


def _echo_cut(data: bytes) -> object:
    response: dict[str, object] = {"body": data, "status_code": 200}
    cut_echo(response)
    return response["body"]


PARSERS: tuple[Parser[Any], ...] = (
    *map(_answer, XML),
    Parser(name="error-body", parse=_refused, refusals=(), specimens=(ERROR, b"<html></html>")),
    Parser(name="echo", parse=_echo_cut, refusals=(), specimens=(XML["ListParts"][0],)),
    Parser(
        name="xml-GetObjectAttributes",
        parse=lambda data: modelled_reply("GetObjectAttributes", WireReply(200, HEADERS, data)),
        refusals=FAILURES,
        specimens=(
            _document(
                b"GetObjectAttributesOutput",
                b"<ETag>e</ETag><ObjectParts><PartsCount>2</PartsCount></ObjectParts>",
                b"<ObjectSize>5</ObjectSize>",
            ),
            ERROR,
        ),
    ),
    Parser(
        name="versions-page",
        parse=_versions,
        refusals=(ReplyError,),
        specimens=PAGES,
    ),
    Parser(
        name="versions-answer",
        parse=lambda data: reply_of("ListObjectVersions", WireReply(200, HEADERS, data))[RAW_PAGE],
        refusals=(*FAILURES, KeyError),
        specimens=PAGES,
    ),
    Parser(
        name="http-answer",
        parse=_answered,
        refusals=(AnswerGarbledError,),
        specimens=(CHUNKED, HEAD + b"hello", COPY),
    ),
    Parser(name="head", parse=_headed, refusals=FAILURES, specimens=(HEAD, PLAIN_HEAD)),
    Parser(
        name="answer-in-one-step",
        parse=_in_one_step,
        refusals=FAILURES,
        specimens=(PLAIN_HEAD, HEAD, COPY),
    ),
    Parser(
        name="metadata-words",
        parse=_words,
        refusals=(),
        specimens=(b"=?UTF-8?B?w6k=?= =?iso-8859-1?q?a=20b?= c",),
    ),
    Parser(
        name="replication-configuration",
        parse=_structure(parse_configuration),
        refusals=(CampaignError,),
        specimens=(
            json.dumps(CONFIGURATION).encode(),
            json.dumps({"ReplicationConfiguration": CONFIGURATION}).encode(),
        ),
        place="replication configuration",
    ),
    Parser(
        name="bucket-policy",
        parse=lambda data: policy_document(data.decode(errors="replace")),
        refusals=(ReplyError,),
        specimens=(POLICY,),
        place="policy",
    ),
    Parser(name="policy", parse=parsed, refusals=(PolicyError,), specimens=(POLICY,)),
    Parser(
        name="policy-condition",
        parse=_compared,
        refusals=(),
        specimens=(
            b"2026-11-22T10:00:00Z\n1764000000",
            b"10.0.0.1\n10.0.0.0/8",
            b"arn:aws:s3:::b/k\narn:aws:s3:::*/k",
            b"true\nFalse",
            b"AAAA\nAAAA",
        ),
    ),
    Parser(
        name="lifecycle",
        parse=lambda data: unmodelled_paths(data, _shape("GetBucketLifecycleConfiguration")),
        refusals=(ReplyError,),
        specimens=(LIFECYCLE,),
        place="document",
    ),
    Parser(
        name="notification",
        parse=lambda data: unmodelled_paths(data, _shape("GetBucketNotificationConfiguration")),
        refusals=(ReplyError,),
        specimens=(NOTIFICATION,),
        place="document",
    ),
    Parser(
        name="documents-of-an-account",
        parse=_structure(_items),
        refusals=(),
        specimens=(POLICY, json.dumps(CONFIGURATION).encode()),
    ),
    Parser(
        name="job",
        parse=_structure(lambda reply: job_replies.job_description({"Job": reply})),
        refusals=FAILURES,
        specimens=(json.dumps(JOB).encode(),),
    ),
    Parser(
        name="jobs",
        parse=_structure(job_replies.jobs_page),
        refusals=FAILURES,
        specimens=(json.dumps({"Jobs": [{**JOB, "Operation": "S3ReplicateObject"}]}).encode(),),
    ),
    Parser(
        name="metric",
        parse=_structure(_datapoints),
        refusals=FAILURES,
        specimens=(b'{"Timestamps": [], "Values": []}',),
    ),
    Parser(
        name="event",
        parse=_noticed,
        refusals=(),
        specimens=tuple(
            body.encode()
            for body in (
                events.message(events.record("a b+é")),
                events.by_topic(events.message(events.record("k", None, reason=None))),
                events.trial_event(),
            )
        ),
    ),
    Parser(
        name="quoted-name",
        parse=lambda data: quoted(data.decode(errors="surrogateescape")),
        refusals=(),
        specimens=(b"Sid one",),
    ),
)
