"""What every documented failure code of a task means, and what mends it.

Never decides what is done with a version: the engine reads the class and the plan's rules.
`docs/reference/failure-codes.md` is made from this table.
Law: `failure_of` answers for every code, known or not; a code is never renamed or dropped.
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


class FailureClass(enum.StrEnum):
    """What kind of failure a code is: what must change before a task can succeed."""

    BENIGN = "benign"
    """Nothing is wrong: what was asked for had been done before."""
    GONE = "gone"
    """The source version is not there any more: list the source again and drop it."""
    AGAIN = "again"
    """S3 was busy or broke off: the same task can succeed in another job, unchanged."""
    AFTER_MEND = "after-mend"
    """A permission, key or setting must be mended first; then the same task can succeed."""
    OTHER_ROUTE = "other-route"
    """Batch Replication never does this one: it must be restored or copied instead."""
    STATE = "state"
    """The object is as S3 does not accept it here; the task succeeds once the object is changed."""
    UNKNOWN = "unknown"
    """A code that AWS does not document: kept by its name, counted and shown, not tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """The class of a code, what happened in one sentence, and what a person does about it."""

    cls: FailureClass
    sentence: str
    mend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failed task, explained. `code` is S3's own; `mend` is empty where nothing is needed."""

    cls: FailureClass
    code: str
    http_status: int | None
    sentence: str
    mend: str


def _mended(sentence: str, mend: str) -> Explained:
    return Explained(cls=FailureClass.AFTER_MEND, sentence=sentence, mend=mend)


def _unreadable(what: str, action: str) -> Explained:
    return _mended(
        f"The replication role may not read {what} of this version at the source.",
        f"Grant {action} on arn:aws:s3:::SOURCE/* to the replication role.",
    )


def _unwritable(what: str, action: str) -> Explained:
    return _mended(
        f"The replication role may not {what} at the destination.",
        f"Grant {action} on arn:aws:s3:::DESTINATION/* twice: in the replication role's policy, and"
        " to that role in the destination's bucket policy. Look for a Deny there, too.",
    )


def _gone(what: str) -> Explained:
    return Explained(
        cls=FailureClass.GONE,
        sentence=f"{what} is not in the source bucket any more: somebody, or a lifecycle rule,"
        " deleted it after it was listed.",
        mend="Nothing for this version. List the source again (backfill inventory), and it is no"
        " longer asked for.",
    )


def _busy(sentence: str) -> Explained:
    return Explained(
        cls=FailureClass.AGAIN,
        sentence=sentence,
        mend="Nothing: another job asks for it again.",
    )


def _key_state(where: str) -> Explained:
    return _mended(
        f"The KMS key of the {where} cannot be used: it is disabled, waits for its deletion, or"
        " has no key material.",
        "Enable the key (kms:EnableKey), or cancel its deletion (kms:CancelKeyDeletion) and then"
        " enable it.",
    )


_OBJECT = "s3:ReplicateObject"
_EMPTY_VERSION_ID = _mended(
    "The manifest has an empty version ID for this row, so S3 cannot tell which version is meant.",
    "Write the null version as the word null, and a version ID in every row: S3 Inventory leaves"
    " it empty. A manifest of backfill's own never does; if this is one, please report it.",
)

FAILURE_CODES: Final[Mapping[str, Explained]] = {
    # Roles and configuration
    "AssumeRoleNotPermitted": _mended(
        "S3 may not act as the role: the replication role, or the role of the job.",
        "In the trust policy allow sts:AssumeRole to s3.amazonaws.com (replication role) and to"
        " batchoperations.s3.amazonaws.com (batch role). Name roles with their path, as in"
        " role/service-role/NAME, and look for conditions on aws:SourceAccount or aws:SourceArn.",
    ),
    "InitiateReplicationNotPermitted": _mended(
        "The batch role, which the job runs under, may not start the replication of this object.",
        "Grant s3:InitiateReplication on arn:aws:s3:::SOURCE/* (the objects, not the bucket) to the"
        " batch role, not to the replication role.",
    ),
    "SrcBucketReplicationConfigMissing": _mended(
        "The source bucket has no replication configuration, so S3 knows no destination.",
        "Put the replication configuration back (PutBucketReplication), or grant"
        " s3:GetReplicationConfiguration on arn:aws:s3:::SOURCE to both roles.",
    ),
    "SrcReplicationNotPermitted": _mended(
        "S3 may not replicate from this source bucket.",
        "Check the replication role's policy on SOURCE, the bucket policy of SOURCE, and the"
        " organization's service and resource control policies for what is missing or denied.",
    ),
    "SrcBucketInvalidRegion": _mended(
        "The job was made in another Region than that of the source bucket.",
        "Make Batch Replication jobs in the source bucket's Region.",
    ),
    "SrcBucketNotFound": _mended(
        "S3 does not find the source bucket.",
        "Check the bucket's name in the manifest, and that it was not deleted or made anew in"
        " another account.",
    ),
    "DstBucketInvalidRegion": _mended(
        "The destination bucket is not in the Region that the job or the rule means.",
        "Make the job in the source bucket's Region, and check that the rule's Destination.Bucket"
        " names the bucket that you mean.",
    ),
    "DstBucketNotFound": _mended(
        "S3 does not find the destination bucket that the rule names.",
        "Create the bucket with versioning, or correct Destination.Bucket in the rule. One broken"
        " rule fails the task of every rule.",
    ),
    "DstBucketUnversioned": _mended(
        "Versioning is not enabled at the destination bucket, and replication needs it.",
        "Enable versioning on DESTINATION (PutBucketVersioning, Status Enabled).",
    ),
    "DstBucketObjectLockConfigMissing": _mended(
        "The source bucket has Object Lock and the destination has not, so locks would be lost.",
        "Enable Object Lock on DESTINATION (PutObjectLockConfiguration).",
    ),
    # Reading at the source
    "SrcGetObjectNotPermitted": _mended(
        "The replication role may not read this version at the source.",
        "Grant s3:GetObjectVersionForReplication on arn:aws:s3:::SOURCE/* to the replication role"
        " (s3:GetObjectVersion does not do for SSE-KMS), and for SSE-KMS kms:Decrypt on the"
        " source's key, in the role's policy and in the key policy.",
    ),
    "SrcHeadObjectNotPermitted": _unreadable(
        "the metadata",
        "s3:GetObjectVersionForReplication (and kms:Decrypt on the key, for SSE-KMS)",
    ),
    "SrcGetAclNotPermitted": _mended(
        "The replication role may not read the ACL of this version; mostly because another account"
        " owns the object.",
        "Grant s3:GetObjectVersionAcl on arn:aws:s3:::SOURCE/* to the replication role. If another"
        " account owns the object, set Object Ownership of SOURCE to BucketOwnerEnforced.",
    ),
    "SrcGetTaggingNotPermitted": _unreadable("the tags", "s3:GetObjectVersionTagging"),
    "SrcGetRetentionNotPermitted": _unreadable("the retention period", "s3:GetObjectRetention"),
    "SrcGetLegalHoldNotPermitted": _unreadable("the legal hold", "s3:GetObjectLegalHold"),
    "SrcKmsKeyInvalidState": _key_state("source object"),
    # Writing at the destination
    "DstPutObjectNotPermitted": _mended(
        "The replication role may not write the replica at the destination, or may not use the KMS"
        " key there.",
        "Grant s3:ReplicateObject on arn:aws:s3:::DESTINATION/* in the replication role's policy"
        " and in the destination's bucket policy, and s3:ObjectOwnerOverrideToBucketOwner where the"
        " rule hands over ownership. For SSE-KMS grant the role kms:Encrypt, kms:GenerateDataKey"
        " and kms:Decrypt on the replica's key, in both policies, with the bucket's ARN, too, as"
        " encryption context; the AWS managed key aws/s3 does not work across accounts. A Deny, or"
        " a block of SSE-C at the destination, has the same effect.",
    ),
    "DstPutAclNotPermitted": _unwritable("write the ACL", _OBJECT),
    "DstPutTaggingNotPermitted": _unwritable("write the tags", f"{_OBJECT} and s3:ReplicateTags"),
    "DstPutRetentionNotPermitted": _unwritable(
        "write the retention period", f"{_OBJECT} and s3:PutObjectRetention"
    ),
    "DstPutLegalHoldNotPermitted": _unwritable(
        "write the legal hold", f"{_OBJECT} and s3:PutObjectLegalHold"
    ),
    "DstDelObjNotPermitted": _unwritable("write the delete marker", "s3:ReplicateDelete"),
    "DstMultipartInitNotPermitted": _unwritable("begin a multipart upload", _OBJECT),
    "DstMultipartUploadNotPermitted": _unwritable("upload the parts", _OBJECT),
    "DstMultipartCompleteNotPermitted": _unwritable("complete a multipart upload", _OBJECT),
    "DstKmsKeyNotFound": _mended(
        "The KMS key that the rule names for replicas does not exist.",
        "Set ReplicaKmsKeyID in the rule to the ARN of a key in the destination's Region.",
    ),
    "DstKmsKeyInvalidState": _key_state("replica"),
    # The object
    "SrcReplicationNotPending": Explained(
        cls=FailureClass.BENIGN,
        sentence="S3 had replicated this version before: nothing was left to do.",
    ),
    "SrcObjectNotEligible": Explained(
        cls=FailureClass.OTHER_ROUTE,
        sentence="S3 does not replicate this version. The code is one for three causes: its storage"
        " class is an archive (GLACIER or DEEP_ARCHIVE, even while it is restored), it is in an"
        " archive tier of INTELLIGENT_TIERING, or no rule that is Enabled covers it (the rule is"
        " Disabled, or its tags do not match).",
        mend="Look which it is. Archive class: restore it and copy it in place to another class."
        " Archive tier: restore it. Rule: enable it or widen its filter. Then plan again; or let"
        " copy workers take it.",
    ),
    "SrcObjectNotFound": _gone("The object"),
    "SrcKeyNotFound": _gone("The key"),
    "SrcVersionNotFound": _gone("This version"),
    "NoSuchKey": _gone("The key"),
    "NoSuchVersion": _gone("This version"),
    "DstVersionNotFound": Explained(
        cls=FailureClass.STATE,
        sentence="Tags, ACL or lock should follow to a replica that is not at the destination.",
        mend="See why the replica is missing there (backfill verify). If it was deleted, copy the"
        " object; if it had not arrived yet, ask again later.",
    ),
    "DstObjectHardDeleted": Explained(
        cls=FailureClass.OTHER_ROUTE,
        sentence="Somebody deleted this very version at the destination by its version ID, and"
        " Batch Replication never brings such a version back.",
        mend="Copy it: copy workers write it as a new version, or copy the source object in place"
        " and live replication brings the copy over.",
    ),
    # Annotations
    "SrcAnnotationNotFound": Explained(
        cls=FailureClass.STATE,
        sentence="An annotation of this version was deleted while it was being replicated.",
        mend="Plan again: the version is then asked for with the annotations that it has.",
    ),
    "SrcGetObjectAnnotationNotPermitted": _unreadable(
        "the annotations", "s3:GetObjectVersionAnnotationForReplication"
    ),
    "DstPutObjectAnnotationNotPermitted": _mended(
        "The replication role may not write the annotations at the destination.",
        "Check that the role has s3:ReplicateObject on arn:aws:s3:::DESTINATION/* in its policy and"
        " in the destination's bucket policy, and that nothing denies s3:PutObjectAnnotation.",
    ),
    "SrcAnnotationEncryptionUnsupported": Explained(
        cls=FailureClass.STATE,
        sentence="An annotation of this version is encrypted in a way that S3 does not replicate.",
        mend="An annotation is encrypted as its object is: write the object anew under SSE-S3 or"
        " SSE-KMS, then plan again.",
    ),
    "AnnotationLimitExceeded": Explained(
        cls=FailureClass.STATE,
        sentence="The replica would have more annotations than S3 allows (1,000 for a version).",
        mend="Delete annotations that are not needed, then plan again.",
    ),
    # Codes of S3 itself, in tasks of any operation
    "AccessDenied": _mended(
        "A role may not do what the task needs; S3 does not say which action.",
        "For Compute checksum grant s3:GetObject, s3:GetObjectVersion and s3:RestoreObject on the"
        " bucket's objects, and kms:Decrypt on their key, to the batch role; for Batch Replication"
        " s3:InitiateReplication. Without s3:ListBucket a version that is gone looks like this,"
        " too.",
    ),
    "InternalError": _busy("S3 broke off with an error of its own."),
    "ServiceUnavailable": _busy("S3 was not available just then."),
    "SlowDown": _busy("S3 throttled the task: too many requests in one prefix."),
    "ThrottlingException": _busy("S3 or KMS throttled the task: too many requests."),
    "RequestLimitExceeded": _busy("S3 throttled the task: too many requests."),
    "RequestTimeout": _busy("A request of the task took too long."),
}
"""S3 User Guide: replication-metrics-events, replication-troubleshoot; SOURCE and DESTINATION stand
for the buckets' names."""

_CODE_IN_MESSAGE: Final = re.compile(r"([A-Z][A-Za-z0-9]{2,127}):(?=\s|$)")
_EMPTY_VERSION_WORDS: Final = ("versionid is invalid", "missing versionid")
_BUSY_STATUSES: Final = frozenset({429, 502, 503, 504})


def failure_of(code: str, http_status: int | None, message: str) -> Failure:
    """Explain a failed task; total over every code, status and message.

    An empty code is looked for in front of the message, as in `SrcObjectNotFound: ...`. HTTP 500
    alone says little, because S3 uses it for refusals that are final (SrcObjectNotEligible, for
    one): only without a code of its own, or as 429, 502, 503 or 504, is a failure tried again.
    """
    found = None if code else _CODE_IN_MESSAGE.match(message)
    named = found[1] if found else code
    explained = _explained(named, http_status, message)
    return Failure(
        cls=explained.cls,
        code=named or (f"HTTP{http_status}" if http_status is not None else "NoCode"),
        http_status=http_status,
        sentence=explained.sentence,
        mend=explained.mend,
    )


def _explained(code: str, http_status: int | None, message: str) -> Explained:
    if any(words in message.lower() for words in _EMPTY_VERSION_WORDS):
        return _EMPTY_VERSION_ID
    if (known := FAILURE_CODES.get(code)) is not None:
        return known
    is_broken = http_status is not None and http_status >= 500 and not code
    if http_status in _BUSY_STATUSES or is_broken:
        return _busy("S3 was busy or broke off, and gave no code that is documented.")
    return Explained(
        cls=FailureClass.UNKNOWN,
        sentence="The task failed with a code that AWS does not document for jobs."
        if code
        else "The task failed and the report gives no code.",
        mend="Read the message in the completion report, mend what it names, and plan again.",
    )
