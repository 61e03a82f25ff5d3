"""One call of a service: who asks for which operation, in which Region, when; and may they?

Never answers. One law: `require` comes before anything is read or changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from backfill.sandbox.authorization.decision import Authorization
from backfill.sandbox.authorization.evaluation import Verdict
from backfill.sandbox.authorization.identities import Identity
from backfill.sandbox.authorization.policies import Policy
from backfill.sandbox.http.refusals import refused
from backfill.sandbox.model.errors import Pairs, S3Error
from backfill.sandbox.model.identities import AccessQuestion, Caller
from backfill.sandbox.services.fields import Fields

ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An authentic call."""

    operation: str
    identity: Identity
    region: str
    now: datetime
    fields: Fields

    @property
    def account_id(self) -> str:
        """The signer's account."""
        return self.identity.account_id

    @property
    def caller(self) -> Caller:
        """The signer, as authorization names it."""
        return Caller(
            account_id=self.identity.account_id, arn=self.identity.arn, region=self.region
        )


XmlOperation: TypeAlias = Callable[[Call], list[str]]
"""An operation of the query protocol: it returns the parts of its result."""
JsonOperation: TypeAlias = Callable[[Call], Mapping[str, object]]
"""An operation of a JSON protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorkeeper:
    """Asks authorization, and refuses as one service writes it."""

    authorization: Authorization
    code: str = "AccessDenied"
    status: int = 403

    def require(
        self,
        call: Call,
        action: str,
        resource_arn: str,
        *,
        policy: Policy | None = None,
        conditions: Pairs = (),
        is_grant_needed: bool = False,
    ) -> None:
        """Refuse unless the caller may do this with a resource (which has that policy)."""
        question = AccessQuestion(
            caller=call.caller,
            action=action,
            bucket="",
            bucket_owner=owner_of(resource_arn) or call.account_id,
            resource_arn=resource_arn,
            conditions=conditions,
        )
        verdict = self.authorization.verdict(question, policy, is_grant_needed=is_grant_needed)
        if verdict is not Verdict.ALLOWED:
            raise self.denied(call, action, resource_arn, verdict)

    def require_of_key(self, call: Call, action: str, key_arn: str) -> None:
        """Refuse unless the key's policy and the caller's let it manage the key."""
        question = AccessQuestion(
            caller=call.caller,
            action=action,
            bucket="",
            bucket_owner=owner_of(key_arn),
            kms_key_arn=key_arn,
        )
        verdict = self.authorization.verdict(question)
        if verdict is not Verdict.ALLOWED:
            raise self.denied(call, action, key_arn, verdict)

    def denied(
        self,
        call: Call,
        action: str,
        resource_arn: str,
        verdict: Verdict = Verdict.IMPLICIT_DENY,
    ) -> S3Error:
        """The refusal, in the words of IAM (IAM User Guide: troubleshoot_access-denied)."""
        kind = "identity" if owner_of(resource_arn) in {None, call.account_id} else "resource"
        why = (
            f"with an explicit deny in {'an' if kind == 'identity' else 'a'} {kind}-based policy"
            if verdict is Verdict.EXPLICIT_DENY
            else f"because no {kind}-based policy allows the {action} action"
        )
        return refused(
            code=self.code,
            status=self.status,
            message=(
                f"User: {call.identity.arn} is not authorized to perform: {action} on resource: "
                f"{resource_arn} {why}"
            ),
            fact="IAM User Guide: troubleshoot_access-denied",
        )


def owner_of(arn: str) -> str | None:
    """The account in an ARN; None where it has none."""
    pieces = arn.split(":")
    return (pieces[4] or None) if len(pieces) > 5 else None
