"""From a routed request to the model's request: buckets, configurations and listings.

Never validates what a configuration means: the model does. One law: an element that is not carried
is refused, never dropped.
"""

from backfill.sandbox.authorization.bucket_policies import bucket_policy_flaw
from backfill.sandbox.http.inbound import Inbound
from backfill.sandbox.http.reading_documents import check_known
from backfill.sandbox.http.refusals import (
    invalid_argument,
    malformed_xml,
    not_implemented,
    refused,
)
from backfill.sandbox.http.xml import Element
from backfill.sandbox.model.operations.buckets import (
    BucketRequest,
    CreateBucketRequest,
    DefaultRetention,
    PutBucketEncryptionRequest,
    PutBucketOwnershipControlsRequest,
    PutBucketPolicyRequest,
    PutBucketReplicationRequest,
    PutBucketVersioningRequest,
    PutObjectLockConfigurationRequest,
)
from backfill.sandbox.model.operations.listings import (
    ListObjectsRequest,
    ListObjectsV2Request,
    ListObjectVersionsRequest,
)
from backfill.sandbox.model.operations.multipart import ListMultipartUploadsRequest
from backfill.sandbox.model.values import RequestedEncryption


def bucket(inbound: Inbound) -> BucketRequest:
    return BucketRequest(bucket=inbound.bucket, expected_bucket_owner=inbound.expected_bucket_owner)


def create_bucket(inbound: Inbound) -> CreateBucketRequest:
    location = None
    if inbound.body:
        root = inbound.document("CreateBucketConfiguration")
        _only(root, {"LocationConstraint"})
        location = root.text_of("LocationConstraint") or None
    return CreateBucketRequest(
        bucket=inbound.bucket,
        location=location,
        is_object_lock_enabled=bool(inbound.flag("x-amz-bucket-object-lock-enabled")),
        object_ownership=inbound.header("x-amz-object-ownership") or "BucketOwnerEnforced",
    )


def put_versioning(inbound: Inbound) -> PutBucketVersioningRequest:
    root = inbound.document("VersioningConfiguration")
    _only(root, {"Status"})
    status = root.text_of("Status")
    if status not in {"Enabled", "Suspended"}:
        raise malformed_xml()
    return PutBucketVersioningRequest(
        bucket=inbound.bucket,
        status=status,
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def put_replication(inbound: Inbound) -> PutBucketReplicationRequest:
    inbound.document("ReplicationConfiguration")
    return PutBucketReplicationRequest(
        bucket=inbound.bucket,
        document=inbound.body.decode("utf-8", "replace"),
        token=inbound.header("x-amz-bucket-object-lock-token"),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def put_policy(inbound: Inbound) -> PutBucketPolicyRequest:
    document = inbound.body.decode("utf-8", "replace")
    flaw = bucket_policy_flaw(document, inbound.bucket)
    if flaw is not None:
        raise refused(
            code="MalformedPolicy",
            status=400,
            message=flaw,
            fact="S3 API: Error responses, MalformedPolicy",
        )
    return PutBucketPolicyRequest(
        bucket=inbound.bucket,
        document=document,
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def put_encryption(inbound: Inbound) -> PutBucketEncryptionRequest:
    root = inbound.document("ServerSideEncryptionConfiguration")
    check_known(root, {"Rule"})
    rules = root.all("Rule")
    if len(rules) != 1:
        raise malformed_xml()
    rule = rules[0]
    check_known(
        rule, {"ApplyServerSideEncryptionByDefault", "BucketKeyEnabled", "BlockedEncryptionTypes"}
    )
    default = rule.child("ApplyServerSideEncryptionByDefault")
    blocked = rule.child("BlockedEncryptionTypes")
    if default is None:
        raise malformed_xml()
    check_known(default, {"SSEAlgorithm", "KMSMasterKeyID"})
    return PutBucketEncryptionRequest(
        bucket=inbound.bucket,
        encryption=RequestedEncryption(
            algorithm=default.text_of("SSEAlgorithm"),
            kms_key_id=default.text_of("KMSMasterKeyID"),
            is_bucket_key_enabled=rule.text_of("BucketKeyEnabled") == "true",
        ),
        blocks_sse_c=blocked is None or blocked.text_of("EncryptionType") == "SSE-C",
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def put_ownership(inbound: Inbound) -> PutBucketOwnershipControlsRequest:
    root = inbound.document("OwnershipControls")
    check_known(root, {"Rule"})
    rule = root.child("Rule")
    ownership = None if rule is None else rule.text_of("ObjectOwnership")
    if ownership is None:
        raise malformed_xml()
    return PutBucketOwnershipControlsRequest(
        bucket=inbound.bucket,
        object_ownership=ownership,
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def put_lock_configuration(inbound: Inbound) -> PutObjectLockConfigurationRequest:
    root = inbound.document("ObjectLockConfiguration")
    if root.text_of("ObjectLockEnabled") != "Enabled":
        raise malformed_xml()
    check_known(root, {"ObjectLockEnabled", "Rule"})
    rule = root.child("Rule")
    retention = None if rule is None else rule.child("DefaultRetention")
    if rule is not None and retention is None:
        raise malformed_xml()
    return PutObjectLockConfigurationRequest(
        bucket=inbound.bucket,
        default_retention=None if retention is None else _retention(retention),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def list_versions(inbound: Inbound) -> ListObjectVersionsRequest:
    _check_encoding(inbound)
    return ListObjectVersionsRequest(
        bucket=inbound.bucket,
        prefix=inbound.query.get("prefix", ""),
        delimiter=inbound.query.get("delimiter") or None,
        key_marker=inbound.query.get("key-marker") or None,
        version_id_marker=inbound.query.get("version-id-marker") or None,
        max_keys=inbound.number("max-keys", 1000),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def list_objects_v2(inbound: Inbound) -> ListObjectsV2Request:
    _check_encoding(inbound)
    if inbound.query["list-type"] != "2":
        raise invalid_argument(
            "Invalid List Type specified in Request",
            name="list-type",
            value=inbound.query["list-type"],
            fact="S3 API: ListObjectsV2, list-type",
        )
    token = inbound.query.get("continuation-token")
    if token == "":
        raise invalid_argument(
            "The continuation token provided is incorrect",
            name="continuation-token",
            value="",
            fact="S3 API: ListObjectsV2, continuation-token",
        )
    return ListObjectsV2Request(
        bucket=inbound.bucket,
        prefix=inbound.query.get("prefix", ""),
        delimiter=inbound.query.get("delimiter") or None,
        start_after=inbound.query.get("start-after") or None,
        continuation_token=token,
        max_keys=inbound.number("max-keys", 1000),
        is_restore_status_asked=_is_restore_status_asked(inbound),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def list_objects(inbound: Inbound) -> ListObjectsRequest:
    _check_encoding(inbound)
    return ListObjectsRequest(
        bucket=inbound.bucket,
        prefix=inbound.query.get("prefix", ""),
        delimiter=inbound.query.get("delimiter") or None,
        marker=inbound.query.get("marker") or None,
        max_keys=inbound.number("max-keys", 1000),
        is_restore_status_asked=_is_restore_status_asked(inbound),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def list_uploads(inbound: Inbound) -> ListMultipartUploadsRequest:
    _check_encoding(inbound)
    return ListMultipartUploadsRequest(
        bucket=inbound.bucket,
        prefix=inbound.query.get("prefix", ""),
        delimiter=inbound.query.get("delimiter") or None,
        max_uploads=inbound.number("max-uploads", 1000),
        key_marker=inbound.query.get("key-marker") or None,
        upload_id_marker=inbound.query.get("upload-id-marker") or None,
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def _check_encoding(inbound: Inbound) -> None:
    encoding = inbound.query.get("encoding-type")
    if encoding not in {None, "url"}:
        raise invalid_argument(
            "Invalid Encoding Method specified in Request",
            name="encoding-type",
            value=str(encoding),
            fact="S3 API: ListObjectVersions, encoding-type",
        )


def _is_restore_status_asked(inbound: Inbound) -> bool:
    asked = inbound.header("x-amz-optional-object-attributes")
    return asked is not None and "RestoreStatus" in asked


def _retention(element: Element) -> DefaultRetention:
    days, years = (element.text_of(name) for name in ("Days", "Years"))
    mode = element.text_of("Mode")
    if mode is None or (days is None) is (years is None):
        raise malformed_xml()
    if not (days or years or "").isdecimal():
        raise malformed_xml()
    return DefaultRetention(
        mode=mode,
        days=None if days is None else int(days),
        years=None if years is None else int(years),
    )


def _only(element: Element, carried: set[str]) -> None:
    for child in element.children:
        if child.name not in carried:
            raise not_implemented(
                f"{element.name}/{child.name} is not carried by this sandbox.",
                fact="S3 API: Error responses, NotImplemented",
            )
