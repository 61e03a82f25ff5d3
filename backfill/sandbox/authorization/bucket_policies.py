"""Why S3 refuses a bucket policy that is JSON and a policy: whom, what and which keys it names.

Never evaluates. One law: an action is for objects or for the bucket, and a statement whose action
applies to none of its resources is refused, as by S3 (Service Authorization Reference: Amazon S3).
"""

from collections.abc import Iterable

from backfill.sandbox.authorization.policies import (
    PolicyError,
    Statement,
    matches,
    resource_policy,
)


def _actions(names: str) -> frozenset[str]:
    return frozenset(f"s3:{name}" for name in names.split())


OBJECT_ACTIONS = _actions(
    "AbortMultipartUpload BypassGovernanceRetention DeleteObject DeleteObjectTagging"
    " DeleteObjectVersion DeleteObjectVersionTagging GetObject GetObjectAcl"
    " GetObjectAttributes GetObjectLegalHold GetObjectRetention GetObjectTagging"
    " GetObjectTorrent GetObjectVersion GetObjectVersionAcl GetObjectVersionAttributes"
    " GetObjectVersionForReplication GetObjectVersionTagging GetObjectVersionTorrent"
    " InitiateReplication ListMultipartUploadParts ObjectOwnerOverrideToBucketOwner PutObject"
    " PutObjectAcl PutObjectLegalHold PutObjectRetention PutObjectTagging PutObjectVersionAcl"
    " PutObjectVersionTagging ReplicateDelete ReplicateObject ReplicateTags RestoreObject"
    " UpdateObjectEncryption DeleteObjectAnnotation DeleteObjectVersionAnnotation"
    " GetObjectAnnotation GetObjectVersionAnnotation"
    " GetObjectVersionAnnotationForReplication PutObjectAnnotation PutObjectVersionAnnotation"
)
BUCKET_ACTIONS = _actions(
    "CreateBucket CreateBucketMetadataTableConfiguration DeleteBucket"
    " DeleteBucketMetadataTableConfiguration DeleteBucketPolicy DeleteBucketWebsite"
    " GetAccelerateConfiguration GetAnalyticsConfiguration GetBucketAcl GetBucketCORS"
    " GetBucketLocation GetBucketLogging GetBucketMetadataTableConfiguration"
    " GetBucketNotification GetBucketObjectLockConfiguration GetBucketOwnershipControls"
    " GetBucketPolicy GetBucketPolicyStatus GetBucketPublicAccessBlock GetBucketRequestPayment"
    " GetBucketTagging GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration"
    " GetIntelligentTieringConfiguration GetInventoryConfiguration GetLifecycleConfiguration"
    " GetMetricsConfiguration GetReplicationConfiguration ListBucket"
    " ListBucketMultipartUploads ListBucketVersions PutAccelerateConfiguration"
    " PutAnalyticsConfiguration PutBucketAcl PutBucketCORS PutBucketLogging"
    " PutBucketNotification PutBucketObjectLockConfiguration PutBucketOwnershipControls"
    " PutBucketPolicy PutBucketPublicAccessBlock PutBucketRequestPayment PutBucketTagging"
    " PutBucketVersioning PutBucketWebsite PutEncryptionConfiguration"
    " PutIntelligentTieringConfiguration PutInventoryConfiguration PutLifecycleConfiguration"
    " PutMetricsConfiguration PutReplicationConfiguration"
)
_CONDITION_PREFIXES = ("aws:", "s3:")


def bucket_policy_flaw(document: str, bucket: str) -> str | None:
    """Why S3 would refuse this bucket policy, or None (S3 API: PutBucketPolicy)."""
    try:
        policy = resource_policy(document)
    except PolicyError as error:
        return str(error)
    flaws = (_flaw(statement, f"arn:aws:s3:::{bucket}") for statement in policy.statements)
    return next((flaw for flaw in flaws if flaw is not None), None)


def _flaw(statement: Statement, bucket_arn: str) -> str | None:
    for resource in statement.resources:
        if resource != bucket_arn and not resource.startswith(f"{bucket_arn}/"):
            return "Policy has invalid resource"
    if any(not c.key.startswith(_CONDITION_PREFIXES) for c in statement.conditions):
        return "Policy has an invalid condition key"
    kinds: list[frozenset[str]] = []
    if bucket_arn in statement.resources:
        kinds.append(BUCKET_ACTIONS)
    if any(resource != bucket_arn for resource in statement.resources):
        kinds.append(OBJECT_ACTIONS)
    everything = statement.is_not_action or statement.is_not_resource
    for action in statement.actions:
        if not _is_any_like(action, BUCKET_ACTIONS | OBJECT_ACTIONS):
            return "Policy has invalid action"
        if not everything and not any(_is_any_like(action, kind) for kind in kinds):
            return "Action does not apply to any resource(s) in statement"
    return None


def _is_any_like(pattern: str, actions: Iterable[str]) -> bool:
    return any(matches(pattern, action, ignores_case=True) for action in actions)
