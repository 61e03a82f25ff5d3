"""What jobs, copies, those who set up, and readers of replicas need.

Never decides whether it is granted. Sources: S3 User Guide, s3-batch-replication-policies,
batch-ops-iam-role-policies, batch-ops-compute-checksums; S3 API: CopyObject; and `manifests/`,
where the same stands as documents to paste. Law: one row an action.
"""

from collections.abc import Iterable
from typing import Final

from backfill.policies.need import Feature, Need, On, Party, Weight, needs

_DENIED: Final = "AccessDenied"
_LOCK, _KMS = Feature.OBJECT_LOCK, Feature.SSE_KMS


def _of_jobs() -> Iterable[Need]:
    role = Party.BATCH_ROLE
    yield from needs(
        role,
        On.SOURCE_OBJECTS,
        (
            "s3:InitiateReplication",
            "starts the replication of each object: on the objects, not on the bucket",
            ("InitiateReplicationNotPermitted", _DENIED),
        ),
        features=(Feature.REPLICATE_JOBS,),
    )
    yield from needs(
        role,
        On.SOURCE_BUCKET,
        (
            "s3:GetReplicationConfiguration",
            "S3 finds what is eligible",
            ("SrcBucketReplicationConfigMissing",),
        ),
        ("s3:PutInventoryConfiguration", "this is how S3 generates a manifest", (_DENIED,)),
        features=(Feature.GENERATED_MANIFEST,),
    )
    yield from needs(
        role,
        On.BATCH_OBJECTS,
        ("s3:GetObject", "reads the manifest", (_DENIED,)),
        ("s3:GetObjectVersion", "reads the manifest's own version", (_DENIED,)),
        ("s3:PutObject", "writes the completion report, and a manifest that it generates"),
    )
    yield from needs(
        role,
        On.BATCH_KEY,
        ("kms:Decrypt", "the manifest is under SSE-KMS", (_DENIED,)),
        ("kms:GenerateDataKey", "the manifest is under SSE-KMS", (_DENIED,)),
        features=(Feature.KMS_MANIFEST,),
    )


def _of_jobs_on_objects() -> Iterable[Need]:
    role = Party.BATCH_ROLE
    for feature, objects, key in (
        (Feature.CHECKSUM_JOBS, On.SOURCE_OBJECTS, On.SOURCE_KEY),
        (Feature.DESTINATION_CHECKSUM_JOBS, On.DESTINATION_OBJECTS, On.DESTINATION_KEY),
    ):
        yield from needs(
            role,
            objects,
            ("s3:GetObject", "reads the bytes", (_DENIED,)),
            ("s3:GetObjectVersion", "reads the version that the manifest names", (_DENIED,)),
            ("s3:RestoreObject", "reads archived objects", (_DENIED,)),
            features=(feature,),
        )
        yield from needs(
            role, key, ("kms:Decrypt", "reads the bytes", (_DENIED,)), features=(feature, _KMS)
        )
    yield from _of_copies(role, Feature.COPY_JOBS)
    yield from needs(
        role,
        On.SOURCE_OBJECTS,
        ("s3:GetObjectAcl", "AWS lists it for Copy jobs", (_DENIED,)),
        ("s3:GetObjectVersionAcl", "AWS lists it for Copy jobs", (_DENIED,)),
        features=(Feature.COPY_JOBS,),
    )
    yield from needs(
        role,
        On.DESTINATION_OBJECTS,
        ("s3:PutObjectAcl", "AWS lists it for Copy jobs", (_DENIED,)),
        features=(Feature.COPY_JOBS,),
    )


def _of_copies(party: Party, *features: Feature) -> Iterable[Need]:
    """Give what CopyObject and UploadPartCopy need (S3 API: CopyObject, Permissions)."""
    yield from needs(
        party,
        On.SOURCE_BUCKET,
        ("s3:ListBucket", "without it what is gone looks like what is denied"),
        features=features,
    )
    yield from needs(
        party,
        On.SOURCE_OBJECTS,
        ("s3:GetObject", "reads the source", (_DENIED,)),
        ("s3:GetObjectVersion", "every copy pins a version", (_DENIED,)),
        ("s3:GetObjectTagging", "S3 refuses the copy without it", (_DENIED,)),
        ("s3:GetObjectVersionTagging", "S3 refuses the copy without it", (_DENIED,)),
        features=features,
    )
    yield from needs(
        party,
        On.DESTINATION_OBJECTS,
        ("s3:PutObject", "writes copies", (_DENIED,)),
        ("s3:PutObjectTagging", "copies carry their tags", (_DENIED,)),
        features=features,
    )
    yield from needs(
        party, On.SOURCE_KEY, ("kms:Decrypt", "reads the source"), features=(*features, _KMS)
    )
    yield from needs(
        party,
        On.DESTINATION_KEY,
        ("kms:GenerateDataKey", "writes copies"),
        ("kms:Decrypt", "S3 Bucket Keys, and parts of large copies"),
        features=(*features, _KMS),
    )


def _of_copy_workers() -> Iterable[Need]:
    party = Party.COPY_IDENTITY
    yield from _of_copies(party)
    yield from needs(
        party,
        On.DESTINATION_BUCKET,
        ("s3:GetBucketVersioning", "nothing is written where versioning is not Enabled"),
        ("s3:GetBucketOwnershipControls", "who will own the copies"),
        ("s3:GetBucketObjectLockConfiguration", "whether locks must be looked for"),
        ("s3:ListBucket", "finds the bucket and its Region"),
        ("s3:ListBucketVersions", "lists what is there"),
    )
    yield from needs(
        party,
        On.DESTINATION_OBJECTS,
        ("s3:GetObject", "a conditional write needs it, and copies are read back"),
        ("s3:GetObjectVersion", "copies are read back"),
        ("s3:GetObjectTagging", "without it a tagged object looks untagged"),
        ("s3:GetObjectVersionTagging", "without it a tagged object looks untagged"),
        ("s3:AbortMultipartUpload", "takes back what was begun"),
        ("s3:ListMultipartUploadParts", "goes on where a large copy was cut short"),
    )
    yield from needs(
        party,
        On.DESTINATION_OBJECTS,
        ("s3:DeleteObject", "writes delete markers"),
        features=(Feature.HIDING,),
    )
    yield from _of_extras(party)


def _of_extras(party: Party) -> Iterable[Need]:
    """Give what a copy needs that names locks and grants, and whoever reads them back."""
    yield from needs(
        party,
        On.DESTINATION_OBJECTS,
        ("s3:PutObjectRetention", "copies keep their retention", (_DENIED,)),
        ("s3:PutObjectLegalHold", "copies keep their legal hold", (_DENIED,)),
        ("s3:GetObjectRetention", "HEAD leaves the lock out without it"),
        ("s3:GetObjectLegalHold", "HEAD leaves the lock out without it"),
        features=(_LOCK,),
    )
    yield from needs(
        party,
        On.DESTINATION_OBJECTS,
        ("s3:PutObjectAcl", "copies are given their sources' grants", (_DENIED,)),
        ("s3:GetObjectAcl", "the grants of copies are compared"),
        ("s3:GetObjectVersionAcl", "the grants of copies are compared"),
        features=(Feature.ACLS,),
    )
    yield from needs(
        party,
        On.DESTINATION_BUCKET,
        ("s3:GetBucketAcl", "who will own copies, and so has full control of them"),
        ("s3:GetBucketPublicAccessBlock", "whether public grants would be refused"),
        features=(Feature.ACLS,),
    )


def _of_source_identity() -> Iterable[Need]:
    party = Party.SOURCE_IDENTITY
    yield from needs(
        party,
        On.SOURCE_BUCKET,
        ("s3:GetBucketVersioning", "replication needs versioning"),
        ("s3:GetReplicationConfiguration", "the rules decide"),
        ("s3:GetBucketOwnershipControls", "whether ACLs must be looked at"),
        ("s3:GetBucketObjectLockConfiguration", "whether locks must be looked for"),
        ("s3:ListBucket", "finds the bucket and its Region"),
        ("s3:ListBucketVersions", "lists what is there"),
    )
    yield from needs(
        party,
        On.SOURCE_OBJECTS,
        *(
            (f"s3:Get{name}", "HEADs tell what must be the same")
            for name in ("Object", "ObjectVersion")
        ),
        *(
            (f"s3:Get{name}Tagging", "without it a tagged object looks untagged")
            for name in ("Object", "ObjectVersion")
        ),
        *(
            (f"s3:Get{name}Acl", "an object with an ACL of its own is not copied without it")
            for name in ("Object", "ObjectVersion")
        ),
    )
    yield from needs(
        party,
        On.SOURCE_OBJECTS,
        ("s3:RestoreObject", "archived versions are restored before they are copied", (_DENIED,)),
        features=(Feature.RESTORES,),
    )
    yield from needs(
        party,
        On.SOURCE_OBJECTS,
        ("s3:GetObjectRetention", "HEAD leaves the lock out without it"),
        ("s3:GetObjectLegalHold", "HEAD leaves the lock out without it"),
        features=(_LOCK,),
    )
    yield from needs(party, On.SOURCE_KEY, ("kms:Decrypt", "HEADs of it"), features=(_KMS,))


def _of_creators() -> Iterable[Need]:
    source = Party.SOURCE_CREATOR
    yield from needs(
        source,
        On.SOURCE_BUCKET,
        ("s3:GetReplicationConfiguration", "rules of others stay"),
        ("s3:PutReplicationConfiguration", "puts the rules"),
    )
    yield from needs(
        source, On.REPLICATION_ROLE, ("iam:PassRole", "a configuration names the role")
    )
    for party, on, key in (
        (source, On.SOURCE_BUCKET, On.SOURCE_KEY),
        (Party.DESTINATION_CREATOR, On.DESTINATION_BUCKET, On.DESTINATION_KEY),
    ):
        yield from needs(
            party,
            on,
            ("s3:GetBucketVersioning", "replication needs versioning"),
            ("s3:PutBucketVersioning", "replication needs versioning"),
        )
        yield from needs(
            party,
            key,
            ("kms:GetKeyPolicy", "statements of others stay"),
            ("kms:PutKeyPolicy", "lets the role use the key"),
            features=(_KMS,),
        )
    yield from needs(
        Party.DESTINATION_CREATOR,
        On.DESTINATION_BUCKET,
        ("s3:GetBucketPolicy", "statements of others stay"),
        ("s3:PutBucketPolicy", "lets the role write"),
    )
    yield from needs(
        Party.DESTINATION_CREATOR,
        On.DESTINATION_BUCKET,
        ("s3:PutBucketOwnershipControls", "the destination's owner owns replicas"),
        features=(Feature.OWNER_OVERRIDE,),
        weight=Weight.ADVISED,
    )


def _of_job_creators() -> Iterable[Need]:
    source = Party.SOURCE_CREATOR
    jobs = (Feature.REPLICATE_JOBS,)
    yield from needs(source, On.BATCH_ROLE, ("iam:PassRole", "a job names its role"), features=jobs)
    yield from needs(
        source,
        On.ACCOUNT,
        ("s3:CreateJob", "creates jobs"),
        ("s3:ListJobs", "finds a job again after a crash"),
        features=jobs,
    )
    yield from needs(
        source,
        On.BATCH_BUCKET,
        ("s3:ListBucket", "finds the bucket, and tells a report that is not there yet from denied"),
        ("s3:GetBucketObjectLockConfiguration", "S3 writes no report under a default retention"),
        features=jobs,
    )
    yield from needs(
        source,
        On.BATCH_OBJECTS,
        ("s3:PutObject", "writes manifests"),
        ("s3:GetObject", "reads completion reports"),
        ("s3:GetObjectVersion", "reads completion reports"),
        features=jobs,
    )
    yield from needs(
        source,
        On.JOBS,
        ("s3:DescribeJob", "watches jobs"),
        ("s3:UpdateJobStatus", "confirms and cancels jobs"),
        ("s3:GetJobTagging", "knows its own jobs"),
        ("s3:PutJobTagging", "marks its own jobs; CreateJob with tags needs it"),
        features=jobs,
    )


def _of_readers() -> Iterable[Need]:
    yield from needs(
        Party.READER,
        On.DESTINATION_OBJECTS,
        ("s3:GetObject", "reads replicas"),
        ("s3:GetObjectVersion", "reads older versions of replicas"),
    )
    yield from needs(
        Party.READER, On.DESTINATION_KEY, ("kms:Decrypt", "reads replicas"), features=(_KMS,)
    )


def other_needs() -> Iterable[Need]:
    """Give every need of this table."""
    yield from _of_jobs()
    yield from _of_jobs_on_objects()
    yield from _of_copy_workers()
    yield from _of_source_identity()
    yield from _of_creators()
    yield from _of_job_creators()
    yield from _of_readers()


OTHER_NEEDS: Final[tuple[Need, ...]] = tuple(other_needs())
