"""Which actions each party of a lane needs, on what.

Never words a statement. Facts: S3 User Guide, setting-repl-config-perm-overview,
replication-config-for-kms-objects, s3-batch-replication-policies, batch-ops-iam-role-policies.
Law: least privilege; an action stands here for a reason that stands beside it.
"""

from typing import Final

READ_BUCKET: Final = ("s3:GetReplicationConfiguration", "s3:ListBucket")
# GetObjectVersion instead would read SSE-S3 objects, and none under SSE-KMS; without
# GetObjectVersionTagging objects arrive without their tags, and nobody is told.
READ_VERSIONS: Final = (
    "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionTagging",
)
READ_LOCKS: Final = ("s3:GetObjectLegalHold", "s3:GetObjectRetention")
READ_ANNOTATIONS: Final = ("s3:GetObjectVersionAnnotationForReplication",)
WRITE_REPLICAS: Final = ("s3:ReplicateObject", "s3:ReplicateTags")
WRITE_DELETE_MARKERS: Final = ("s3:ReplicateDelete",)
OVERRIDE_OWNER: Final = ("s3:ObjectOwnerOverrideToBucketOwner",)
ON_DESTINATION_BUCKET: Final = ("s3:GetBucketVersioning", "s3:List*", "s3:PutBucketVersioning")
DECRYPT: Final = ("kms:Decrypt",)
ENCRYPT: Final = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey")
INITIATE: Final = ("s3:InitiateReplication",)
GENERATE_MANIFEST: Final = ("s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration")
READ_MANIFESTS: Final = ("s3:GetObject", "s3:GetObjectVersion")
WRITE_REPORTS: Final = ("s3:PutObject",)
COMPUTE_CHECKSUMS: Final = ("s3:GetObject", "s3:GetObjectVersion", "s3:RestoreObject")
REPLICATION_SERVICE: Final = "s3.amazonaws.com"
BATCH_SERVICE: Final = "batchoperations.s3.amazonaws.com"
