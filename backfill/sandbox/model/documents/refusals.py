"""Every way in which S3 refuses these configurations, one entry each.

UG is the S3 User Guide, API the S3 API Reference.
Law: as `model/refusals.py`: nothing is refused but by an entry of a table.
"""

from __future__ import annotations

from backfill.sandbox.model.bucket_refusals import NO_BUCKET_POLICY
from backfill.sandbox.model.refusals import MALFORMED_XML as MALFORMED
from backfill.sandbox.model.refusals import refusal

__all__ = ["MALFORMED", "NO_BUCKET_POLICY"]

NO_LIFECYCLE = refusal(
    "NoSuchLifecycleConfiguration",
    404,
    "The lifecycle configuration does not exist",
    "(API: GetBucketLifecycleConfiguration)",
)
TOO_MANY_LIFECYCLE_RULES = refusal(
    "InvalidRequest",
    400,
    "The number of lifecycle rules must not exceed the allowed limit of 1000 rules.",
    "At most 1,000 rules (API: PutBucketLifecycleConfiguration)",
)
SAME_LIFECYCLE_ID = refusal(
    "InvalidArgument",
    400,
    "Rule ID must be unique. Found same ID for more than one rule",
    "Rule IDs are unique (API: LifecycleRule)",
)
LONG_LIFECYCLE_ID = refusal(
    "InvalidArgument",
    400,
    "ID length should not exceed allowed limit of 255",
    "A rule ID has up to 255 characters (API: LifecycleRule)",
)
NO_LIFECYCLE_ACTION = refusal(
    "InvalidRequest",
    400,
    "At least one action needs to be specified in a rule.",
    "A rule does something (UG: intro-lifecycle-rules)",
)
NO_POSITIVE_DAYS = refusal(
    "InvalidArgument",
    400,
    "'Days' for the action must be a positive integer",
    "Periods are positive; only a transition may be at once (UG: intro-lifecycle-rules)",
)
TAGS_WITH_MARKER_EXPIRATION = refusal(
    "InvalidRequest",
    400,
    "The action cannot be specified with a tag-based filter.",
    "Expired delete markers and unfinished uploads have no tags (UG: intro-lifecycle-rules)",
)
NO_PUBLIC_ACCESS_BLOCK = refusal(
    "NoSuchPublicAccessBlockConfiguration",
    404,
    "The public access block configuration was not found",
    "(API: GetPublicAccessBlock)",
)
PUBLIC_POLICY = refusal(
    "AccessDenied",
    403,
    "Public policies are blocked.",
    "BlockPublicPolicy refuses a public policy (UG: access-control-block-public-access)",
)
NO_TAGS = refusal("NoSuchTagSet", 404, "The TagSet does not exist", "(API: GetBucketTagging)")
BUCKET_NOT_EMPTY = refusal(
    "BucketNotEmpty",
    409,
    "The bucket you tried to delete is not empty",
    "Every version and delete marker must be gone first (API: DeleteBucket)",
)
NO_OWNERSHIP_CONTROLS = refusal(
    "OwnershipControlsNotFoundError",
    404,
    "The bucket ownership controls were not found",
    "(API: GetBucketOwnershipControls)",
)
