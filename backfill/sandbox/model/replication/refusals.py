"""Every way in which S3 refuses a replication configuration, one entry each.

UG is the S3 User Guide, API the S3 API Reference.
Law: as `model/refusals.py`: nothing is refused but by an entry of a table.
"""

from __future__ import annotations

from backfill.sandbox.model.refusals import refusal

NO_CONFIGURATION = refusal(
    "ReplicationConfigurationNotFoundError",
    404,
    "The replication configuration was not found",
    "A bucket without a configuration says so (API: GetBucketReplication)",
)
SOURCE_NOT_VERSIONED = refusal(
    "InvalidRequest",
    400,
    "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
    "Source versioning is checked when the configuration is put (UG: replication-requirements)",
)
DESTINATION_NOT_VERSIONED = refusal(
    "InvalidRequest",
    400,
    "Destination bucket must have versioning enabled.",
    "Destination versioning is checked when the configuration is put; a bucket that does not exist"
    " is answered alike (UG: replication-requirements)",
)
TOO_MANY_RULES = refusal(
    "InvalidRequest",
    400,
    "The number of replication rules must not exceed the allowed limit of 1000 rules.",
    "At most 1,000 rules (UG: replication-add-config)",
)
SAME_RULE_ID = refusal(
    "InvalidArgument",
    400,
    "Rule Id must be unique. Found same Id for more than one rule",
    "Rule IDs are unique (API: ReplicationRule)",
)
BAD_RULE_ID = refusal(
    "InvalidArgument",
    400,
    "Rule Id must be at most 255 ASCII characters",
    "A rule ID has at most 255 ASCII characters (API: ErrorResponses)",
)
SAME_PRIORITY = refusal(
    "InvalidRequest",
    400,
    "Found rules with the same priority. Priority must be unique",
    "Rules have different priorities (UG: replication-add-config)",
)
FILTER_WITHOUT_PRIORITY = refusal(
    "InvalidRequest",
    400,
    "Priority must be specified for this version of Cross Region Replication configuration schema.",
    "A rule with Filter needs Priority (UG: replication-add-config)",
)
FILTER_WITHOUT_MARKERS = refusal(
    "InvalidRequest",
    400,
    "DeleteMarkerReplication must be specified for this version of Cross Region Replication"
    " configuration schema.",
    "A rule with Filter needs DeleteMarkerReplication (UG: replication-add-config)",
)
TAGS_WITH_MARKERS = refusal(
    "InvalidRequest",
    400,
    "Delete marker replication is not supported if any Tag filter is specified.",
    "Delete markers have no tags (UG: delete-marker-replication)",
)
V2_ELEMENT_IN_V1 = refusal(
    "InvalidRequest",
    400,
    "The replication configuration uses elements of the latest schema; specify Filter.",
    "A rule without Filter has no priority, no delete marker element, no RTC and no replica"
    " modifications (UG: replication-add-config)",
)
OVERLAPPING_PREFIXES = refusal(
    "InvalidRequest",
    400,
    "Found overlapping prefixes",
    "Rules of the first schema have no priority, so their prefixes cannot overlap"
    " (UG: replication-add-config)",
)
SEVERAL_V1_DESTINATIONS = refusal(
    "InvalidRequest",
    400,
    "Number of distinct destination bucket ARNs cannot exceed 1",
    "The first schema knows one destination bucket (UG: replication-add-config)",
)
TOO_MANY_DESTINATIONS = refusal(
    "InvalidRequest",
    400,
    "Number of distinct destination bucket ARNs cannot exceed 28",
    "A source has up to 28 destination buckets (General Reference: Amazon S3 quotas)",
)
KMS_WITHOUT_KEY = refusal(
    "InvalidRequest",
    400,
    "ReplicaKmsKeyID must be specified if SseKmsEncryptedObjects tag is present.",
    "Selecting SSE-KMS objects needs a replica key (UG: replication-config-for-kms-objects)",
)
KEY_WITHOUT_KMS = refusal(
    "InvalidRequest",
    400,
    "SseKmsEncryptedObjects must be specified if EncryptionConfiguration tag is present",
    "A replica key needs the selection of SSE-KMS objects (UG: replication-config-for-kms-objects)",
)
BAD_DESTINATION = refusal(
    "InvalidArgument",
    400,
    "Invalid bucket ARN.",
    "A destination is the ARN of a bucket, another than the source (API: Destination)",
)
BAD_STORAGE_CLASS = refusal(
    "InvalidArgument",
    400,
    "Invalid storage class.",
    "Replicas have one of S3's storage classes, FSX_OPENZFS excepted (API: Destination)",
)
OWNER_WITHOUT_ACCOUNT = refusal(
    "InvalidRequest",
    400,
    "Account must be specified when owner override is set.",
    "Owner translation names the destination's account (UG: replication-change-owner)",
)
WRONG_ACCOUNT = refusal(
    "InvalidArgument",
    400,
    "Account must own the destination bucket",
    "Account is the destination bucket's owner, and not empty (API: ErrorResponses)",
)
CROSS_ACCOUNT_ROLE = refusal(
    "AccessDenied",
    403,
    "Cross-account pass role is not allowed.",
    "The role is of the source bucket's account (IAM User Guide: id_roles_use_passrole)",
)
TIME_WITHOUT_METRICS = refusal(
    "InvalidRequest",
    400,
    "ReplicationTime and Metrics must both be specified, with the same status.",
    "Replication Time Control goes with metrics of the same status (UG: replication-time-control)",
)
NOT_FIFTEEN_MINUTES = refusal(
    "InvalidArgument",
    400,
    "Minutes must be 15",
    "Time and event threshold are 15 minutes (API: ErrorResponses)",
)
