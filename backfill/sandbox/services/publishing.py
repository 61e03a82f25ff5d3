"""May an AWS service publish to a queue, topic or function? The target's policy and key decide.

Never delivers anything. One law: a service has no identity policy, so the target's word is all
there is (S3 User Guide: grant-destinations-permissions-to-s3).
"""

from collections.abc import Callable
from dataclasses import dataclass

from backfill.sandbox.authorization.evaluation import Inquiry, is_service_granted
from backfill.sandbox.authorization.policies import Policy, PolicyError, resource_policy
from backfill.sandbox.http.refusals import refused
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.services.kms_keys import KeyStore

S3 = "s3.amazonaws.com"
_KEY_ACTIONS = ("kms:GenerateDataKey", "kms:Decrypt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A service on its way to a target, and the resource on whose behalf it comes."""

    service: str
    source_arn: str
    source_account: str

    def inquiry(self, action: str, resource: str) -> Inquiry:
        """The question to the target's policy."""
        context = {
            "aws:sourcearn": (self.source_arn,),
            "aws:sourceaccount": (self.source_account,),
            "aws:securetransport": ("true",),
            "aws:principalisawsservice": ("true",),
            "aws:principalservicename": (self.service,),
        }
        return Inquiry(action=action, resource=resource, context=context)


def is_let_in(publication: Publication, action: str, resource_arn: str, policy: str | None) -> bool:
    """Whether the target's policy lets the service do this."""
    if policy is None:
        return False
    statements = resource_policy(policy).statements
    return is_service_granted(
        statements, publication.service, publication.inquiry(action, resource_arn)
    )


def may_use_key(
    keys: KeyStore, publication: Publication, key_id: str, account_id: str, region: str
) -> bool:
    """Whether the service may use the key that the target is encrypted with.

    Not an AWS managed one: its policy names no service (SQS Developer Guide:
    sqs-key-management, compatibility with event sources).
    """
    arn = keys.arn_of(key_id, account_id, region)
    policy = keys.policies.get(arn)
    if policy is None or not keys.ring.is_enabled(arn):
        return False
    return all(is_let_in(publication, action, arn, policy) for action in _KEY_ACTIONS)


def checked_document(
    document: str, missing_principal: Callable[[Policy], str | None], *, code: str
) -> str | None:
    """The policy attribute of a queue or topic as it is kept; None for an empty one."""
    if not document:
        return None
    try:
        policy = resource_policy(document)
    except PolicyError as error:
        raise _refused_policy(code, str(error)) from error
    if missing_principal(policy) is not None:
        raise _refused_policy(code, "Invalid principal in policy")
    return document


def _refused_policy(code: str, reason: str) -> S3Error:
    return refused(
        code=code,
        status=400,
        message=f"Invalid value for the parameter Policy. Reason: {reason}",
        fact="SQS API: SetQueueAttributes; SNS API: SetTopicAttributes",
    )
