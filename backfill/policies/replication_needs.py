"""What S3 itself and the replication role need: trust, both buckets, both keys.

Never decides whether it is granted. Sources: S3 User Guide, setting-repl-config-perm-overview,
replication-config-for-kms-objects, replication-walkthrough-2, bucket-key,
replication-metrics-events. Law: one row an action, beside it the failure codes of its lack.
"""

from typing import Final

from backfill.policies.need import Feature, Need, On, Party, Weight, needs

_READS: Final = ("SrcGetObjectNotPermitted", "SrcHeadObjectNotPermitted")
_MULTIPART: Final = (
    "DstMultipartInitNotPermitted",
    "DstMultipartUploadNotPermitted",
    "DstMultipartCompleteNotPermitted",
)
_WRITES: Final = "DstPutObjectNotPermitted"
_TAGS, _LOCK, _KMS = Feature.TAGS, Feature.OBJECT_LOCK, Feature.SSE_KMS


_TRUST: Final = (
    *needs(
        Party.REPLICATION_SERVICE,
        On.REPLICATION_ROLE,
        ("sts:AssumeRole", "S3 replicates as this role", ("AssumeRoleNotPermitted",)),
    ),
    *(
        need
        for feature in (
            Feature.REPLICATE_JOBS,
            Feature.CHECKSUM_JOBS,
            Feature.DESTINATION_CHECKSUM_JOBS,
            Feature.COPY_JOBS,
        )
        for need in needs(
            Party.BATCH_SERVICE,
            On.BATCH_ROLE,
            ("sts:AssumeRole", "S3 runs jobs as this role", ("AssumeRoleNotPermitted",)),
            features=(feature,),
        )
    ),
)

_AT_SOURCE: Final = (
    *needs(
        Party.REPLICATION_ROLE,
        On.SOURCE_BUCKET,
        (
            "s3:GetReplicationConfiguration",
            "S3 reads the rules as the role",
            ("SrcReplicationNotPermitted", "SrcBucketReplicationConfigMissing"),
        ),
    ),
    *needs(
        Party.REPLICATION_ROLE,
        On.SOURCE_BUCKET,
        ("s3:ListBucket", "S3 looks for what delete markers hide", ("SrcHeadObjectNotPermitted",)),
        features=(Feature.DELETE_MARKERS,),
    ),
    *needs(
        Party.REPLICATION_ROLE,
        On.SOURCE_BUCKET,
        ("s3:ListBucket", "without it what is gone looks like what is denied"),
        weight=Weight.ADVISED,
    ),
    *needs(
        Party.REPLICATION_ROLE,
        On.SOURCE_OBJECTS,
        (
            "s3:GetObjectVersionForReplication",
            "reads versions; s3:GetObjectVersion does not do for SSE-KMS",
            (*_READS, "SrcReplicationNotPermitted"),
        ),
        ("s3:GetObjectVersionAcl", "the ACL goes along", ("SrcGetAclNotPermitted",)),
    ),
    *needs(
        Party.REPLICATION_ROLE,
        On.SOURCE_OBJECTS,
        (
            "s3:GetObjectVersionTagging",
            "without it replicas arrive without their tags, and nobody is told",
            ("SrcGetTaggingNotPermitted",),
        ),
        features=(_TAGS,),
    ),
    *needs(
        Party.REPLICATION_ROLE,
        On.SOURCE_OBJECTS,
        ("s3:GetObjectRetention", "the retention goes along", ("SrcGetRetentionNotPermitted",)),
        ("s3:GetObjectLegalHold", "the legal hold goes along", ("SrcGetLegalHoldNotPermitted",)),
        features=(_LOCK,),
    ),
    *needs(
        Party.REPLICATION_ROLE,
        On.SOURCE_OBJECTS,
        (
            "s3:GetObjectVersionAnnotationForReplication",
            "annotations go along",
            ("SrcGetObjectAnnotationNotPermitted",),
        ),
        features=(Feature.ANNOTATIONS,),
    ),
    *needs(
        Party.REPLICATION_ROLE,
        On.SOURCE_KEY,
        ("kms:Decrypt", "S3 decrypts the source as the role", _READS),
        features=(_KMS,),
    ),
)

_AT_DESTINATION: Final = (
    *needs(
        Party.REPLICATION_ROLE,
        On.DESTINATION_OBJECTS,
        (
            "s3:ReplicateObject",
            "writes replicas",
            (
                _WRITES,
                "DstPutAclNotPermitted",
                "DstPutTaggingNotPermitted",
                "DstPutRetentionNotPermitted",
                "DstPutLegalHoldNotPermitted",
                "DstPutObjectAnnotationNotPermitted",
                *_MULTIPART,
            ),
        ),
    ),
    *needs(
        Party.REPLICATION_ROLE,
        On.DESTINATION_OBJECTS,
        (
            "s3:ReplicateTags",
            "tags go along; s3:ReplicateObject covers them, AWS lists both",
            ("DstPutTaggingNotPermitted",),
        ),
        features=(_TAGS,),
        weight=Weight.ADVISED,
    ),
    *needs(
        Party.REPLICATION_ROLE,
        On.DESTINATION_OBJECTS,
        ("s3:ReplicateDelete", "writes delete markers", ("DstDelObjNotPermitted",)),
        features=(Feature.DELETE_MARKERS,),
    ),
    *needs(
        Party.REPLICATION_ROLE,
        On.DESTINATION_OBJECTS,
        (
            "s3:ObjectOwnerOverrideToBucketOwner",
            "the rule hands replicas over to the destination's owner",
            (_WRITES, "DstPutAclNotPermitted"),
        ),
        features=(Feature.OWNER_OVERRIDE,),
    ),
    *needs(
        Party.REPLICATION_ROLE,
        On.DESTINATION_OBJECTS,
        ("s3:PutObjectRetention", "writes the retention", ("DstPutRetentionNotPermitted",)),
        ("s3:PutObjectLegalHold", "writes the legal hold", ("DstPutLegalHoldNotPermitted",)),
        features=(_LOCK,),
        weight=Weight.AFTER_FAILURE,
    ),
    *needs(
        Party.REPLICATION_ROLE,
        On.DESTINATION_KEY,
        ("kms:Encrypt", "S3 encrypts replicas as the role", (_WRITES, *_MULTIPART)),
        features=(_KMS,),
    ),
    *(
        need
        for features, weight in (
            ((_KMS, Feature.DESTINATION_BUCKET_KEY), Weight.REQUIRED),
            ((_KMS,), Weight.ADVISED),
        )
        for need in needs(
            Party.REPLICATION_ROLE,
            On.DESTINATION_KEY,
            ("kms:GenerateDataKey", "S3 makes the data keys of replicas", (_WRITES, *_MULTIPART)),
            ("kms:Decrypt", "S3 Bucket Keys, and parts of large replicas", (_WRITES, *_MULTIPART)),
            features=features,
            weight=weight,
        )
    ),
)

ON_DESTINATION_BUCKET: Final = needs(
    Party.REPLICATION_ROLE,
    On.DESTINATION_BUCKET,
    ("s3:GetBucketVersioning", "AWS's example of the destination's policy has it"),
    ("s3:PutBucketVersioning", "AWS's example of the destination's policy has it"),
    ("s3:ListBucket", "AWS's example of the destination's policy has s3:List*"),
    weight=Weight.ADVISED,
)
"""Only for the destination's bucket policy: the role's own policy never has them in AWS's examples,
so that across accounts they allow nothing by themselves."""

WIDELY_COPIED: Final = frozenset(
    {"s3:putobject", "s3:putobjectacl", "s3:getobjectversionforreplication", "s3:replicateobject"}
)
"""What marks the destination policy that articles and answers hand on: its first two are for
writing copies, its third for reading a source; replication into this bucket uses none of them."""

REPLICATION_NEEDS: Final[tuple[Need, ...]] = (*_TRUST, *_AT_SOURCE, *_AT_DESTINATION)
