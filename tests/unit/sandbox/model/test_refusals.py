"""Every refusal of the tables, reached: its code and its status."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from types import ModuleType

import pytest

from backfill.sandbox.model import (
    bucket_refusals,
    protection_refusals,
    refusals,
    upload_refusals,
)
from backfill.sandbox.model.errors import Refusal, S3Error
from backfill.sandbox.model.identities import canonical_id
from backfill.sandbox.model.operations.buckets import (
    BucketRequest,
    PutBucketEncryptionRequest,
    PutBucketOwnershipControlsRequest,
    PutBucketVersioningRequest,
)
from backfill.sandbox.model.operations.listings import ListObjectsRequest
from backfill.sandbox.model.operations.objects import (
    PutObjectAclRequest,
    VersionRequest,
)
from backfill.sandbox.model.values import (
    ArchiveStatus,
    CustomerKey,
    Grant,
    ObjectLock,
    RequestedEncryption,
    Restore,
    SentChecksum,
)
from tests.unit.sandbox.model.acts import (
    CUSTOMER,
    LATER,
    UNKNOWN_ID,
    WRONG,
    X_COMPOSITE,
    X,
    allow_acls,
    attributes,
    attributes_of,
    changed,
    completed,
    composite,
    conflicting,
    copy_part,
    create,
    current_id,
    delete_many,
    deny,
    encrypted,
    keyed_part,
    kms,
    list_from,
    list_versions,
    lock_default,
    locked,
    locked_part,
    marker,
    one_part,
    out_of_capacity,
    part_number,
    put,
    put_acl,
    put_lock,
    put_policy,
    reads,
    replicate,
    restore,
    source,
    sse_c,
    tag,
    unlike_part,
    unversioned_lock,
    writes,
)
from tests.unit.sandbox.model.conftest import (
    BUCKET,
    DESTINATION,
    KMS_KEY,
    LOCKED,
    OTHER,
    OWN,
    START,
    Stage,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is tried on a stage that holds `k` with the bytes `body`, and how S3 answers."""

    refusal: Refusal
    code: str
    status: int
    act: Callable[[Stage], object]
    prepare: Callable[[Stage], object] = lambda _stage: None


def case(
    refusal: Refusal,
    answer: str,
    act: Callable[[Stage], object],
    prepare: Callable[[Stage], object] = lambda _stage: None,
) -> Case:
    status, _, code = answer.partition(" ")
    return Case(refusal=refusal, code=code, status=int(status), act=act, prepare=prepare)


PRECONDITION = "412 PreconditionFailed"
NOT_IMPLEMENTED = "501 NotImplemented"
ARGUMENT, REQUEST, DENIED = "400 InvalidArgument", "400 InvalidRequest", "403 AccessDenied"
R, P, B, U = refusals, protection_refusals, bucket_refusals, upload_refusals

WRITE_CONDITIONS: list[tuple[Refusal, str, str, dict[str, str]]] = [
    (R.PRECONDITION_FAILED, PRECONDITION, "there", {"if_none_match": "*"}),
    (R.PRECONDITION_FAILED, PRECONDITION, "there", {"if_match": WRONG}),
    (R.NO_SUCH_KEY, "404 NoSuchKey", "deleted", {"if_match": WRONG}),
    (R.NO_SUCH_KEY, "404 NoSuchKey", "absent", {"if_match": WRONG}),
    (R.CONDITION_NOT_IMPLEMENTED, NOT_IMPLEMENTED, "absent", {"if_none_match": WRONG}),
    (R.CONDITION_NOT_IMPLEMENTED, NOT_IMPLEMENTED, "there", {"if_match": "*"}),
    (
        R.CONDITION_NOT_IMPLEMENTED,
        NOT_IMPLEMENTED,
        "there",
        {"if_match": WRONG, "if_none_match": "*"},
    ),
]

CASES = [
    # --- who may ---
    case(R.ACCESS_DENIED, DENIED, lambda s: s.head("k"), lambda s: deny(s, "s3:GetObject")),
    case(R.ACCESS_DENIED, DENIED, lambda s: s.head("no"), lambda s: deny(s, "s3:ListBucket")),
    case(R.WRONG_BUCKET_OWNER, DENIED, lambda s: s.put(expected_bucket_owner=OTHER)),
    case(R.WRONG_BUCKET_OWNER, DENIED, lambda s: s.copy(expected_bucket_owner=OWN)),
    case(
        R.WRONG_BUCKET_OWNER,
        DENIED,
        lambda s: s.copy(source=source(expected_bucket_owner=OTHER)),
    ),
    case(
        B.POLICY_OF_ANOTHER_ACCOUNT,
        "405 MethodNotAllowed",
        lambda s: put_policy(s, "{}", DESTINATION),
    ),
    # --- buckets ---
    case(R.NO_SUCH_BUCKET, "404 NoSuchBucket", lambda s: s.put(bucket="nowhere")),
    case(R.NO_SUCH_BUCKET, "404 NoSuchBucket", lambda s: s.copy(source=source(bucket="nowhere"))),
    case(B.BUCKET_OWNED_BY_YOU, "409 BucketAlreadyOwnedByYou", lambda s: create(s, BUCKET)),
    case(B.BUCKET_EXISTS, "409 BucketAlreadyExists", lambda s: create(s, DESTINATION)),
    *(
        case(B.INVALID_BUCKET_NAME, "400 InvalidBucketName", partial(create, name=name))
        for name in ("ab", "Upper", "a..b", "-ab", "1.2.3.4", "xn--a", "a--x-s3", "a" * 64, "a_b")
    ),
    case(
        B.ILLEGAL_LOCATION,
        "400 IllegalLocationConstraintException",
        lambda s: create(s, "new", location="eu-west-1"),
    ),
    case(
        B.INVALID_LOCATION,
        "400 InvalidLocationConstraint",
        lambda s: create(s, "new", location="us-east-1"),
    ),
    case(B.UNKNOWN_OWNERSHIP, ARGUMENT, lambda s: create(s, "new", object_ownership="Nobody")),
    case(
        R.MALFORMED_XML,
        "400 MalformedXML",
        lambda s: s.model.put_bucket_versioning(
            s.own, PutBucketVersioningRequest(bucket=BUCKET, status="Off")
        ),
    ),
    case(
        R.MALFORMED_XML,
        "400 MalformedXML",
        lambda s: s.model.put_bucket_ownership_controls(
            s.own, PutBucketOwnershipControlsRequest(bucket=BUCKET, object_ownership="Nobody")
        ),
    ),
    case(
        R.MALFORMED_XML,
        "400 MalformedXML",
        lambda s: s.model.put_bucket_encryption(
            s.own, PutBucketEncryptionRequest(bucket=BUCKET, encryption=RequestedEncryption())
        ),
    ),
    case(
        B.REPLICATION_NEEDS_VERSIONING,
        "409 InvalidBucketState",
        lambda s: s.version(BUCKET, "Suspended"),
        replicate,
    ),
    case(
        B.LOCK_NEEDS_VERSIONING,
        "409 InvalidBucketState",
        lambda s: s.version(LOCKED, "Suspended"),
    ),
    case(B.LOCK_BEFORE_VERSIONING, "409 InvalidBucketState", unversioned_lock),
    case(
        B.NO_BUCKET_POLICY,
        "404 NoSuchBucketPolicy",
        lambda s: s.model.get_bucket_policy(s.own, BucketRequest(bucket=BUCKET)),
    ),
    case(B.MALFORMED_POLICY, "400 MalformedPolicy", lambda s: put_policy(s, "[]")),
    case(B.MALFORMED_POLICY, "400 MalformedPolicy", lambda s: put_policy(s, "{")),
    case(B.POLICY_TOO_LARGE, "400 PolicyTooLarge", lambda s: put_policy(s, '{"a":"' + "x" * 20480)),
    case(
        B.NO_LOCK_CONFIGURATION,
        "404 ObjectLockConfigurationNotFoundError",
        lambda s: s.model.get_object_lock_configuration(s.own, BucketRequest(bucket=BUCKET)),
    ),
    case(
        B.INVALID_DEFAULT_RETENTION,
        ARGUMENT,
        lambda s: lock_default(s, mode="GOVERNANCE", days=0),
    ),
    *(
        case(
            B.DEFAULT_RETENTION_TOO_LONG,
            ARGUMENT,
            partial(lock_default, mode="GOVERNANCE", days=days, years=years),
        )
        for days, years in ((36_501, None), (None, 101))
    ),
    case(R.MALFORMED_XML, "400 MalformedXML", lambda s: lock_default(s, mode="FOREVER", days=1)),
    # --- keys and versions ---
    case(R.NO_SUCH_KEY, "404 NoSuchKey", lambda s: s.read("no")),
    case(R.NO_SUCH_KEY, "404 NoSuchKey", lambda s: s.read("k"), marker),
    case(R.NO_SUCH_KEY, "404 NoSuchKey", lambda s: s.copy(), marker),
    case(R.NO_SUCH_KEY, "404 NoSuchKey", lambda s: attributes_of(s, "ETag"), marker),
    case(R.NO_SUCH_VERSION, "404 NoSuchVersion", lambda s: s.read("k", version_id=UNKNOWN_ID)),
    case(R.NO_SUCH_VERSION, "404 NoSuchVersion", lambda s: s.read("k", version_id="null")),
    case(
        R.NO_SUCH_VERSION, "404 NoSuchVersion", lambda s: s.copy(source=source(version_id="null"))
    ),
    case(R.INVALID_VERSION_ID, ARGUMENT, lambda s: s.read("k", version_id="made up")),
    case(R.INVALID_VERSION_ID, ARGUMENT, lambda s: s.delete("k", "made up")),
    case(
        R.MARKER_HAS_NO_CONTENT,
        "405 MethodNotAllowed",
        lambda s: s.head("k", version_id=current_id(s)),
        marker,
    ),
    case(R.KEY_TOO_LONG, "400 KeyTooLongError", lambda s: s.put("é" * 513)),
    case(R.KEY_TOO_LONG, "400 KeyTooLongError", lambda s: s.copy("x" * 1025)),
    # --- conditions on writes ---
    *(
        case(refusal, answer, partial(Stage.put, key=key, conditions=writes(**said)))
        for refusal, answer, key, said in WRITE_CONDITIONS
    ),
    *(
        case(
            refusal,
            answer,
            partial(Stage.copy, key=key, bucket=BUCKET, conditions=writes(**said)),
        )
        for refusal, answer, key, said in WRITE_CONDITIONS
    ),
    *(
        case(
            refusal,
            answer,
            partial(one_part, key=key, conditions=writes(**said)),
        )
        for refusal, answer, key, said in WRITE_CONDITIONS
    ),
    case(R.CONDITIONAL_CONFLICT, "409 ConditionalRequestConflict", conflicting),
    case(R.PRECONDITION_FAILED, PRECONDITION, lambda s: s.delete("k", if_match=WRONG)),
    case(R.NO_SUCH_KEY, "404 NoSuchKey", lambda s: s.delete("no", if_match="*")),
    case(
        R.CONDITION_NOT_IMPLEMENTED,
        NOT_IMPLEMENTED,
        lambda s: s.delete("k", current_id(s), if_match=WRONG),
    ),
    # --- conditions on what is read ---
    case(R.PRECONDITION_FAILED, PRECONDITION, lambda s: s.read(conditions=reads(if_match=WRONG))),
    case(
        R.PRECONDITION_FAILED,
        PRECONDITION,
        lambda s: s.read(conditions=reads(if_unmodified_since=START)),
    ),
    case(R.NOT_MODIFIED, "304 NotModified", lambda s: s.read(conditions=reads(if_none_match="*"))),
    case(
        R.NOT_MODIFIED,
        "304 NotModified",
        lambda s: s.head(conditions=reads(if_modified_since=LATER)),
    ),
    *(
        case(
            R.PRECONDITION_FAILED,
            PRECONDITION,
            partial(Stage.copy, source=source(conditions=reads(**said))),
        )
        for said in (
            {"if_match": WRONG},
            {"if_none_match": "*"},
            {"if_unmodified_since": START},
            {"if_modified_since": LATER},
        )
    ),
    case(
        R.PRECONDITION_FAILED,
        PRECONDITION,
        lambda s: copy_part(s, None, conditions=reads(if_match=WRONG)),
    ),
    # --- ranges and parts of reads ---
    case(R.INVALID_RANGE, "416 InvalidRange", lambda s: s.read(range="bytes=4-")),
    case(R.INVALID_RANGE, "416 InvalidRange", lambda s: s.read(range="bytes=-0")),
    case(R.INVALID_PART_NUMBER, "416 InvalidPartNumber", lambda s: s.head(part_number=2)),
    case(R.RANGE_AND_PART, REQUEST, lambda s: s.read(part_number=1, range="bytes=0-1")),
    # --- bytes ---
    case(R.BAD_CONTENT_MD5, "400 BadDigest", lambda s: s.put(content_md5="A" * 22 + "==")),
    case(R.INVALID_CONTENT_MD5, "400 InvalidDigest", lambda s: s.put(content_md5="AAAA")),
    case(
        R.BAD_CHECKSUM,
        "400 BadDigest",
        lambda s: s.put(checksum=SentChecksum(algorithm="CRC32", value="AAAAAA==")),
    ),
    case(
        R.INVALID_CHECKSUM_VALUE,
        REQUEST,
        lambda s: s.put(checksum=SentChecksum(algorithm="SHA256", value="AAAAAA==")),
    ),
    case(
        R.UNKNOWN_CHECKSUM_ALGORITHM,
        REQUEST,
        lambda s: s.put(checksum=SentChecksum(algorithm="MD4")),
    ),
    case(R.ENTITY_TOO_LARGE, "400 EntityTooLarge", lambda s: s.put(body=bytes(257))),
    case(
        R.ENTITY_TOO_LARGE,
        "400 EntityTooLarge",
        lambda s: s.upload_part(s.create_upload(), 1, bytes(257)),
    ),
    # --- attributes ---
    case(
        R.METADATA_TOO_LARGE,
        "400 MetadataTooLarge",
        lambda s: s.put(attributes=attributes(metadata=(("n", "é" * 32),))),
    ),
    case(
        R.TOO_MANY_TAGS,
        "400 BadRequest",
        lambda s: s.put(attributes=attributes(tags=tuple((str(n), "") for n in range(11)))),
    ),
    *(
        case(R.INVALID_TAG, "400 InvalidTag", partial(tag, tags=tags))
        for tags in (
            (("a", "1"), ("a", "2")),
            (("", ""),),
            (("x" * 129, ""),),
            (("x", "v" * 257),),
            (("aws:x", ""),),
            (("x", "a\nb"),),
            (("<", ""),),
        )
    ),
    case(
        R.INVALID_STORAGE_CLASS,
        "400 InvalidStorageClass",
        lambda s: s.put(attributes=attributes(storage_class="TAPE")),
    ),
    case(
        P.ACL_NOT_SUPPORTED,
        "400 AccessControlListNotSupported",
        lambda s: s.put(attributes=attributes(acl="public-read")),
    ),
    case(
        P.ACL_NOT_SUPPORTED,
        "400 AccessControlListNotSupported",
        lambda s: s.model.put_object_acl(
            s.own, PutObjectAclRequest(bucket=BUCKET, key="k", acl="private")
        ),
    ),
    *(
        case(refusal, answer, partial(put_acl, grants=grants), allow_acls)
        for refusal, answer, grants in (
            (P.UNKNOWN_GRANTEE, ARGUMENT, (Grant(grantee="me", permission="READ"),)),
            (P.UNKNOWN_GROUP, ARGUMENT, (Grant(grantee="http://group", permission="READ"),)),
            (
                P.EMAIL_GRANTEE,
                "405 MethodNotAllowed",
                (Grant(grantee="me@example.com", permission="READ"),),
            ),
            (
                P.MALFORMED_ACL,
                "400 MalformedACLError",
                (Grant(grantee=canonical_id(OWN), permission="EVERYTHING"),),
            ),
            (
                P.MALFORMED_ACL,
                "400 MalformedACLError",
                (Grant(grantee=canonical_id(OWN), permission="READ"),) * 101,
            ),
        )
    ),
    case(
        P.TWO_ACLS,
        REQUEST,
        lambda s: s.put(
            attributes=attributes(
                acl="private", grants=(Grant(grantee=canonical_id(OWN), permission="READ"),)
            )
        ),
    ),
    case(
        P.ACL_OF_ANOTHER_OWNER,
        DENIED,
        partial(put_acl, acl="private", owner=canonical_id(OTHER)),
        allow_acls,
    ),
    case(
        P.PUBLIC_ACL_BLOCKED,
        DENIED,
        lambda s: s.put(attributes=attributes(acl="public-read")),
        partial(allow_acls, is_public=False),
    ),
    *(
        case(
            R.INVALID_REDIRECT,
            "400 InvalidRedirectLocation",
            partial(put, said=attributes(website_redirect_location=location)),
        )
        for location in ("elsewhere", "ftp://elsewhere", "", "/" + "x" * 2048)
    ),
    case(P.UNKNOWN_ACL, ARGUMENT, lambda s: s.put(attributes=attributes(acl="mine"))),
    # --- encryption ---
    case(P.UNKNOWN_ENCRYPTION, ARGUMENT, lambda s: s.put(attributes=encrypted(algorithm="ROT13"))),
    case(P.KEY_WITHOUT_KMS, ARGUMENT, lambda s: s.put(attributes=encrypted(kms_key_id=KMS_KEY))),
    case(
        P.KEY_WITHOUT_KMS,
        ARGUMENT,
        lambda s: s.put(attributes=encrypted(algorithm="AES256", kms_key_id=KMS_KEY)),
    ),
    case(
        P.TWO_ENCRYPTIONS,
        ARGUMENT,
        lambda s: s.put(attributes=encrypted(algorithm="AES256", customer_key=CUSTOMER)),
    ),
    case(P.SSE_C_BLOCKED, DENIED, lambda s: s.put(attributes=encrypted(customer_key=CUSTOMER))),
    *(
        case(refusal, answer, partial(put, said=encrypted(customer_key=key)))
        for refusal, answer, key in (
            (
                P.UNKNOWN_CUSTOMER_ALGORITHM,
                "400 InvalidEncryptionAlgorithmError",
                CustomerKey(key_md5="a", algorithm="AES512"),
            ),
            (P.CUSTOMER_KEY_SIZE, ARGUMENT, CustomerKey(key_md5="a", size_bytes=10)),
        )
    ),
    case(
        P.UNKNOWN_CUSTOMER_ALGORITHM,
        "400 InvalidEncryptionAlgorithmError",
        lambda s: s.head("c", customer_key=CustomerKey(key_md5="a", algorithm="aes256")),
        sse_c,
    ),
    case(P.CUSTOMER_KEY_NEEDED, REQUEST, lambda s: s.head("c"), sse_c),
    case(P.CUSTOMER_KEY_NEEDED, REQUEST, lambda s: s.copy(source=source(key="c")), sse_c),
    case(
        P.CUSTOMER_KEY_WRONG,
        DENIED,
        lambda s: s.read("c", customer_key=CustomerKey(key_md5="b")),
        sse_c,
    ),
    case(P.CUSTOMER_KEY_NOT_APPLICABLE, REQUEST, lambda s: s.head("k", customer_key=CUSTOMER)),
    case(
        P.KMS_KEY_NOT_FOUND,
        "400 KMS.NotFoundException",
        lambda s: s.put(
            attributes=encrypted(
                algorithm="aws:kms", kms_key_id=KMS_KEY.replace("us-east-1", "eu-west-1")
            )
        ),
    ),
    case(
        P.KMS_KEY_NOT_FOUND,
        "400 KMS.NotFoundException",
        lambda s: s.put(attributes=encrypted(algorithm="aws:kms", kms_key_id=KMS_KEY)),
        lambda s: s.model.world.keys.missing.add(KMS_KEY),
    ),
    case(P.KMS_KEY_DISABLED, "400 KMS.DisabledException", lambda s: s.read("e"), kms),
    case(
        P.KMS_KEY_DISABLED,
        "400 KMS.DisabledException",
        lambda s: s.copy(source=source(key="e")),
        kms,
    ),
    case(
        P.KMS_KEY_PENDING,
        "400 KMS.KMSInvalidStateException",
        lambda s: s.put(attributes=encrypted(algorithm="aws:kms", kms_key_id=KMS_KEY)),
        lambda s: s.model.world.keys.pending.add(KMS_KEY),
    ),
    # --- archives and copies ---
    *(
        case(
            R.ARCHIVED,
            "403 InvalidObjectState",
            act,
            lambda s: changed(s, storage_class="DEEP_ARCHIVE"),
        )
        for act in (lambda s: s.read(), lambda s: s.copy())
    ),
    case(
        R.ARCHIVED_TIER,
        "403 ObjectNotInActiveTierError",
        lambda s: s.copy(),
        lambda s: changed(
            s, storage_class="INTELLIGENT_TIERING", archive_status=ArchiveStatus.ARCHIVE_ACCESS
        ),
    ),
    case(
        R.COPY_OF_MARKER,
        REQUEST,
        lambda s: s.copy(source=source(version_id=current_id(s))),
        marker,
    ),
    case(R.COPY_TO_ITSELF, REQUEST, lambda s: s.copy("k", BUCKET)),
    case(R.COPY_TO_ITSELF, REQUEST, lambda s: s.copy("k", BUCKET, tagging_directive="REPLACE")),
    case(R.COPY_SOURCE_TOO_LARGE, REQUEST, lambda s: s.copy(), lambda s: s.put(body=bytes(65))),
    case(R.COPY_SOURCE_TOO_LARGE, REQUEST, lambda s: copy_part(s, None, bytes(65))),
    case(R.COPY_SOURCE_TOO_LARGE, REQUEST, lambda s: copy_part(s, "bytes=0-64", bytes(80))),
    case(R.UNKNOWN_DIRECTIVE, ARGUMENT, lambda s: s.copy(metadata_directive="MERGE")),
    case(R.UNKNOWN_DIRECTIVE, ARGUMENT, lambda s: s.copy(tagging_directive="MERGE")),
    case(R.RESTORE_NOT_ALLOWED, "403 InvalidObjectState", restore),
    case(
        R.RESTORE_IN_PROGRESS,
        "409 RestoreAlreadyInProgress",
        restore,
        lambda s: changed(s, storage_class="GLACIER", restore=Restore(is_ongoing=True)),
    ),
    case(
        R.MALFORMED_XML,
        "400 MalformedXML",
        lambda s: restore(s, None),
        lambda s: changed(s, storage_class="GLACIER"),
    ),
    case(
        R.TIER_NOT_SUPPORTED,
        ARGUMENT,
        lambda s: restore(s, tier="Expedited"),
        lambda s: changed(s, storage_class="DEEP_ARCHIVE"),
    ),
    case(
        R.EXPEDITED_NOT_AVAILABLE,
        "503 GlacierExpeditedRetrievalNotAvailable",
        lambda s: restore(s, tier="Expedited"),
        out_of_capacity,
    ),
    # --- Object Lock ---
    case(
        P.LOCK_ON_UNLOCKED_BUCKET,
        REQUEST,
        lambda s: s.put(
            attributes=attributes(lock=ObjectLock(mode="GOVERNANCE", retain_until=LATER))
        ),
    ),
    case(
        P.LOCK_ON_UNLOCKED_BUCKET,
        REQUEST,
        lambda s: s.put(attributes=attributes(lock=ObjectLock(has_legal_hold=False))),
    ),
    case(P.LOCK_NEEDS_CHECKSUM, REQUEST, partial(locked, checksum=None)),
    case(
        P.LOCK_NEEDS_CHECKSUM,
        REQUEST,
        lambda s: s.put(bucket=LOCKED, checksum=None),
        lambda s: lock_default(s, mode="GOVERNANCE", days=1),
    ),
    case(
        P.BYPASS_WITHOUT_LOCK,
        ARGUMENT,
        lambda s: s.delete("k", current_id(s), is_governance_bypassed=True),
    ),
    case(P.BUCKET_HAS_NO_LOCK, REQUEST, lambda s: put_lock(s, BUCKET, has_legal_hold=True)),
    case(
        P.OBJECT_HAS_NO_LOCK,
        "404 NoSuchObjectLockConfiguration",
        lambda s: s.model.get_object_retention(s.own, VersionRequest(bucket=LOCKED, key="k")),
        lambda s: s.put(bucket=LOCKED),
    ),
    case(
        P.OBJECT_HAS_NO_LOCK,
        "404 NoSuchObjectLockConfiguration",
        lambda s: s.model.get_object_legal_hold(s.own, VersionRequest(bucket=LOCKED, key="k")),
        lambda s: s.put(bucket=LOCKED),
    ),
    case(P.LOCKED, DENIED, lambda s: s.delete("k", current_id(s, LOCKED), LOCKED), locked),
    case(
        P.LOCKED,
        DENIED,
        lambda s: put_lock(s, mode="COMPLIANCE", retain_until=LATER - timedelta(days=1)),
        lambda s: locked(s, "COMPLIANCE"),
    ),
    case(P.LOCKED, DENIED, put_lock, locked),
    *(
        case(P.INVALID_LOCK, ARGUMENT, partial(put_lock, **said), locked)
        for said in (
            {"mode": "GOVERNANCE"},
            {"retain_until": LATER},
            {"mode": "FOREVER", "retain_until": LATER},
            {"mode": "GOVERNANCE", "retain_until": START},
        )
    ),
    # --- listings and attributes ---
    case(R.VERSION_MARKER_ALONE, ARGUMENT, lambda s: list_versions(s, version_id_marker="null")),
    case(
        R.INVALID_VERSION_ID,
        ARGUMENT,
        lambda s: list_versions(s, key_marker="k", version_id_marker="x"),
    ),
    case(R.INVALID_MAX_KEYS, ARGUMENT, lambda s: list_versions(s, max_keys=-1)),
    case(
        R.INVALID_MAX_KEYS,
        ARGUMENT,
        lambda s: s.model.list_objects(s.own, ListObjectsRequest(bucket=BUCKET, max_keys=-1)),
    ),
    *(
        case(
            R.BAD_CONTINUATION_TOKEN,
            ARGUMENT,
            partial(list_from, token=token),
        )
        for token in ("", "a", "é", base64.b64encode(b"2x").decode(), "MQ==MQ=", "Mf8=")
    ),
    case(R.NO_ATTRIBUTES, REQUEST, attributes_of),
    case(R.UNKNOWN_ATTRIBUTE, ARGUMENT, lambda s: attributes_of(s, "ETag", "Colour")),
    *(
        case(
            R.MALFORMED_XML,
            "400 MalformedXML",
            partial(delete_many, count=count),
        )
        for count in (0, 8)
    ),
    # --- multipart uploads ---
    case(U.NO_SUCH_UPLOAD, "404 NoSuchUpload", lambda s: s.upload_part("made up", 1, b"x")),
    case(
        U.NO_SUCH_UPLOAD,
        "404 NoSuchUpload",
        lambda s: s.upload_part(s.create_upload("another"), 1, b"x"),
    ),
    case(U.INVALID_PART_NUMBER, ARGUMENT, lambda s: part_number(s, 0)),
    case(U.INVALID_PART_NUMBER, ARGUMENT, lambda s: part_number(s, 6)),
    case(U.INVALID_PART, "400 InvalidPart", lambda s: completed(s, [1], [5])),
    case(
        U.INVALID_PART,
        "400 InvalidPart",
        lambda s: composite(s, replace(X, value="AAAAAA==")),
    ),
    case(U.PART_NEEDS_CHECKSUM, REQUEST, locked_part),
    *(
        case(U.PART_WITHOUT_KEY, REQUEST, partial(keyed_part, upload=upload, sent=sent))
        for upload, sent in ((CUSTOMER, None), (None, CUSTOMER))
    ),
    case(
        U.PART_WITH_OTHER_KEY,
        REQUEST,
        partial(keyed_part, upload=CUSTOMER, sent=CustomerKey(key_md5="b")),
    ),
    case(U.INVALID_PART_ORDER, "400 InvalidPartOrder", lambda s: completed(s, [8, 8], [2, 1])),
    case(U.INVALID_PART_ORDER, "400 InvalidPartOrder", lambda s: completed(s, [8, 8], [1, 1])),
    case(U.PART_TOO_SMALL, "400 EntityTooSmall", lambda s: completed(s, [7, 8], [1, 2])),
    case(U.NO_PARTS, "400 MalformedXML", lambda s: completed(s, [8], [])),
    *(
        case(U.INVALID_COPY_RANGE, ARGUMENT, partial(copy_part, said_range=said))
        for said in ("bytes=0", "0-1", "bytes=2-1", "bytes=0-", "bytes=-1")
    ),
    case(U.COPY_RANGE_OUTSIDE, ARGUMENT, lambda s: copy_part(s, "bytes=0-4")),
    case(U.TYPE_WITHOUT_ALGORITHM, REQUEST, lambda s: s.create_upload(checksum_type="FULL_OBJECT")),
    *(
        case(
            U.TYPE_NOT_FOR_ALGORITHM,
            REQUEST,
            partial(Stage.create_upload, checksum_algorithm=pair[0], checksum_type=pair[1]),
        )
        for pair in (("SHA1", "FULL_OBJECT"), ("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE"))
    ),
    case(
        U.UNKNOWN_CHECKSUM_TYPE,
        REQUEST,
        lambda s: s.create_upload(checksum_algorithm="CRC32", checksum_type="HALF"),
    ),
    case(U.PART_OF_OTHER_ALGORITHM, REQUEST, lambda s: unlike_part(s, "CRC32")),
    case(U.PART_OF_OTHER_ALGORITHM, REQUEST, lambda s: unlike_part(s, None)),
    case(U.PART_CHECKSUM_MISSING, REQUEST, lambda s: composite(s, None)),
    case(
        U.COMPLETED_TYPE_DIFFERS,
        "400 BadDigest",
        lambda s: composite(s, X, checksum_type="FULL_OBJECT"),
    ),
    case(
        U.COMPLETED_TYPE_UNKNOWN,
        REQUEST,
        lambda s: completed(s, [8], [1], checksum_type="FULL_OBJECT"),
    ),
    case(
        U.COMPLETED_CHECKSUM_DIFFERS,
        "400 BadDigest",
        lambda s: completed(
            s, [8], [1], checksum=SentChecksum(algorithm="CRC64NVME", value="AAAAAAAAAAA=")
        ),
    ),
    case(
        U.COMPLETED_CHECKSUM_DIFFERS,
        "400 BadDigest",
        lambda s: composite(s, X, checksum=replace(X, value=f"{X_COMPOSITE}-2")),
    ),
    case(U.COMPLETED_SIZE_DIFFERS, REQUEST, lambda s: completed(s, [8], [1], object_size_bytes=9)),
]


@pytest.fixture
def laden(stage: Stage) -> Stage:
    """A stage that holds what the cases speak of."""
    for key in ("k", "there", "deleted"):
        stage.put(key)
    stage.delete("deleted")
    return stage


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.status}-{case.code}")
def test_what_s3_refuses_is_refused_with_its_code_and_status(laden: Stage, case: Case) -> None:
    """If this fails, the product is tried against an S3 that AWS does not run."""
    case.prepare(laden)
    with pytest.raises(S3Error) as refused:
        case.act(laden)
    error = refused.value
    assert (error.refusal, error.code, error.status) == (case.refusal, case.code, case.status)
    assert error.message
    assert error.fact


def test_every_refusal_of_the_tables_is_reached() -> None:
    """If this fails, a refusal is written down that nothing ever meets."""
    reached = {id(case.refusal) for case in CASES}
    unmet = [
        f"{table.__name__}.{name}"
        for table in (refusals, protection_refusals, bucket_refusals, upload_refusals)
        for name, value in vars(table).items()
        if isinstance(value, Refusal) and id(value) not in reached
    ]
    assert unmet == []


@pytest.mark.parametrize("table", [refusals, protection_refusals, bucket_refusals, upload_refusals])
def test_every_refusal_names_the_page_that_it_comes_from(table: ModuleType) -> None:
    """If this fails, nobody can check a refusal against AWS's documentation."""
    for value in vars(table).values():
        if isinstance(value, Refusal):
            assert re.search(r"\((UG|API): ", value.fact), value
