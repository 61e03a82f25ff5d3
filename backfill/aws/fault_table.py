"""THE table: what each failure of an S3 call means for a read and for a write.

Only data; `faults` looks things up in it. A row is about a *read* (nothing changed at the store)
or a *write* (CopyObject, multipart calls, DeleteObject). Order of look-up: the operation's own row,
then (code, status), then the code, then the exception's kind and its bases, then the status.

Reasons that hold for whole columns:
- A write that the store answered with a documented 4xx refusal was not applied (S3 API: Error
  responses), so it need not be settled.
- A write that ended in 5xx, in a broken connection, in silence or in an answer we cannot read may
  have been applied: SETTLE, which means that the version chain is read before anything is written.
- A code that this table does not know, on a write, is treated as if it may have been applied.
- A 200 that holds an `<Error>` is shown by the SDK as status 500, so a throttle with status 500
  came after the copy had begun: SETTLE; with status 503 it was refused at the door: RETRY.

Law: the look-up is total; there is no failure without a disposition.
"""

from dataclasses import dataclass
from typing import Final

from backfill.errors import Disposition

_RETRY, _SETTLE, _REDECIDE = Disposition.RETRY, Disposition.SETTLE, Disposition.REDECIDE
_SKIP, _FAIL, _STOP = Disposition.SKIP, Disposition.FAIL, Disposition.STOP


# Two words side by side, so that the table below reads as one.
@dataclass(frozen=True, slots=True)
class Verdict:
    """What a failure means for a read and for a write."""

    read: Disposition
    write: Disposition


RETRY: Final = Verdict(_RETRY, _RETRY)
"""Refused before anything was done: the same request may be sent again."""
BROKEN: Final = Verdict(_RETRY, _SETTLE)
"""Nobody knows how far it came: harmless for a read, ambiguous for a write."""
CHANGED: Final = Verdict(_FAIL, _REDECIDE)
"""A precondition or a concurrent write; our reads carry no precondition."""
GONE: Final = Verdict(_SKIP, _SKIP)
"""This version cannot be had any more, or not before it is restored."""
REFUSED: Final = Verdict(_FAIL, _FAIL)
"""This request is refused and would be again; other entries may succeed."""
STOP: Final = Verdict(_STOP, _STOP)
"""No request of this run can succeed until a person has mended something."""

BY_OPERATION: Final[dict[tuple[str, str], Verdict]] = {
    # Complete after a lost answer finds its upload gone, because it was completed.
    ("CompleteMultipartUpload", "NoSuchUpload"): BROKEN,
    # A lifecycle rule or a person aborted it: begin the upload anew.
    ("UploadPartCopy", "NoSuchUpload"): Verdict(_FAIL, _REDECIDE),
    ("CompleteMultipartUpload", "InvalidPart"): Verdict(_FAIL, _REDECIDE),
    # If-Match on a key that lost its object: not the version we wanted to hide.
    ("DeleteObject", "NoSuchKey"): Verdict(_FAIL, _REDECIDE),
    # Restored meanwhile, or moved to a class that needs no restore: look at it again.
    ("RestoreObject", "InvalidObjectState"): Verdict(_FAIL, _REDECIDE),
    ("RestoreObject", "ObjectAlreadyInActiveTierError"): Verdict(_FAIL, _REDECIDE),
    ("RestoreObject", "RestoreAlreadyInProgress"): Verdict(_FAIL, _REDECIDE),
    # No request can be signed by a role that cannot be assumed.
    ("AssumeRole", "AccessDenied"): STOP,
    ("AssumeRole", "ValidationError"): STOP,
    ("AssumeRole", "RegionDisabledException"): STOP,
    # As above, of a pod's token (STS API: AssumeRoleWithWebIdentity, Errors).
    ("AssumeRoleWithWebIdentity", "AccessDenied"): STOP,
    ("AssumeRoleWithWebIdentity", "ExpiredTokenException"): STOP,
    ("AssumeRoleWithWebIdentity", "IDPRejectedClaim"): STOP,
    ("AssumeRoleWithWebIdentity", "InvalidIdentityToken"): STOP,
    ("AssumeRoleWithWebIdentity", "RegionDisabledException"): STOP,
    ("AssumeRoleWithWebIdentity", "ValidationError"): STOP,
    ("AssumeRoleWithWebIdentity", "IDPCommunicationError"): RETRY,
    # With IfMatch on the destination S3 answers 404 when there is nothing to match (S3 User Guide:
    # conditional-writes); the source side answers NoSuchKey and NoSuchVersion with 404 as well, so
    # a copy reads both chains again before it gives a version up.
    ("CopyObject", "NoSuchKey"): Verdict(_SKIP, _REDECIDE),
    ("CompleteMultipartUpload", "NoSuchKey"): Verdict(_SKIP, _REDECIDE),
}

BY_CODE_AND_STATUS: Final[dict[tuple[str, int], Verdict]] = {
    ("SlowDown", 503): RETRY,
    ("ServiceUnavailable", 503): RETRY,
    ("RequestLimitExceeded", 503): RETRY,
    ("Throttling", 503): RETRY,
    ("Throttling", 400): RETRY,  # IAM, STS, KMS and CloudWatch refuse at the door
}

BY_CODE: Final[dict[str, Verdict]] = {
    # Throttled. From KMS before the copy began; from S3 at the door unless it came inside a 200.
    "SlowDown": BROKEN,
    "ServiceUnavailable": BROKEN,
    "RequestLimitExceeded": BROKEN,
    "Throttling": BROKEN,
    "ThrottlingException": RETRY,
    "TooManyRequestsException": RETRY,
    "KMS.ThrottlingException": RETRY,
    "BandwidthLimitExceeded": RETRY,
    # No capacity for now; refused before anything was begun, or billed (S3 API: RestoreObject).
    "GlacierExpeditedRetrievalNotAvailable": RETRY,
    # The server is in trouble, perhaps after it wrote.
    "InternalError": BROKEN,
    "InternalServerError": BROKEN,
    "InternalFailure": BROKEN,
    # The request did not arrive whole, or the bucket's name is not everywhere yet.
    "RequestTimeout": RETRY,
    "IncompleteBody": RETRY,
    "TemporaryRedirect": RETRY,
    # The world changed under the decision.
    "PreconditionFailed": CHANGED,
    "ConditionalRequestConflict": CHANGED,
    "OperationAborted": CHANGED,
    # Gone, or not now.
    "NoSuchKey": GONE,
    "NoSuchVersion": GONE,
    "MethodNotAllowed": GONE,  # HEAD or GET of a delete marker by its version ID (DeleteMarker)
    "InvalidObjectState": GONE,  # archived: Get and Head say this
    "ObjectNotInActiveTierError": GONE,  # archived: CopyObject says this
    # Refused for this request.
    "AccessDenied": REFUSED,
    "NoSuchUpload": REFUSED,
    "NoSuchTagSet": REFUSED,
    "InvalidArgument": REFUSED,
    "InvalidRequest": REFUSED,
    "InvalidPart": REFUSED,
    "InvalidPartOrder": REFUSED,
    "InvalidPartNumber": REFUSED,
    "InvalidRange": REFUSED,
    "InvalidTag": REFUSED,
    "InvalidStorageClass": REFUSED,
    "InvalidDigest": REFUSED,
    "InvalidURI": REFUSED,
    "InvalidEncryptionAlgorithmError": REFUSED,
    "BadDigest": REFUSED,
    "BadRequest": REFUSED,
    "EntityTooLarge": REFUSED,
    "EntityTooSmall": REFUSED,
    "KeyTooLongError": REFUSED,
    "MalformedXML": REFUSED,
    "MetadataTooLarge": REFUSED,
    "MissingContentLength": REFUSED,
    "UnexpectedContent": REFUSED,
    "InvalidBucketState": REFUSED,
    "ObjectLockConfigurationNotFoundError": REFUSED,
    "ReplicationConfigurationNotFoundError": REFUSED,
    "ServerSideEncryptionConfigurationNotFoundError": REFUSED,
    "OwnershipControlsNotFoundError": REFUSED,
    "NoSuchBucketPolicy": REFUSED,
    # KMS answers through S3 with codes of its own (S3 API: Error responses).
    "KMS.DisabledException": REFUSED,
    "KMS.InvalidKeyUsageException": REFUSED,
    "KMS.KMSInvalidStateException": REFUSED,
    "KMS.InvalidStateException": REFUSED,
    "KMS.NotFoundException": REFUSED,
    "KMS.AccessDeniedException": REFUSED,
    "KMS.KeyUnavailableException": RETRY,
    "KMS.DependencyTimeoutException": RETRY,
    "KMS.KMSInternalException": RETRY,
    # Nothing will work for this identity, this bucket or this store.
    "ExpiredToken": STOP,
    "ExpiredTokenException": STOP,
    "RequestExpired": STOP,
    "TokenRefreshRequired": STOP,
    "InvalidToken": STOP,
    "InvalidClientTokenId": STOP,
    "InvalidAccessKeyId": STOP,
    "InvalidSecurity": STOP,
    "UnrecognizedClientException": STOP,
    "SignatureDoesNotMatch": STOP,
    "IncompleteSignature": STOP,
    "MissingAuthenticationToken": STOP,
    # The same three of services that speak JSON: KMS, SQS and Lambda.
    "InvalidSignatureException": STOP,
    "IncompleteSignatureException": STOP,
    "MissingAuthenticationTokenException": STOP,
    "MissingSecurityHeader": STOP,
    "AccountProblem": STOP,
    "NotSignedUp": STOP,
    "AllAccessDisabled": STOP,
    "RequestTimeTooSkewed": STOP,
    "PermanentRedirect": STOP,
    "Redirect": STOP,
    "AuthorizationHeaderMalformed": STOP,
    "IllegalLocationConstraintException": STOP,
    "InvalidRegion": STOP,
    "NoSuchBucket": STOP,
    "InvalidBucketName": STOP,
    "InvalidBucketOwnerAWSAccountID": STOP,
    "NotImplemented": STOP,
    # S3 Control says some things in words of its own (s3control API model).
    "InternalServiceException": BROKEN,
    "BadRequestException": REFUSED,
    "InvalidRequestException": REFUSED,
    "InvalidNextTokenException": REFUSED,
    "TooManyTagsException": REFUSED,
    "NoSuchJob": REFUSED,
    "NotFoundException": REFUSED,
    # The token is known to S3, so there may be a job of that name: look before another is made.
    "IdempotencyException": Verdict(_FAIL, _SETTLE),
    # The job has gone on since it was looked at: look again, then decide anew.
    "JobStatusException": CHANGED,
    # IAM, KMS, SNS, SQS, Lambda and CloudWatch, in words of their own (their API models).
    "RequestThrottled": RETRY,
    "KmsThrottled": RETRY,
    "Throttled": RETRY,
    "ThrottledException": RETRY,
    "DependencyTimeoutException": BROKEN,
    "KMSInternalException": BROKEN,
    "ServiceException": BROKEN,
    "ServiceFailure": BROKEN,
    "ConcurrentModification": CHANGED,
    "EntityTemporarilyUnmodifiable": CHANGED,
    "PreconditionFailedException": CHANGED,
    "ResourceConflictException": CHANGED,
    "AccessDeniedException": REFUSED,
    "AuthorizationError": REFUSED,
    "AWS.SimpleQueueService.NonExistentQueue": REFUSED,
    "BucketAlreadyExists": REFUSED,
    "BucketAlreadyOwnedByYou": REFUSED,
    "DeleteConflict": REFUSED,
    "DisabledException": REFUSED,
    "EntityAlreadyExists": REFUSED,
    "InvalidArnException": REFUSED,
    "InvalidAttributeValue": REFUSED,
    "InvalidInput": REFUSED,
    "InvalidParameter": REFUSED,
    "InvalidParameterValue": REFUSED,
    "InvalidParameterValueException": REFUSED,
    "KMSInvalidStateException": REFUSED,
    "LimitExceeded": REFUSED,
    "LimitExceededException": REFUSED,
    "MalformedPolicy": REFUSED,
    "MalformedPolicyDocument": REFUSED,
    "MalformedPolicyDocumentException": REFUSED,
    "NoSuchEntity": REFUSED,
    "NoSuchLifecycleConfiguration": REFUSED,
    "NoSuchPublicAccessBlockConfiguration": REFUSED,
    "NotFound": REFUSED,
    "PolicyLengthExceededException": REFUSED,
    # SQS says each in two ways, by the protocol of the client.
    "QueueAlreadyExists": REFUSED,
    "QueueNameExists": REFUSED,
    "AWS.SimpleQueueService.QueueDeletedRecently": REFUSED,
    "QueueDeletedRecently": REFUSED,
    "QueueDoesNotExist": REFUSED,
    "ReceiptHandleIsInvalid": REFUSED,
    "ResourceNotFoundException": REFUSED,
    "UnmodifiableEntity": REFUSED,
    "UnsupportedOperationException": REFUSED,
    # Ours: a request that needs a customer's key which is not supplied, and was not sent.
    "CustomerKeyMissing": REFUSED,
    # Ours: what the adapter found in an answer.
    "NoETag": BROKEN,  # 200 with an empty body: the SDK takes it for success
    "UnreadableReply": BROKEN,
    "UnknownValue": Verdict(_FAIL, _SETTLE),  # readable, but with a value that we cannot keep
}

BY_KIND: Final[dict[str, Verdict]] = {
    # Transport: a reset after the request was sent looks like "could not connect".
    "HTTPClientError": BROKEN,
    "ConnectionError": BROKEN,
    "EndpointConnectionError": BROKEN,
    "ConnectionClosedError": BROKEN,
    "ConnectTimeoutError": BROKEN,
    "ReadTimeoutError": BROKEN,
    "ProxyConnectionError": BROKEN,
    "SSLError": BROKEN,
    "ResponseStreamingError": BROKEN,
    "IncompleteReadError": BROKEN,
    "ResponseParserError": BROKEN,
    "ChecksumError": BROKEN,
    "FlexibleChecksumError": BROKEN,
    "ClientError": BROKEN,  # aiohttp's, raised while a body is read
    "TimeoutError": BROKEN,
    "OSError": BROKEN,
    # The same of the lean client, which knows what it has sent.
    "ConnectFailedError": RETRY,
    "NoConnectionError": RETRY,
    "TransportClosedError": RETRY,
    "AnswerLostError": BROKEN,
    "AnswerTimeoutError": BROKEN,
    "AnswerGarbledError": BROKEN,
    # A certificate does not become valid by asking again.
    "ClientConnectorCertificateError": STOP,
    "CertificateRefusedError": STOP,
    # Nothing was sent.
    "ParamValidationError": REFUSED,
    "ValidationError": REFUSED,
    "BaseEndpointResolverError": STOP,
    "EndpointProviderError": STOP,
    "InvalidIMDSEndpointError": STOP,
    "InvalidProxiesConfigError": STOP,
    "NoRegionError": STOP,
    "NoCredentialsError": STOP,
    "PartialCredentialsError": STOP,
    "CredentialRetrievalError": STOP,
    "MetadataRetrievalError": STOP,
    "ConfigNotFound": STOP,
    "ConfigParseError": STOP,
    "InvalidConfigError": STOP,
    "ProfileNotFound": STOP,
    "SSOError": STOP,
    "TokenRetrievalError": STOP,
    "NoAuthTokenError": STOP,
    "LoginError": STOP,
    "RefreshWithMFAUnsupportedError": STOP,
    "InfiniteLoopConfigError": STOP,
    "UnknownCredentialError": STOP,
}

BY_STATUS: Final[dict[int, Verdict]] = {
    # Answers without a code: HEAD's, and those of proxies and load balancers on the way.
    301: STOP,
    302: STOP,
    307: RETRY,
    308: STOP,
    400: Verdict(_FAIL, _SETTLE),
    403: Verdict(_FAIL, _SETTLE),
    404: Verdict(_SKIP, _SETTLE),
    405: Verdict(_SKIP, _SETTLE),
    408: BROKEN,
    409: Verdict(_FAIL, _REDECIDE),
    412: CHANGED,
    429: BROKEN,
    501: STOP,
}

BY_STATUS_CLASS: Final[dict[int, Verdict]] = {
    0: BROKEN,  # no answer at all
    1: BROKEN,
    2: BROKEN,  # an answer that is none
    3: STOP,  # we are asking in the wrong place
    4: Verdict(_FAIL, _SETTLE),  # refused, with a code we have never seen
    5: BROKEN,
}

THROTTLES: Final = frozenset(
    {
        "SlowDown",
        "ServiceUnavailable",
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "KMS.ThrottlingException",
        "BandwidthLimitExceeded",
        "RequestThrottled",
        "KmsThrottled",
        "Throttled",
        "ThrottledException",
        "503",
        "429",
    }
)
"""Codes that ask for fewer requests at a time (S3 User Guide: optimizing-performance)."""

EXPIRED: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
)
"""Refused before anything was done, and mended by new credentials: asked again once."""
