"""The table of failure codes against a second list of them, written down by hand."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backfill.batch_operations.failure_codes import FAILURE_CODES, FailureClass, failure_of

DOCUMENTED = {
    FailureClass.AFTER_MEND: """
        AssumeRoleNotPermitted InitiateReplicationNotPermitted SrcBucketReplicationConfigMissing
        SrcBucketInvalidRegion SrcBucketNotFound DstBucketInvalidRegion DstBucketNotFound
        DstBucketUnversioned DstBucketObjectLockConfigMissing SrcGetObjectNotPermitted
        SrcHeadObjectNotPermitted SrcGetAclNotPermitted SrcGetTaggingNotPermitted
        SrcGetRetentionNotPermitted SrcGetLegalHoldNotPermitted SrcKmsKeyInvalidState
        SrcReplicationNotPermitted DstPutObjectNotPermitted DstPutAclNotPermitted
        DstPutTaggingNotPermitted DstPutRetentionNotPermitted DstPutLegalHoldNotPermitted
        DstDelObjNotPermitted DstMultipartInitNotPermitted DstMultipartUploadNotPermitted
        DstMultipartCompleteNotPermitted DstKmsKeyNotFound DstKmsKeyInvalidState
        SrcGetObjectAnnotationNotPermitted DstPutObjectAnnotationNotPermitted""",
    FailureClass.OTHER_ROUTE: "SrcObjectNotEligible DstObjectHardDeleted",
    FailureClass.GONE: "SrcObjectNotFound SrcKeyNotFound SrcVersionNotFound",
    FailureClass.BENIGN: "SrcReplicationNotPending",
    FailureClass.STATE: """DstVersionNotFound SrcAnnotationNotFound
        SrcAnnotationEncryptionUnsupported AnnotationLimitExceeded""",
}
"""S3 User Guide: replication-metrics-events."""


@pytest.mark.parametrize(
    ("code", "cls"), [(code, cls) for cls, codes in DOCUMENTED.items() for code in codes.split()]
)
def test_every_documented_code_has_its_class_sentence_and_mend(
    code: str, cls: FailureClass
) -> None:
    """If this fails, a documented failure is tried again in vain, dropped, or not explained."""
    failure = failure_of(code, 500, "")
    assert (failure.cls, failure.code) == (cls, code)
    assert failure.sentence.endswith(".")
    assert failure.mend.endswith(".") or cls is FailureClass.BENIGN


PERMISSIONS = {
    "InitiateReplicationNotPermitted": ["s3:InitiateReplication", "SOURCE/*", "batch role"],
    "SrcGetObjectNotPermitted": ["s3:GetObjectVersionForReplication", "kms:Decrypt"],
    "SrcHeadObjectNotPermitted": ["s3:GetObjectVersionForReplication"],
    "SrcGetAclNotPermitted": ["s3:GetObjectVersionAcl", "BucketOwnerEnforced"],
    "SrcGetTaggingNotPermitted": ["s3:GetObjectVersionTagging"],
    "SrcGetRetentionNotPermitted": ["s3:GetObjectRetention"],
    "SrcGetLegalHoldNotPermitted": ["s3:GetObjectLegalHold"],
    "DstPutObjectNotPermitted": ["s3:ReplicateObject", "s3:ObjectOwnerOverride", "kms:Generate"],
    "DstPutTaggingNotPermitted": ["s3:ReplicateTags"],
    "DstPutRetentionNotPermitted": ["s3:PutObjectRetention"],
    "DstPutLegalHoldNotPermitted": ["s3:PutObjectLegalHold"],
    "DstDelObjNotPermitted": ["s3:ReplicateDelete", "bucket policy"],
    "AssumeRoleNotPermitted": ["s3.amazonaws.com", "batchoperations.s3.amazonaws.com"],
    "SrcObjectNotEligible": ["Archive class", "Archive tier", "Rule"],
    "DstObjectHardDeleted": ["Copy"],
}


@pytest.mark.parametrize("code", PERMISSIONS)
def test_a_mend_names_the_very_permission_or_step(code: str) -> None:
    """If this fails, a person must look up what to grant, and to whom."""
    mend = failure_of(code, 500, "").mend
    assert [words for words in PERMISSIONS[code] if words not in mend] == []


REFERENCE = Path(__file__).parents[3] / "docs/reference/failure-codes.md"


def test_the_reference_tells_every_code_as_it_is() -> None:
    """If this fails, a person grants an action, or looks for a code, that there is not."""
    told = re.findall(
        r"^\| `([A-Z]\w+)` \| `([a-z-]+)` \| (.*) \| (.*) \|$", REFERENCE.read_text(), re.MULTILINE
    )
    assert told == [
        (code, known.cls.value, known.sentence, known.mend) for code, known in FAILURE_CODES.items()
    ]


ON_THE_SOURCE = {
    "SrcHeadObjectNotPermitted": "s3:GetObjectVersionForReplication",
    "SrcGetTaggingNotPermitted": "s3:GetObjectVersionTagging",
    "SrcGetRetentionNotPermitted": "s3:GetObjectRetention",
    "SrcGetLegalHoldNotPermitted": "s3:GetObjectLegalHold",
    "SrcGetObjectAnnotationNotPermitted": "s3:GetObjectVersionAnnotationForReplication",
}
ON_THE_DESTINATION = {
    "DstPutAclNotPermitted": "s3:ReplicateObject",
    "DstPutTaggingNotPermitted": "s3:ReplicateObject and s3:ReplicateTags",
    "DstPutRetentionNotPermitted": "s3:ReplicateObject and s3:PutObjectRetention",
    "DstPutLegalHoldNotPermitted": "s3:ReplicateObject and s3:PutObjectLegalHold",
    "DstDelObjNotPermitted": "s3:ReplicateDelete",
    "DstMultipartInitNotPermitted": "s3:ReplicateObject",
    "DstMultipartUploadNotPermitted": "s3:ReplicateObject",
    "DstMultipartCompleteNotPermitted": "s3:ReplicateObject",
}


@pytest.mark.parametrize("code", ON_THE_SOURCE | ON_THE_DESTINATION)
def test_a_mend_names_the_actions_whole_and_nothing_else(code: str) -> None:
    """If this fails, a person grants an action that IAM does not know, or one too few."""
    mend = failure_of(code, 500, "").mend
    if code in ON_THE_SOURCE:
        assert re.match(f"Grant {ON_THE_SOURCE[code]} (\\(.*\\) )?on arn:aws:s3:::SOURCE/", mend)
    else:
        assert mend.startswith(f"Grant {ON_THE_DESTINATION[code]} on arn:aws:s3:::DESTINATION/*")


@pytest.mark.parametrize(
    ("code", "http_status", "message", "cls", "shown"),
    [
        ("", 500, "SrcVersionNotFound: it went", FailureClass.GONE, "SrcVersionNotFound"),
        ("", 404, "DstObjectHardDeleted:", FailureClass.OTHER_ROUTE, "DstObjectHardDeleted"),
        ("NoSuchKey", 404, "DstKmsKeyNotFound: said by another", FailureClass.GONE, "NoSuchKey"),
        ("SlowDown", 503, "", FailureClass.AGAIN, "SlowDown"),
        ("InternalError", 500, "", FailureClass.AGAIN, "InternalError"),
        ("", 500, "", FailureClass.AGAIN, "HTTP500"),
        ("", 503, "Please reduce: your rate", FailureClass.AGAIN, "HTTP503"),
        ("NewThrottle", 429, "", FailureClass.AGAIN, "NewThrottle"),
        ("NewReplicationRefusal", 500, "", FailureClass.UNKNOWN, "NewReplicationRefusal"),
        ("NewRefusal", 403, "", FailureClass.UNKNOWN, "NewRefusal"),
        ("", 403, "no", FailureClass.UNKNOWN, "HTTP403"),
        ("", None, "", FailureClass.UNKNOWN, "NoCode"),
        ("NoSuchKey", 404, "", FailureClass.GONE, "NoSuchKey"),
        # Not gone: the manifest was wrong, and the version may be there.
        ("SrcObjectNotFound", 404, "Object versionID is invalid", FailureClass.AFTER_MEND, None),
        ("", 404, "SrcObjectNotFound: Object versionID is invalid", FailureClass.AFTER_MEND, None),
        ("InvalidRequest", 400, "Task failed due to missing VersionId", "after-mend", None),
    ],
)
def test_what_is_not_in_the_table_is_judged_by_status_and_message(
    code: str, http_status: int | None, message: str, cls: str, shown: str | None
) -> None:
    """If this fails, a throttled task fails for good, or a final refusal is tried for ever."""
    failure = failure_of(code, http_status, message)
    assert failure.cls == cls
    assert failure.http_status == http_status
    assert failure.code == (shown or code or "SrcObjectNotFound")


@given(st.text() | st.sampled_from(sorted(FAILURE_CODES)), st.none() | st.integers(), st.text())
def test_every_failure_is_explained(code: str, http_status: int | None, message: str) -> None:
    """If this fails, a code that S3 adds tomorrow ends the run instead of being counted."""
    failure = failure_of(code, http_status, message)
    assert failure.code
    assert failure.sentence
    assert not code or failure.code == code
