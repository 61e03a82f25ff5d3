"""From the model's results to answers: the configurations in `model/documents/`.

Never decides what is said. One law: a document that the model keeps is handed back word for word.
"""

from backfill.sandbox.http.inbound import Inbound
from backfill.sandbox.http.messages import HttpResponse
from backfill.sandbox.http.rendering import xml_answer
from backfill.sandbox.http.xml import boolean, branch, leaf
from backfill.sandbox.model.operations.documents import (
    BucketTaggingResult,
    PolicyStatusResult,
    PublicAccessBlockResult,
    RequestPaymentResult,
)


def public_access_block(result: PublicAccessBlockResult, _inbound: Inbound) -> HttpResponse:
    block = result.block
    return xml_answer(
        "PublicAccessBlockConfiguration",
        [
            boolean("BlockPublicAcls", value=block.are_public_acls_blocked),
            boolean("IgnorePublicAcls", value=block.are_public_acls_ignored),
            boolean("BlockPublicPolicy", value=block.is_public_policy_blocked),
            boolean("RestrictPublicBuckets", value=block.are_public_buckets_restricted),
        ],
    )


def policy_status(result: PolicyStatusResult, _inbound: Inbound) -> HttpResponse:
    return xml_answer("PolicyStatus", [boolean("IsPublic", value=result.is_public)])


def request_payment(result: RequestPaymentResult, _inbound: Inbound) -> HttpResponse:
    return xml_answer("RequestPaymentConfiguration", [leaf("Payer", result.payer)])


def tagging(result: BucketTaggingResult, _inbound: Inbound) -> HttpResponse:
    tags = [branch("Tag", [leaf("Key", name), leaf("Value", value)]) for name, value in result.tags]
    return xml_answer("Tagging", [branch("TagSet", tags)])
