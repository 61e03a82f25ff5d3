"""Whole answers become the replies and errors that botocore makes of the same bytes."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Final, cast

import pytest
from botocore.awsrequest import HeadersDict
from botocore.exceptions import ClientError
from botocore.handlers import _handle_200_error  # type: ignore[attr-defined] # not in stubs
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import ResponseParserError, RestXMLParser
from hypothesis import example, given
from hypothesis import strategies as st

from backfill.aws import acl_replies, replies
from backfill.aws.echoes import ECHOING, cut_echo
from backfill.aws.faults import fault_of_answer
from backfill.aws.lean.documents import reply_of
from backfill.aws.lean.wire import WireReply
from backfill.aws.replies import Reply, ReplyError
from backfill.aws.versions_page import RAW_PAGE
from backfill.errors import StoreFault

HEADERS: Final = {
    "x-amz-request-id": "R1",
    "x-amz-id-2": "H1",
    "x-amz-version-id": "v1",
    "x-amz-bucket-region": "eu-west-1",
    "retry-after": "7",
    "content-type": "application/xml",
}
DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
SPACE: Final = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
COPIED: Final = (
    f"{DECLARATION}<CopyObjectResult {SPACE}><LastModified>2026-11-22T10:00:00.000Z</LastModified>"
    "<ETag>&quot;e-2&quot;</ETag><ChecksumCRC64NVME>AAAA+/A=</ChecksumCRC64NVME>"
    "<ChecksumType>FULL_OBJECT</ChecksumType></CopyObjectResult>"
)
ERROR: Final = (
    f"{DECLARATION}<Error><Code>SlowDown</Code><Message>Please reduce &lt;it&gt;</Message>"
    "<Region>eu-west-1</Region><RequestTime>a</RequestTime><ServerTime>b</ServerTime>"
    "<RequestId>R2</RequestId><HostId>H2</HostId></Error>"
)
PART: Final = (
    f"{DECLARATION}<CopyPartResult {SPACE}><ETag>&quot;p&quot;</ETag>"
    "<LastModified>2026-11-22T10:00:00.000Z</LastModified><ChecksumSHA256>S=</ChecksumSHA256>"
    "</CopyPartResult>"
)
CREATED: Final = (
    f"{DECLARATION}<InitiateMultipartUploadResult {SPACE}><Bucket>b</Bucket><Key>k&amp;é</Key>"
    "<UploadId>u-1</UploadId></InitiateMultipartUploadResult>"
)
COMPLETED: Final = (
    f"{DECLARATION}<CompleteMultipartUploadResult {SPACE}><Location>https://b/k</Location>"
    "<Bucket>b</Bucket><Key>k</Key><ETag>&quot;e-2&quot;</ETag><ChecksumSHA256>A=-2</ChecksumSHA256>"
    "<ChecksumType>COMPOSITE</ChecksumType><VersionId>forged</VersionId>"
    "</CompleteMultipartUploadResult>"
)
TAGS: Final = (
    f"{DECLARATION}<Tagging {SPACE}><TagSet><Tag><Key>é</Key><Value>a&amp;b</Value></Tag>"
    "<Tag><Key>a</Key><Value></Value></Tag></TagSet></Tagging>"
)
ACL: Final = (
    f"{DECLARATION}<AccessControlPolicy {SPACE}><Owner><ID>o</ID></Owner><AccessControlList><Grant>"
    '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">'
    "<ID>o</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList>"
    "</AccessControlPolicy>"
)
RETENTION: Final = (
    f"{DECLARATION}<Retention {SPACE}><Mode>GOVERNANCE</Mode>"
    "<RetainUntilDate>2027-01-01T00:00:00.000Z</RetainUntilDate></Retention>"
)
HOLD: Final = f"{DECLARATION}<LegalHold {SPACE}><Status>ON</Status></LegalHold>"

PARTS: Final = (
    f"{DECLARATION}<ListPartsResult {SPACE}><Bucket>b</Bucket><Key>k</Key><UploadId>u</UploadId>"
    "<Owner><ID>o</ID></Owner><NextPartNumberMarker>2</NextPartNumberMarker><MaxParts>2</MaxParts>"
    "<IsTruncated>true</IsTruncated><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>"
    "<Part><PartNumber>1</PartNumber><LastModified>2026-11-22T10:00:00.000Z</LastModified>"
    "<ETag>&quot;p&quot;</ETag><Size>5</Size><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>"
    "<Part><PartNumber>2</PartNumber><ETag>&quot;q&quot;</ETag><Size>0</Size></Part>"
    "</ListPartsResult>"
)

PARSERS: Final[Mapping[str, Callable[[Reply], object]]] = {
    "CopyObject": lambda reply: replies.write_result(reply, result="CopyObjectResult"),
    "UploadPartCopy": lambda reply: replies.copied_part(reply, part_number=1),
    "CreateMultipartUpload": replies.upload_id,
    "CompleteMultipartUpload": lambda reply: replies.write_result(reply, result=None),
    "GetObjectTagging": replies.object_tags,
    "GetObjectAcl": acl_replies.object_acl,
    "GetObjectRetention": replies.is_retained,
    "GetObjectLegalHold": replies.is_held,
    "ListParts": replies.parts_page,
    "DeleteObject": replies.marker_result,
    "AbortMultipartUpload": lambda reply: reply and "done",
}
GOOD: Final = {
    "CopyObject": COPIED,
    "UploadPartCopy": PART,
    "CreateMultipartUpload": CREATED,
    "CompleteMultipartUpload": COMPLETED,
    "GetObjectTagging": TAGS,
    "GetObjectAcl": ACL,
    "GetObjectRetention": RETENTION,
    "GetObjectLegalHold": HOLD,
    "ListParts": PARTS,
    "DeleteObject": "",
    "AbortMultipartUpload": "",
}


@cache
def operation_model(operation: str) -> OperationModel:
    description = Loader().load_service_model("s3", "service-2", api_version="2006-03-01")
    return ServiceModel(description, "s3").operation_model(operation)


def botocore_reply(operation: str, answer: WireReply) -> Reply:
    """What the SDK does with an answer, and our handler before it, without the SDK's sending."""
    response: dict[str, object] = {
        "status_code": answer.status,
        "headers": HeadersDict(answer.headers),
        "body": answer.body,
    }
    if operation in ECHOING:
        cut_echo(response)
    model = operation_model(operation)
    _handle_200_error(model, response)
    assert model.output_shape is not None
    parsed = RestXMLParser().parse(response, model.output_shape)
    if cast("int", response["status_code"]) >= 300:
        raise ClientError(parsed, operation)
    return cast("Reply", parsed)


def told(operation: str, make: Callable[[str, WireReply], Reply], answer: WireReply) -> object:
    """The typed result of an answer, or what the fault says."""
    try:
        return PARSERS[operation](make(operation, answer))
    except ClientError as error:
        fault = fault_of_answer(
            operation=operation, bucket="b", answer=cast("Mapping[str, object]", error.response)
        )
        return [getattr(fault, name) for name in ("code", "status", "message", "retry_after_s")]
    # What `calls` makes UnreadableReply of; the SDK's kinds of it are one to the fault table.
    except (ReplyError, ResponseParserError):
        return ReplyError
    except ValueError as error:
        return type(error) if type(error) is not ValueError else ReplyError


def agreed(operation: str, answer: WireReply) -> object:
    ours = told(operation, reply_of, answer)
    assert ours == told(operation, botocore_reply, answer)
    return ours


BODIES: Final = {
    "an error": ERROR.encode(),
    "an error of few words": b"<Error><Code>AccessDenied</Code></Error>",
    "an error without a code": b"<Error><Message>m</Message></Error>",
    "an error with an empty code": b"<Error><Code/><Message>m</Message></Error>",
    "an error in a wrapper": b"<R><Error><Code>C</Code></Error><RequestId>Q</RequestId></R>",
    "nothing": b"",
    "white space": b" \n ",
    "a proxy's page": b"<html><body>Bad gateway</body></html>",
    "a proxy's sloppy page": b"<html><body><br>Bad gateway</html>",
    "garbage": b"\x00\xff\x80 garbage",
    "a cut document": COPIED.encode()[:-30],
    "a cut error": ERROR.encode()[:-30],
    "a document after a document": COPIED.encode() * 2,
    "another root": b"<Other><ETag>&quot;e&quot;</ETag><UploadId>u</UploadId></Other>",
    "an empty root": b"<Other/>",
}


@pytest.mark.parametrize("operation", GOOD)
def test_an_ordinary_success_is_read_as_the_sdk_reads_it(operation: str) -> None:
    """Two clients, one journal: a result that differs is a copy that one of them doubts."""
    status = 204 if operation in ("DeleteObject", "AbortMultipartUpload") else 200
    marked = HEADERS | {"x-amz-delete-marker": "true"}
    result = agreed(operation, WireReply(status, marked, GOOD[operation].encode()))
    assert result not in ("", ReplyError)
    assert not isinstance(result, list)


@pytest.mark.parametrize("status", [200, 301, 304, 400, 403, 404, 409, 412, 500, 501, 502, 503])
@pytest.mark.parametrize("operation", GOOD)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_anything_else_ends_as_with_the_sdk(operation: str, status: int, body: bytes) -> None:
    """The fault table was written for the SDK's codes and statuses."""
    agreed(operation, WireReply(status, HEADERS, body))


@pytest.mark.parametrize("status", [301, 400, 403, 404, 412, 500, 503])
def test_a_head_without_a_body_has_its_status_for_a_code(status: int) -> None:
    """`object_store` asks again where such a code hides the reason."""
    with pytest.raises(ClientError) as caught:
        reply_of("HeadObject", WireReply(status, HEADERS, b""))
    assert caught.value.response["Error"]["Code"] == str(status)
    with pytest.raises(ClientError) as botocores:
        botocore_reply("HeadObject", WireReply(status, HEADERS, b""))
    assert caught.value.response["Error"] == botocores.value.response["Error"]


TEXTS = st.text(st.sampled_from("aZ09 -+/=\"'é\u2028<>&]\t\n\r"), max_size=6)
VALUES = st.one_of(
    TEXTS,
    st.sampled_from(
        ["&quot;e&quot;", "&amp;", "&#60;", "<![CDATA[x]]>", "<!-- c -->e", "]]>", "&x;"]
    ),
)
NAMES = st.sampled_from(
    ["ETag", "ChecksumType", "ChecksumCRC32", "ChecksumSHA512", "UploadId", "Mode", "Status", "Key"]
)


@given(
    st.sampled_from(sorted(set(GOOD) - {"GetObjectAcl", "GetObjectTagging"})),
    st.sampled_from(["", DECLARATION, '<?xml version="1.0"?>', "<?xml version='1.0'?>\n"]),
    st.sampled_from(["", f" {SPACE}", ' a="b"', " a=b", ' xmlns=""', ' xmlns="&quot;"']),
    st.dictionaries(NAMES, VALUES, max_size=4),
    st.sampled_from(["", "\n", " x", "<a/>"]),
)
@example("CopyObject", "", "", {"ETag": "a\rb"}, "")
@example("CopyObject", "", "", {"ETag": "&quot;a&quot;"}, "")
@example("CompleteMultipartUpload", "", "", {"Key": "&"}, "")
def test_every_spelling_of_a_document_is_read_as_the_sdk_reads_it(
    operation: str, declaration: str, attribute: str, texts: dict[str, str], end: str
) -> None:
    """The fast pattern may know fewer spellings than expat, never more."""
    inner = "".join(f"<{name}>{text}</{name}>" for name, text in texts.items())
    body = f"{declaration}<Result{attribute}>{inner}</Result>{end}".encode()
    agreed(operation, WireReply(200, HEADERS, body))


# dateutil, which reads odd times for botocore, warns of zones that it does not know.
@pytest.mark.filterwarnings("ignore::dateutil.parser.UnknownTimezoneWarning")
@given(st.integers(0, len(COPIED) - 1), st.integers(0, 255))
def test_one_wrong_byte_ends_as_with_the_sdk(position: int, byte: int) -> None:
    """From the neighbourhood of a good answer, where a sloppy pattern would be caught."""
    body = bytearray(COPIED.encode())
    body[position] = byte
    agreed("CopyObject", WireReply(200, HEADERS, bytes(body)))


HOSTILE: Final = {
    "entities": b'<!DOCTYPE r [<!ENTITY a "b">]><r><ETag>&a;</ETag></r>',
    "an external entity": b'<!DOCTYPE r SYSTEM "http://127.0.0.1/x"><r><ETag>e</ETag></r>',
    "a document type alone": b"<!DOCTYPE r><CopyObjectResult><ETag>e</ETag></CopyObjectResult>",
    "a bomb": b'<!DOCTYPE r [<!ENTITY a "'
    + b"x" * 9
    + b'">'
    + b"".join(
        b'<!ENTITY %c "&%c;&%c;&%c;&%c;">' % (97 + n, 96 + n, 96 + n, 96 + n, 96 + n)
        for n in range(1, 20)
    )
    + b"]><r>&t;</r>",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_document_type_is_no_answer(body: bytes) -> None:
    """Entities can name files and hosts, and grow without end."""
    with pytest.raises(ClientError) as caught:
        reply_of("CopyObject", WireReply(200, HEADERS, body))
    assert caught.value.response["Error"]["Code"] == "500"


def test_white_space_that_kept_the_connection_open_is_no_part_of_the_answer() -> None:
    """CompleteMultipartUpload sends it for minutes; the upload is complete all the same."""
    reply = reply_of(
        "CompleteMultipartUpload", WireReply(200, HEADERS, b" \n" + COMPLETED.encode())
    )
    result = replies.write_result(reply, result=None)
    assert (result.etag, result.version_id) == ("e-2", "v1")


def test_a_page_of_versions_is_kept_whole_for_its_own_reader() -> None:
    """Only its raw bytes tell the order of versions and markers."""
    page = f"{DECLARATION}<ListVersionsResult {SPACE}></ListVersionsResult>".encode()
    assert reply_of("ListObjectVersions", WireReply(200, HEADERS, page))[RAW_PAGE] == page
    with pytest.raises(ClientError):
        reply_of("ListObjectVersions", WireReply(200, HEADERS, ERROR.encode()))


def test_a_copy_is_dated_in_utc() -> None:
    """The journal compares it with what the listing says."""
    result = agreed("CopyObject", WireReply(200, HEADERS, COPIED.encode()))
    assert getattr(result, "last_modified", None) == datetime.fromisoformat("2026-11-22T10:00:00Z")


def test_a_time_that_is_none_is_no_answer() -> None:
    """The SDK raises a plain ValueError here, which is no fault."""
    body = COPIED.replace("2026-11-22T10", "yesterday").encode()
    with pytest.raises(ReplyError):
        reply_of("CopyObject", WireReply(200, HEADERS, body))


def test_an_element_that_comes_twice_is_refused() -> None:
    """Which of two ETags is the copy's is a guess."""
    body = b"<CopyObjectResult><ETag>a</ETag><ETag>b</ETag></CopyObjectResult>"
    with pytest.raises(ReplyError):
        reply_of("CopyObject", WireReply(200, HEADERS, body))


def test_a_store_fault_can_be_made_of_every_error() -> None:
    """It is what the stages know of an error."""
    with pytest.raises(ClientError) as caught:
        reply_of("CopyObject", WireReply(200, HEADERS, ERROR.encode()))
    answer = cast("Mapping[str, object]", caught.value.response)
    fault = fault_of_answer(operation="CopyObject", bucket="b", answer=answer)
    assert isinstance(fault, StoreFault)
    assert (fault.code, fault.status, fault.retry_after_s) == ("SlowDown", 500, 7.0)
    assert "request ID R1" in fault.message


@pytest.mark.parametrize("echo", [b"\x01", b"&#x1;", b"a\x00b", b"\xff", b"&#xFFFE;"])
def test_a_key_that_xml_cannot_hold_hides_no_upload(echo: bytes) -> None:
    """Such a key could not be copied in parts, and each try would leave an upload behind."""
    body = (
        b"<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>" + echo + b"</Key>"
        b"<UploadId>u-1</UploadId></InitiateMultipartUploadResult>"
    )
    reply = reply_of("CreateMultipartUpload", WireReply(200, {}, body))
    assert replies.upload_id(reply) == "u-1"


def test_what_is_no_document_but_for_its_key_stays_an_error() -> None:
    """An upload's ID that is garbled is another upload's, or none."""
    body = (
        b"<InitiateMultipartUploadResult><Key>\x01</Key>"
        b"<UploadId>u\x01</UploadId></InitiateMultipartUploadResult>"
    )
    with pytest.raises(ClientError):
        reply_of("CreateMultipartUpload", WireReply(200, {}, body))
