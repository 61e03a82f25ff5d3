"""Every way in which S3 refuses to make or configure a bucket, one entry each.

UG is the S3 User Guide, API the S3 API Reference.
Law: as `refusals.py`: nothing is refused but by an entry of a table.
"""

from __future__ import annotations

from backfill.sandbox.model.refusals import refusal

BUCKET_OWNED_BY_YOU = refusal(
    "BucketAlreadyOwnedByYou",
    409,
    "Your previous request to create the named bucket succeeded and you already own it.",
    "Making a bucket of one's own again is refused; that us-east-1 takes it for old clients' sake "
    "is left out (API: CreateBucket)",
)
BUCKET_EXISTS = refusal(
    "BucketAlreadyExists",
    409,
    "The requested bucket name is not available. The bucket namespace is shared by all users of "
    "the system. Please select a different name and try again.",
    "Bucket names are unique among all accounts (UG: bucketnamingrules)",
)
INVALID_BUCKET_NAME = refusal(
    "InvalidBucketName",
    400,
    "The specified bucket is not valid.",
    "3 to 63 lower case letters, digits, dots and hyphens (UG: bucketnamingrules)",
)
ILLEGAL_LOCATION = refusal(
    "IllegalLocationConstraintException",
    400,
    "The location constraint is incompatible for the region specific endpoint this request was "
    "sent to.",
    "A bucket is made at its Region's endpoint, which the request names (API: CreateBucket)",
)
REPLICATION_NEEDS_VERSIONING = refusal(
    "InvalidBucketState",
    409,
    "A replication configuration is present on this bucket, so the versioning state cannot be "
    "changed.",
    "No suspending while a replication configuration is there "
    "(UG: replication-and-other-bucket-configs)",
)
LOCK_NEEDS_VERSIONING = refusal(
    "InvalidBucketState",
    409,
    "An Object Lock configuration is present on this bucket, so the versioning state cannot be "
    "changed.",
    "Object Lock works only with versioning enabled (UG: object-lock)",
)
LOCK_BEFORE_VERSIONING = refusal(
    "InvalidBucketState",
    409,
    "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
    "Object Lock works only with versioning enabled (API: PutObjectLockConfiguration)",
)
NO_BUCKET_POLICY = refusal(
    "NoSuchBucketPolicy", 404, "The bucket policy does not exist", "(API: GetBucketPolicy)"
)
MALFORMED_POLICY = refusal(
    "MalformedPolicy",
    400,
    "Policies must be valid JSON and the first byte must be '{'",
    "A policy is a JSON object of up to 20 KB (UG: bucket-policies)",
)
NO_LOCK_CONFIGURATION = refusal(
    "ObjectLockConfigurationNotFoundError",
    404,
    "Object Lock configuration does not exist for this bucket",
    "A bucket without Object Lock has no configuration of it (API: GetObjectLockConfiguration)",
)
POLICY_OF_ANOTHER_ACCOUNT = refusal(
    "MethodNotAllowed",
    405,
    "The specified method is not allowed against this resource.",
    "Only identities of the bucket owner's account may manage a policy (API: PutBucketPolicy)",
)
INVALID_LOCATION = refusal(
    "InvalidLocationConstraint",
    400,
    "The specified location-constraint is not valid",
    "us-east-1 is said by saying no location (API: CreateBucket)",
)
POLICY_TOO_LARGE = refusal(
    "PolicyTooLarge",
    400,
    "Policy exceeds the maximum allowed document size.",
    "A bucket policy has up to 20 KB (UG: bucket-policies)",
)
INVALID_DEFAULT_RETENTION = refusal(
    "InvalidArgument",
    400,
    "Default retention period must be a positive integer value.",
    "Either days or years, more than none (API: PutObjectLockConfiguration)",
)
DEFAULT_RETENTION_TOO_LONG = refusal(
    "InvalidArgument",
    400,
    "Default retention period too large.",
    "Up to 36,500 days or 100 years (UG: object-lock)",
)
UNKNOWN_OWNERSHIP = refusal(
    "InvalidArgument",
    400,
    "Invalid x-amz-object-ownership header",
    "BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter (UG: about-object-ownership)",
)
