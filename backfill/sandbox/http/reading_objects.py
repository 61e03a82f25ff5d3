"""From a routed request to the model's request: operations on objects.

Never decides whether a value is allowed where the model does. One law: every header and element
that changes what is stored is read, and one that is not carried was refused before.
"""

from backfill.sandbox.http.inbound import Inbound
from backfill.sandbox.http.reading_values import (
    copy_source,
    granted,
    header_number,
    iso_time,
    needed_text,
    read_conditions,
    write_conditions,
    written_attributes,
    xml_number,
)
from backfill.sandbox.http.refusals import invalid_request, malformed_xml, refused
from backfill.sandbox.http.xml import Element
from backfill.sandbox.model import protection_refusals
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations.copies import (
    CopyObjectRequest,
)
from backfill.sandbox.model.operations.objects import (
    DeleteEntry,
    DeleteObjectRequest,
    DeleteObjectsRequest,
    GetObjectAttributesRequest,
    PutObjectAclRequest,
    PutObjectLockRequest,
    PutObjectRequest,
    PutObjectTaggingRequest,
    ReadObjectRequest,
    RestoreObjectRequest,
    VersionRequest,
)
from backfill.sandbox.model.values import Grant


def put_object(inbound: Inbound) -> PutObjectRequest:
    return PutObjectRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        body=inbound.body,
        attributes=written_attributes(inbound),
        content_md5=inbound.header("content-md5"),
        checksum=inbound.checksum(),
        conditions=write_conditions(inbound),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def copy_object(inbound: Inbound) -> CopyObjectRequest:
    return CopyObjectRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        source=copy_source(inbound),
        metadata_directive=inbound.header("x-amz-metadata-directive"),
        tagging_directive=inbound.header("x-amz-tagging-directive"),
        attributes=written_attributes(inbound),
        checksum_algorithm=inbound.header("x-amz-checksum-algorithm"),
        conditions=write_conditions(inbound),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def read_object(inbound: Inbound) -> ReadObjectRequest:
    return ReadObjectRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        version_id=inbound.version_id,
        range=inbound.header("range"),
        part_number=inbound.number("partNumber", 0) if "partNumber" in inbound.query else None,
        is_checksum_mode_enabled=(inbound.header("x-amz-checksum-mode") or "").upper() == "ENABLED",
        conditions=read_conditions(inbound, ""),
        customer_key=inbound.customer_key(),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def object_attributes(inbound: Inbound) -> GetObjectAttributesRequest:
    return GetObjectAttributesRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        attributes=tuple(
            name.strip()
            for name in (inbound.header("x-amz-object-attributes") or "").split(",")
            if name.strip()
        ),
        version_id=inbound.version_id,
        max_parts=header_number(inbound, "x-amz-max-parts", 1000),
        part_number_marker=header_number(inbound, "x-amz-part-number-marker", 0),
        customer_key=inbound.customer_key(),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def version(inbound: Inbound) -> VersionRequest:
    return VersionRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        version_id=inbound.version_id,
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def delete_object(inbound: Inbound) -> DeleteObjectRequest:
    return DeleteObjectRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        version_id=inbound.version_id,
        if_match=inbound.header("if-match"),
        is_governance_bypassed=bool(inbound.flag("x-amz-bypass-governance-retention")),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def is_quiet_delete(inbound: Inbound) -> bool:
    """Whether DeleteObjects was asked to answer failures only."""
    return inbound.document("Delete").text_of("Quiet") == "true"


def delete_objects(inbound: Inbound) -> DeleteObjectsRequest:
    if inbound.header("content-md5") is None and inbound.checksum() is None:
        raise invalid_request(
            "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
            fact="S3 API: DeleteObjects, Content-MD5",
        )
    root = inbound.document("Delete")
    return DeleteObjectsRequest(
        bucket=inbound.bucket,
        entries=tuple(
            DeleteEntry(
                key=needed_text(entry, "Key"),
                version_id=entry.text_of("VersionId"),
                if_match=entry.text_of("ETag"),
            )
            for entry in root.all("Object")
        ),
        is_governance_bypassed=bool(inbound.flag("x-amz-bypass-governance-retention")),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def put_object_tagging(inbound: Inbound) -> PutObjectTaggingRequest:
    tag_set = inbound.document("Tagging").child("TagSet")
    if tag_set is None:
        raise malformed_xml()
    return PutObjectTaggingRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        tags=tuple(
            (needed_text(tag, "Key"), needed_text(tag, "Value")) for tag in tag_set.all("Tag")
        ),
        version_id=inbound.version_id,
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def put_object_acl(inbound: Inbound) -> PutObjectAclRequest:
    acl, grants, owner = inbound.header("x-amz-acl"), granted(inbound), None
    if acl is None and not grants and not inbound.body:
        raise refused(
            code="MissingSecurityHeader",
            status=400,
            message="Your request was missing a required header",
            fact="S3 API: PutObjectAcl",
            members=(("MissingHeaderName", "x-amz-acl"),),
        )
    if inbound.body:
        if acl is not None or grants:
            raise refused(
                code="UnexpectedContent",
                status=400,
                message="This request does not support content",
                fact="S3 API: PutObjectAcl",
            )
        owner, grants = _acl_document(inbound)
    return PutObjectAclRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        acl=acl,
        grants=grants,
        owner=owner,
        is_empty=bool(inbound.body) and not grants,
        version_id=inbound.version_id,
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def _acl_document(inbound: Inbound) -> tuple[str, tuple[Grant, ...]]:
    """The owner's canonical user ID and the grants."""
    root = inbound.document("AccessControlPolicy")
    owner, lines = root.child("Owner"), root.child("AccessControlList")
    owner_id = None if owner is None else owner.text_of("ID")
    if owner_id is None or lines is None:
        raise S3Error(protection_refusals.MALFORMED_ACL)
    return owner_id, tuple(_grant(line) for line in lines.all("Grant"))


def _grant(line: Element) -> Grant:
    grantee, permission = line.child("Grantee"), line.text_of("Permission")
    if grantee is None or permission is None:
        raise S3Error(protection_refusals.MALFORMED_ACL)
    named = [text for text in map(grantee.text_of, ("ID", "URI", "EmailAddress")) if text]
    if len(named) != 1:
        raise S3Error(protection_refusals.MALFORMED_ACL)
    return Grant(grantee=named[0], permission=permission)


def put_retention(inbound: Inbound) -> PutObjectLockRequest:
    root = inbound.document("Retention")
    until = root.text_of("RetainUntilDate")
    return PutObjectLockRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        version_id=inbound.version_id,
        mode=root.text_of("Mode"),
        retain_until=None if until is None else iso_time(until),
        is_governance_bypassed=bool(inbound.flag("x-amz-bypass-governance-retention")),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def put_legal_hold(inbound: Inbound) -> PutObjectLockRequest:
    status = inbound.document("LegalHold").text_of("Status")
    if status not in {"ON", "OFF"}:
        raise malformed_xml()
    return PutObjectLockRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        version_id=inbound.version_id,
        has_legal_hold=status == "ON",
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def restore_object(inbound: Inbound) -> RestoreObjectRequest:
    root = inbound.document("RestoreRequest")
    days, glacier = root.text_of("Days"), root.child("GlacierJobParameters")
    return RestoreObjectRequest(
        bucket=inbound.bucket,
        key=inbound.key,
        version_id=inbound.version_id,
        days=None if days is None else xml_number(days),
        tier=None if glacier is None else glacier.text_of("Tier"),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )
