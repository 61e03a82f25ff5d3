"""From a failed call to a StoreFault, and from a final StoreFault to the error a person reads.

Never retries and never decides anew; it reads `fault_table` and says what it found.
Law: total. Whatever a call raises or answers gets exactly one disposition.
"""

from collections.abc import Mapping
from typing import Final

from backfill.aws import fault_table
from backfill.aws.lean.wire import ExchangeError
from backfill.errors import (
    BackfillError,
    ClockSkewError,
    CredentialsError,
    Disposition,
    MissingPermissionError,
    RefusedError,
    StoreFault,
)
from backfill.model.escaping import visible_text
from backfill.model.permissions import ASSUME_ROLE_HINT, missing_statements
from backfill.model.redaction import redacted

WRITES: Final = frozenset(
    {
        "CopyObject",
        "CreateMultipartUpload",
        "UploadPartCopy",
        "CompleteMultipartUpload",
        "AbortMultipartUpload",
        "DeleteObject",
        "PutObject",
        "RestoreObject",
        "CreateJob",
        "UpdateJobStatus",
        "UpdateJobPriority",
        # What setup and watch change of an account.
        "CreateBucket",
        *("PutBucketReplication", "DeleteBucketReplication"),
        *("PutBucketPolicy", "DeleteBucketPolicy"),
        *("PutBucketNotificationConfiguration", "PutBucketVersioning"),
        *("PutBucketEncryption", "DeleteBucketEncryption"),
        *("PutBucketOwnershipControls", "DeleteBucketOwnershipControls"),
        *("PutObjectLockConfiguration", "PutBucketLifecycleConfiguration"),
        *("PutPublicAccessBlock", "DeletePublicAccessBlock", "PutBucketRequestPayment"),
        *("CreateRole", "DeleteRole", "UpdateAssumeRolePolicy"),
        *("PutRolePolicy", "DeleteRolePolicy", "PutKeyPolicy"),
        *("CreateQueue", "SetQueueAttributes", "SetTopicAttributes"),
        *("AddPermission", "RemovePermission"),
        "DeleteMessageBatch",
    }
)
"""The operations that change something at the store; every other one that we send is a read."""

WEB_IDENTITY: Final = "AssumeRoleWithWebIdentity"
"""What the SDK's chain asks STS for by itself where a pod has a token (IRSA)."""

MESSAGE_CHARACTERS_MAX: Final = 500
"""A store's message is shown to people and kept in journals: one line, escaped, not endless, and
without secrets, which a store may echo."""


def verdict(*, operation: str, code: str, status: int, kinds: tuple[str, ...] = ()) -> Disposition:
    """Return the disposition of one failure.

    `kinds` are the class names of the exception and its bases, nearest first; empty when the store
    answered.
    """
    rows = (
        fault_table.BY_OPERATION.get((operation, code)),
        fault_table.BY_CODE_AND_STATUS.get((code, status)),
        fault_table.BY_CODE.get(code),
        *(fault_table.BY_KIND.get(kind) for kind in kinds),
        fault_table.BY_STATUS.get(status),
        fault_table.BY_STATUS_CLASS.get(status // 100),
    )
    row = next((row for row in rows if row is not None), fault_table.BROKEN)
    return row.write if operation in WRITES else row.read


def store_fault(
    *,
    operation: str,
    code: str,
    status: int,
    bucket: str,
    message: str = "",
    kinds: tuple[str, ...] = (),
    retry_after_s: float | None = None,
) -> StoreFault:
    """Return the StoreFault of one failure, with its disposition from the table."""
    disposition = verdict(operation=operation, code=code, status=status, kinds=kinds)
    return StoreFault(
        operation=operation,
        code=code,
        status=status,
        disposition=disposition,
        message=visible_text(redacted(" ".join(message.split())))[:MESSAGE_CHARACTERS_MAX],
        is_ambiguous=disposition is Disposition.SETTLE,
        retry_after_s=retry_after_s,
        bucket=bucket,
    )


def fault_of_answer(*, operation: str, bucket: str, answer: Mapping[str, object]) -> StoreFault:
    """Return the StoreFault of an error answer, as botocore parsed it."""
    error, metadata = _mapping(answer, "Error"), _mapping(answer, "ResponseMetadata")
    headers = _mapping(metadata, "HTTPHeaders")
    status = metadata.get("HTTPStatusCode")
    return store_fault(
        operation=operation,
        # An answer without a body has its status for a code; one without either is unknown.
        code=str(error.get("Code") or status or "Unknown"),
        status=status if isinstance(status, int) else 0,
        bucket=bucket,
        message=_message(error, metadata, headers),
        retry_after_s=_seconds(headers.get("retry-after")),
    )


def fault_of_exception(*, operation: str, bucket: str, error: Exception) -> StoreFault:
    """Return the StoreFault of a call that got no answer that could be read."""
    cause = getattr(error, "kwargs", {}).get("error")
    classes = (*type(cause).__mro__, *type(error).__mro__) if _is_certificate(cause) else None
    kinds = tuple(kind.__name__ for kind in classes or type(error).__mro__)
    return store_fault(
        operation=operation,
        # The lean client's failures are told by the SDK's names, and judged by their own.
        code=error.code if isinstance(error, ExchangeError) else kinds[0],
        status=0,
        bucket=bucket,
        message=str(error),
        kinds=kinds,
    )


def is_throttle(fault: StoreFault) -> bool:
    """Return whether the store asks for fewer requests at a time."""
    return fault.code in fault_table.THROTTLES


def error_of(fault: StoreFault) -> BackfillError:
    """Return what a person reads when this fault ends a stage: line, hint and exit code."""
    error = _missing_bucket(fault) or _error_of(fault)
    if fault.operation == "GetCallerIdentity":
        # The one call that is not S3's, and not needed by who says whose the buckets are.
        error.hint = "; ".join(filter(None, (error.hint, _WITHOUT_STS)))
    return error


def _missing_bucket(fault: StoreFault) -> RefusedError | None:
    """Name what HEAD, whose answer has no body, says by a number."""
    if fault.operation != "HeadBucket" or fault.status != 404 or not fault.bucket:
        return None
    return RefusedError(
        f"bucket {visible_text(fault.bucket)} does not exist",
        hint="check its name; a bucket for a run directory or for jobs has to be made first",
    )


def _error_of(fault: StoreFault) -> BackfillError:
    line = str(fault)
    if fault.code == "RequestTimeTooSkewed" or _is_skew_of_others(fault):
        return ClockSkewError(line, hint="set this machine's clock (NTP), then run again")
    if fault.operation == WEB_IDENTITY:
        return CredentialsError(line, hint=_WEB_IDENTITY_HINT)
    if fault.operation == "AssumeRole":
        hint = ASSUME_ROLE_HINT if fault.code in _DENIALS else _HINTS.get(fault.code, "")
        return CredentialsError(line, hint=hint or _credentials_hint(fault.code))
    if fault.code in _CREDENTIAL_CODES:
        return CredentialsError(line, hint=_credentials_hint(fault.code))
    if fault.code in _DENIALS:
        statements = missing_statements(operation=fault.operation, bucket=fault.bucket)
        return MissingPermissionError(line, hint=statements)
    hint = _JOB_HINTS.get(fault.code, "") if "Job" in fault.operation else ""
    hint = hint or _HINTS.get(fault.code, "")
    if not hint and fault.disposition in (Disposition.RETRY, Disposition.SETTLE):
        hint = _OUTAGE_HINT
    return RefusedError(line, hint=hint)


def _is_skew_of_others(fault: StoreFault) -> bool:
    """Return whether a service without a code of its own for it speaks of a clock that is off."""
    words = ("Signature expired", "Signature not yet current")
    return fault.code in _UNSIGNED and fault.message.startswith(words)


_UNSIGNED: Final = frozenset({"SignatureDoesNotMatch", "InvalidSignatureException"})
"""What STS, IAM and SNS call it, and what KMS, SQS and Lambda do."""

_WEB_IDENTITY_HINT: Final = (
    "the role's trust policy must allow sts:AssumeRoleWithWebIdentity to the cluster's OIDC"
    " provider, for this namespace and service account; see AWS_ROLE_ARN and"
    " AWS_WEB_IDENTITY_TOKEN_FILE"
)

_OUTAGE_HINT: Final = (
    "it was asked again and again: run the same command later, it goes on where this one ended"
)
_WITHOUT_STS: Final = "STS is not asked if --source-account and --destination-account name them"

_DENIALS: Final = frozenset(
    {
        *("AccessDenied", "403", "KMS.AccessDeniedException"),
        # KMS, Lambda and SQS; SNS.
        *("AccessDeniedException", "AuthorizationError"),
    }
)

_CREDENTIAL_CODES: Final = fault_table.EXPIRED | {
    "InvalidToken",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "InvalidSecurity",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "InvalidSignatureException",
    "IncompleteSignatureException",
    "MissingAuthenticationTokenException",
    "MissingSecurityHeader",
    "AccountProblem",
    "NotSignedUp",
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "MetadataRetrievalError",
    "ConfigNotFound",
    "ConfigParseError",
    "InvalidConfigError",
    "ProfileNotFound",
    "SSOError",
    "SSOTokenLoadError",
    "UnauthorizedSSOTokenError",
    "PendingAuthorizationExpiredError",
    "TokenRetrievalError",
    "NoAuthTokenError",
    "LoginError",
    "RefreshWithMFAUnsupportedError",
    "InfiniteLoopConfigError",
    "UnknownCredentialError",
}

_HINTS: Final = {
    "PermanentRedirect": "the bucket lies in another Region than the one asked",
    "301": "the bucket lies in another Region than the one asked",
    "AuthorizationHeaderMalformed": "the request was signed for another Region; see --region",
    "IllegalLocationConstraintException": "the bucket lies in another Region; see --region",
    "NoSuchBucket": "check the bucket's name, the profile and --endpoint-url",
    "InvalidBucketOwnerAWSAccountID": "an expected owner is a 12-digit account ID",
    "NotImplemented": "this store lacks what safe copying needs (conditional CopyObject)",
    "501": "this store lacks what safe copying needs (conditional CopyObject)",
    "NotFoundException": "check the ARN, its account and its Region",
    "BucketAlreadyExists": "a bucket's name is taken once for all accounts; choose another",
    "ConcurrentModification": "somebody else changed it at the same moment; run the same again",
    "TooManyRequestsException": "another tool is asking, too; wait, then run the same command",
    "EndpointConnectionError": "check --endpoint-url, the network and the proxy settings",
    "ClientConnectorCertificateError": "name the store's CA with AWS_CA_BUNDLE",
}

_JOB_HINTS: Final = {
    "NoSuchJob": "S3 forgets a job 90 days after its end; check its ID, the account and the Region",
    "NotFoundException": "S3 forgets a job 90 days after its end; check its ID and the Region",
    "JobStatusException": "the job has gone on meanwhile: look at it again",
}


def _credentials_hint(code: str) -> str:
    if "SSO" in code or code in fault_table.EXPIRED or code == "TokenRetrievalError":
        return "sign in again (aws sso login, or renew the token), then run the same command"
    if code == "NoCredentialsError":
        return "set AWS_PROFILE, or --source-profile and --destination-profile"
    return "check the identity with: aws sts get-caller-identity"


def _is_certificate(cause: object) -> bool:
    return type(cause).__name__ == "ClientConnectorCertificateError"


def _message(
    error: Mapping[str, object], metadata: Mapping[str, object], headers: Mapping[str, object]
) -> str:
    parts = [str(error.get("Message") or "")]
    if error.get("ServerTime"):
        ours = error.get("RequestTime") or "another time"
        parts.append(f"this machine said {ours}, S3 said {error['ServerTime']}")
    if region := error.get("Region") or headers.get("x-amz-bucket-region"):
        parts.append(f"bucket Region {region}")
    if request_id := metadata.get("RequestId"):
        parts.append(f"request ID {request_id}")
    return "; ".join(part for part in parts if part)


def _seconds(value: object) -> float | None:
    """Parse Retry-After in seconds; the form with a date depends on two clocks and is ignored."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 7:
        return float(value)
    return None


def _mapping(container: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = container.get(name)
    return value if isinstance(value, Mapping) else {}
