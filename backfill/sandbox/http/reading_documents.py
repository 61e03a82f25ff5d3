"""From a routed request to the model's request: the configurations in `model/documents/`.

Never validates what a configuration means: the model does. One law: an element that S3 does not
know is MalformedXML, never dropped.
"""

from backfill.sandbox.http.inbound import Inbound
from backfill.sandbox.http.reading_values import needed_text
from backfill.sandbox.http.refusals import malformed_xml
from backfill.sandbox.http.xml import Element
from backfill.sandbox.model.operations.documents import (
    PublicAccessBlock,
    PutBucketTaggingRequest,
    PutLifecycleRequest,
    PutNotificationRequest,
    PutPublicAccessBlockRequest,
    PutRequestPaymentRequest,
)

_BLOCKS = {
    "BlockPublicAcls",
    "IgnorePublicAcls",
    "BlockPublicPolicy",
    "RestrictPublicBuckets",
}


def put_notification(inbound: Inbound) -> PutNotificationRequest:
    inbound.document("NotificationConfiguration")
    return PutNotificationRequest(
        bucket=inbound.bucket,
        document=inbound.body.decode("utf-8", "replace"),
        is_unvalidated=bool(inbound.flag("x-amz-skip-destination-validation")),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def put_lifecycle(inbound: Inbound) -> PutLifecycleRequest:
    inbound.document("LifecycleConfiguration")
    return PutLifecycleRequest(
        bucket=inbound.bucket,
        document=inbound.body.decode("utf-8", "replace"),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def put_public_access_block(inbound: Inbound) -> PutPublicAccessBlockRequest:
    root = inbound.document("PublicAccessBlockConfiguration")
    check_known(root, _BLOCKS)
    return PutPublicAccessBlockRequest(
        bucket=inbound.bucket,
        block=PublicAccessBlock(
            are_public_acls_blocked=_is_true(root, "BlockPublicAcls"),
            are_public_acls_ignored=_is_true(root, "IgnorePublicAcls"),
            is_public_policy_blocked=_is_true(root, "BlockPublicPolicy"),
            are_public_buckets_restricted=_is_true(root, "RestrictPublicBuckets"),
        ),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def put_request_payment(inbound: Inbound) -> PutRequestPaymentRequest:
    root = inbound.document("RequestPaymentConfiguration")
    check_known(root, {"Payer"})
    return PutRequestPaymentRequest(
        bucket=inbound.bucket,
        payer=needed_text(root, "Payer"),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def put_tagging(inbound: Inbound) -> PutBucketTaggingRequest:
    root = inbound.document("Tagging")
    check_known(root, {"TagSet"})
    tag_set = root.child("TagSet")
    if tag_set is None:
        raise malformed_xml()
    check_known(tag_set, {"Tag"})
    return PutBucketTaggingRequest(
        bucket=inbound.bucket,
        tags=tuple(
            (needed_text(tag, "Key"), needed_text(tag, "Value")) for tag in tag_set.all("Tag")
        ),
        expected_bucket_owner=inbound.expected_bucket_owner,
    )


def check_known(element: Element, names: set[str]) -> None:
    """Refuse children that the schema does not know here."""
    if not names.issuperset(child.name for child in element.children):
        raise malformed_xml()


def _is_true(root: Element, name: str) -> bool:
    text = root.text_of(name)
    if text not in {None, "true", "false", "TRUE", "FALSE"}:
        raise malformed_xml()
    return text is not None and text.lower() == "true"
