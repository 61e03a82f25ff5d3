"""The fault table against a second table, written from S3's documentation by hand."""

import pytest
from botocore import exceptions

from backfill.aws import fault_table
from backfill.aws.faults import (
    WRITES,
    error_of,
    fault_of_answer,
    fault_of_exception,
    is_throttle,
    store_fault,
    verdict,
)
from backfill.aws.lean import failures
from backfill.errors import (
    ClockSkewError,
    CredentialsError,
    Disposition,
    MissingPermissionError,
    RefusedError,
    StoreFault,
)

RETRY, SETTLE, REDECIDE = Disposition.RETRY, Disposition.SETTLE, Disposition.REDECIDE
SKIP, FAIL, STOP = Disposition.SKIP, Disposition.FAIL, Disposition.STOP

# Code, status that S3 documents, a read (GetObjectTagging), a write (UploadPartCopy).
DOCUMENTED = """
SlowDown 503 retry retry
SlowDown 500 retry settle
ServiceUnavailable 503 retry retry
RequestLimitExceeded 503 retry retry
Throttling 503 retry retry
ThrottlingException 400 retry retry
TooManyRequestsException 400 retry retry
BandwidthLimitExceeded 503 retry retry
GlacierExpeditedRetrievalNotAvailable 503 retry retry
KMS.ThrottlingException 400 retry retry
KMS.KeyUnavailableException 500 retry retry
KMS.DependencyTimeoutException 503 retry retry
KMS.KMSInternalException 500 retry retry
InternalError 500 retry settle
InternalServerError 500 retry settle
InternalFailure 500 retry settle
RequestTimeout 400 retry retry
IncompleteBody 400 retry retry
TemporaryRedirect 307 retry retry
PreconditionFailed 412 fail redecide
ConditionalRequestConflict 409 fail redecide
OperationAborted 409 fail redecide
NoSuchKey 404 skip skip
NoSuchVersion 404 skip skip
MethodNotAllowed 405 skip skip
InvalidObjectState 403 skip skip
ObjectNotInActiveTierError 403 skip skip
AccessDenied 403 fail fail
NoSuchUpload 404 fail redecide
InvalidArgument 400 fail fail
InvalidRequest 400 fail fail
InvalidPart 400 fail fail
InvalidPartOrder 400 fail fail
InvalidPartNumber 416 fail fail
InvalidRange 416 fail fail
InvalidTag 400 fail fail
InvalidStorageClass 400 fail fail
InvalidDigest 400 fail fail
InvalidURI 400 fail fail
InvalidEncryptionAlgorithmError 400 fail fail
InvalidBucketState 409 fail fail
BadDigest 400 fail fail
EntityTooLarge 400 fail fail
EntityTooSmall 400 fail fail
KeyTooLongError 400 fail fail
MalformedXML 400 fail fail
MetadataTooLarge 400 fail fail
MissingContentLength 411 fail fail
UnexpectedContent 400 fail fail
NoSuchTagSet 404 fail fail
NoSuchBucketPolicy 404 fail fail
ObjectLockConfigurationNotFoundError 404 fail fail
ReplicationConfigurationNotFoundError 404 fail fail
ServerSideEncryptionConfigurationNotFoundError 404 fail fail
OwnershipControlsNotFoundError 404 fail fail
InternalServiceException 500 retry settle
BadRequestException 400 fail fail
InvalidRequestException 400 fail fail
InvalidNextTokenException 400 fail fail
TooManyTagsException 400 fail fail
NoSuchJob 404 fail fail
NotFoundException 404 fail fail
IdempotencyException 400 fail settle
JobStatusException 409 fail redecide
KMS.DisabledException 400 fail fail
KMS.InvalidKeyUsageException 400 fail fail
KMS.KMSInvalidStateException 400 fail fail
KMS.InvalidStateException 400 fail fail
KMS.NotFoundException 400 fail fail
KMS.AccessDeniedException 400 fail fail
Throttling 400 retry retry
RequestThrottled 403 retry retry
Throttled 429 retry retry
ThrottledException 429 retry retry
DependencyTimeoutException 500 retry settle
KMSInternalException 500 retry settle
ServiceException 500 retry settle
ServiceFailure 500 retry settle
ConcurrentModification 409 fail redecide
EntityTemporarilyUnmodifiable 409 fail redecide
PreconditionFailedException 412 fail redecide
ResourceConflictException 409 fail redecide
AccessDeniedException 400 fail fail
AuthorizationError 403 fail fail
AWS.SimpleQueueService.NonExistentQueue 400 fail fail
BucketAlreadyExists 409 fail fail
BucketAlreadyOwnedByYou 409 fail fail
DeleteConflict 409 fail fail
DisabledException 400 fail fail
EntityAlreadyExists 409 fail fail
InvalidArnException 400 fail fail
InvalidAttributeValue 400 fail fail
InvalidInput 400 fail fail
InvalidParameter 400 fail fail
InvalidParameterValue 400 fail fail
InvalidParameterValueException 400 fail fail
KMSInvalidStateException 400 fail fail
LimitExceeded 409 fail fail
LimitExceededException 400 fail fail
MalformedPolicy 400 fail fail
MalformedPolicyDocument 400 fail fail
MalformedPolicyDocumentException 400 fail fail
NoSuchEntity 404 fail fail
NoSuchLifecycleConfiguration 404 fail fail
NoSuchPublicAccessBlockConfiguration 404 fail fail
NotFound 404 fail fail
PolicyLengthExceededException 400 fail fail
QueueDoesNotExist 400 fail fail
ReceiptHandleIsInvalid 404 fail fail
ResourceNotFoundException 404 fail fail
UnmodifiableEntity 400 fail fail
UnsupportedOperationException 400 fail fail
ExpiredToken 400 stop stop
ExpiredTokenException 400 stop stop
RequestExpired 400 stop stop
TokenRefreshRequired 400 stop stop
InvalidToken 400 stop stop
InvalidClientTokenId 403 stop stop
InvalidAccessKeyId 403 stop stop
InvalidSecurity 403 stop stop
UnrecognizedClientException 400 stop stop
SignatureDoesNotMatch 403 stop stop
IncompleteSignature 400 stop stop
MissingAuthenticationToken 403 stop stop
InvalidSignatureException 400 stop stop
IncompleteSignatureException 400 stop stop
MissingAuthenticationTokenException 400 stop stop
KmsThrottled 400 retry retry
QueueNameExists 400 fail fail
QueueAlreadyExists 400 fail fail
QueueDeletedRecently 400 fail fail
AWS.SimpleQueueService.QueueDeletedRecently 400 fail fail
MissingSecurityHeader 400 stop stop
AccountProblem 403 stop stop
NotSignedUp 403 stop stop
AllAccessDisabled 403 stop stop
RequestTimeTooSkewed 403 stop stop
PermanentRedirect 301 stop stop
Redirect 307 stop stop
AuthorizationHeaderMalformed 400 stop stop
IllegalLocationConstraintException 400 stop stop
InvalidRegion 400 stop stop
NoSuchBucket 404 stop stop
InvalidBucketName 400 stop stop
InvalidBucketOwnerAWSAccountID 400 stop stop
NotImplemented 501 stop stop
BadRequest 400 fail fail
CustomerKeyMissing 0 fail fail
NoETag 200 retry settle
UnreadableReply 200 retry settle
UnknownValue 200 fail settle
NeverHeardOf 200 retry settle
NeverHeardOf 302 stop stop
NeverHeardOf 418 fail settle
NeverHeardOf 500 retry settle
NeverHeardOf 501 stop stop
NeverHeardOf 507 retry settle
NeverHeardOf 0 retry settle
301 301 stop stop
307 307 retry retry
400 400 fail settle
403 403 fail settle
404 404 skip settle
405 405 skip settle
408 408 retry settle
409 409 fail redecide
412 412 fail redecide
429 429 retry settle
500 500 retry settle
502 502 retry settle
503 503 retry settle
504 504 retry settle
"""
ROWS = [line.split() for line in DOCUMENTED.strip().splitlines()]

TRANSPORT = (
    "HTTPClientError",
    "ConnectionError",
    "EndpointConnectionError",
    "ConnectionClosedError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyConnectionError",
    "SSLError",
    "ResponseStreamingError",
    "IncompleteReadError",
    "ResponseParserError",
    "ChecksumError",
    "ClientError",
    "TimeoutError",
    "OSError",
    "SomethingNew",
)


@pytest.mark.parametrize(("code", "status", "read", "write"), ROWS)
def test_each_documented_code_has_the_disposition_that_its_meaning_asks_for(
    code: str, status: str, read: str, write: str
) -> None:
    """One wrong row doubles a write, loses an object, or ends a run for nothing."""
    assert verdict(operation="GetObjectTagging", code=code, status=int(status)) == read
    assert verdict(operation="UploadPartCopy", code=code, status=int(status)) == write


def test_every_row_of_the_table_is_expected_here() -> None:
    """A row that nobody wrote down twice is a row that nobody has checked."""
    known = {row[0] for row in ROWS}
    assert set(fault_table.BY_CODE) <= known
    assert {code for code, _ in fault_table.BY_CODE_AND_STATUS} <= known
    assert {str(status) for status in fault_table.BY_STATUS} <= known | {"302", "308", "501"}


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("RestoreAlreadyInProgress", 409),
        ("InvalidObjectState", 403),
        ("ObjectAlreadyInActiveTierError", 403),
    ],
)
def test_a_restore_that_is_not_needed_now_is_looked_at_again(code: str, status: int) -> None:
    """Given up, the version would stay behind although it can be read, or soon can."""
    assert verdict(operation="RestoreObject", code=code, status=status) is REDECIDE


@pytest.mark.parametrize("kind", TRANSPORT)
@pytest.mark.parametrize("operation", sorted(WRITES))
def test_every_transport_error_of_a_write_is_ambiguous(kind: str, operation: str) -> None:
    """A reset after the request was sent looks like a connection that was never made."""
    assert verdict(operation=operation, code=kind, status=0, kinds=(kind,)) is SETTLE


@pytest.mark.parametrize("kind", TRANSPORT)
def test_every_transport_error_of_a_read_is_asked_again(kind: str) -> None:
    """Nothing can have changed, so giving up would be a failure for nothing."""
    assert verdict(operation="HeadObject", code=kind, status=0, kinds=(kind,)) is RETRY


@pytest.mark.parametrize(
    ("kind", "read", "write"),
    [
        (failures.ConnectFailedError, RETRY, RETRY),
        (failures.NoConnectionError, RETRY, RETRY),
        (failures.TransportClosedError, RETRY, RETRY),
        (failures.CertificateRefusedError, STOP, STOP),
        (failures.AnswerLostError, RETRY, SETTLE),
        (failures.AnswerTimeoutError, RETRY, SETTLE),
        (failures.AnswerGarbledError, RETRY, SETTLE),
    ],
)
def test_the_lean_clients_failures_say_whether_a_write_is_ambiguous(
    kind: type[failures.NotSentError | failures.MaybeSentError],
    read: Disposition,
    write: Disposition,
) -> None:
    """A request that may have arrived must be settled; one that cannot have, need not."""
    error = kind("gone")
    for operation, expected in (("HeadObject", read), ("CopyObject", write)):
        fault = fault_of_exception(operation=operation, bucket="b", error=error)
        assert (fault.code, fault.disposition) == (error.code, expected)
    assert error.is_sent is (write is SETTLE)


def test_each_of_the_lean_clients_failures_is_expected_here() -> None:
    """A class added without a thought of what it means for a write."""
    mine = {
        name
        for name, kind in vars(failures).items()
        if isinstance(kind, type) and issubclass(kind, Exception) and kind.__subclasses__() == []
    }
    assert mine == {
        "AnswerGarbledError",
        "AnswerLostError",
        "AnswerTimeoutError",
        "CertificateRefusedError",
        "ConnectFailedError",
        "NoConnectionError",
        "TransportClosedError",
    }


def test_the_table_is_total() -> None:
    """A code of next year must not end in a KeyError in the middle of a run."""
    for status in range(1000):
        for operation in ("HeadObject", "CopyObject"):
            found = verdict(operation=operation, code="CodeOfNextYear", status=status)
            assert isinstance(found, Disposition), status


def test_every_credential_failure_of_the_sdk_stops_the_run() -> None:
    """Asking again six times for each entry would hide that somebody must sign in."""
    words = ("Credential", "SSO", "Token", "Login")
    for name, kind in vars(exceptions).items():
        if isinstance(kind, type) and any(word in name for word in words):
            kinds = tuple(base.__name__ for base in kind.__mro__)
            found = verdict(operation="HeadObject", code=name, status=0, kinds=kinds)
            assert found is STOP, name


def test_an_exception_is_judged_by_its_nearest_known_base() -> None:
    """Subclasses come and go with the SDK's releases."""

    class ConnectTimeoutError(OSError):
        pass

    class OfNextYearError(ConnectTimeoutError):
        pass

    error = OfNextYearError("gone")
    fault = fault_of_exception(operation="CopyObject", bucket="b", error=error)
    assert (fault.code, fault.disposition, fault.is_ambiguous) == ("OfNextYearError", SETTLE, True)


@pytest.mark.parametrize(
    ("operation", "code", "disposition"),
    [
        ("CompleteMultipartUpload", "NoSuchUpload", SETTLE),
        ("UploadPartCopy", "NoSuchUpload", REDECIDE),
        ("AbortMultipartUpload", "NoSuchUpload", FAIL),
        ("CompleteMultipartUpload", "InvalidPart", REDECIDE),
        ("DeleteObject", "NoSuchKey", REDECIDE),
        ("CopyObject", "NoSuchKey", REDECIDE),
        ("CompleteMultipartUpload", "NoSuchKey", REDECIDE),
        ("CopyObject", "NoSuchVersion", SKIP),
    ],
)
def test_a_code_may_mean_something_else_for_one_operation(
    operation: str, code: str, disposition: Disposition
) -> None:
    """A Complete whose answer was lost answers NoSuchUpload: giving up would lose our own write."""
    assert verdict(operation=operation, code=code, status=404) is disposition


@pytest.mark.parametrize("code", sorted(fault_table.THROTTLES))
def test_every_throttle_is_also_a_passing_fault(code: str) -> None:
    """Slowing down for a fault that ends the entry anyway would only cost time."""
    status = int(code) if code.isdigit() else 503
    fault = store_fault(operation="HeadObject", code=code, status=status, bucket="b")
    assert is_throttle(fault)
    assert fault.disposition is RETRY


@pytest.mark.parametrize(
    ("code", "kind", "exit_code"),
    [
        ("ExpiredToken", CredentialsError, 12),
        ("InvalidAccessKeyId", CredentialsError, 12),
        ("SignatureDoesNotMatch", CredentialsError, 12),
        ("InvalidSignatureException", CredentialsError, 12),
        ("NoCredentialsError", CredentialsError, 12),
        ("UnauthorizedSSOTokenError", CredentialsError, 12),
        ("RequestTimeTooSkewed", ClockSkewError, 22),
        ("AccessDenied", MissingPermissionError, 10),
        ("PermanentRedirect", RefusedError, 10),
        ("NotImplemented", RefusedError, 10),
        ("NoSuchBucket", RefusedError, 10),
        ("EndpointConnectionError", RefusedError, 10),
        ("NeverHeardOf", RefusedError, 10),
    ],
)
def test_a_final_fault_becomes_an_error_with_its_exit_code_and_a_hint(
    code: str, kind: type[Exception], exit_code: int
) -> None:
    """A person reads one line and one hint, and a script reads the code."""
    error = error_of(store_fault(operation="CopyObject", code=code, status=400, bucket="b"))
    assert type(error) is kind
    assert error.exit_code == exit_code
    assert code in error.message
    assert error.hint or code == "NeverHeardOf"


@pytest.mark.parametrize(
    ("code", "status"), [("SlowDown", 503), ("InternalError", 500), ("ReadTimeoutError", 0)]
)
def test_an_outage_that_outlasts_all_retries_says_what_to_do(code: str, status: int) -> None:
    """A person whose run ends with SlowDown would not know that nothing is lost."""
    error = error_of(store_fault(operation="PutObject", code=code, status=status, bucket="b"))
    assert error.exit_code == 10
    assert "goes on where this one ended" in error.hint


@pytest.mark.parametrize("value", ["7", "0"])
def test_retry_after_is_read_in_seconds(value: str) -> None:
    """S3 and proxies name the pause that they want."""
    assert answered(value).retry_after_s == float(value)


@pytest.mark.parametrize("value", ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", "1e9", "٣", "9999999"])
def test_retry_after_in_any_other_form_is_ignored(value: str) -> None:
    """A date depends on two clocks, and a hostile number would stall the run."""
    assert answered(value).retry_after_s is None


def answered(retry_after: str) -> StoreFault:
    return fault_of_answer(
        operation="CopyObject",
        bucket="b",
        answer={
            "Error": {"Code": "SlowDown"},
            "ResponseMetadata": {
                "HTTPStatusCode": 503,
                "HTTPHeaders": {"retry-after": retry_after},
            },
        },
    )


def test_a_message_of_any_length_is_cut() -> None:
    """A store's text ends up in journals and terminals."""
    fault = store_fault(
        operation="CopyObject", code="X", status=400, bucket="b", message="y" * 100_000
    )
    assert len(fault.message) == 500


def test_a_message_is_one_line_of_visible_characters() -> None:
    """A hostile store could otherwise forge log lines and move the terminal's cursor."""
    hostile = "one\n  two\x1b[2J\u202ethree"
    fault = store_fault(operation="X", code="X", status=400, bucket="b", message=hostile)
    assert fault.message == r"one two\x1b[2J\u202ethree"


@pytest.mark.parametrize("answer", [{}, {"Error": {}}, {"Error": None, "ResponseMetadata": 5}])
def test_an_answer_without_anything_is_still_a_fault(answer: dict[str, object]) -> None:
    """The SDK's parser promises nothing about answers that are none."""
    fault = fault_of_answer(operation="CopyObject", bucket="b", answer=answer)
    assert (fault.code, fault.disposition) == ("Unknown", SETTLE)


def test_a_bucket_that_is_not_there_is_named() -> None:
    """If this fails, a person reads a number, and no bucket's name: HEAD has no words."""
    fault = store_fault(operation="HeadBucket", code="404", status=404, bucket="no-such")
    error = error_of(fault)
    assert isinstance(error, RefusedError)
    assert str(error) == "bucket no-such does not exist"
    assert "check its name" in error.hint
