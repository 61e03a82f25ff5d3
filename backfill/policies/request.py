"""What is asked, and everything that was read to answer it.

Never asks anybody: what could not be read is there as `Unread`, with the reason.
Law: what is not given is taken not to exist; what may exist and was not read is `Unread`.
"""

import enum
from dataclasses import dataclass
from typing import Final

from backfill.policies.context import NOTHING_KNOWN, Context, Said, context_of
from backfill.policies.document import Document, PolicyError, parsed
from backfill.policies.principals import Principal, PrincipalType


class Place(enum.StrEnum):
    """What a document is attached to, and so what it can do."""

    IDENTITY = "identity policies"
    BOUNDARY = "permissions boundary"
    SESSION = "session policies"
    SERVICE_CONTROL = "service control policies"
    RESOURCE_CONTROL = "resource control policies"
    RESOURCE = "resource policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A document that was read. `name` says to a person which one it is."""

    name: str
    account_id: str
    document: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A document that may be there and could not be read, and why."""

    name: str
    account_id: str
    reason: str


Reading = Held | Unread


def reading_of(name: str, account_id: str, document: object) -> Reading:
    """Return the document as read, or as unread if it is no policy."""
    if not isinstance(document, str | bytes | dict):
        return Unread(name=name, account_id=account_id, reason="it is neither text nor an object")
    try:
        return Held(name=name, account_id=account_id, document=parsed(document))
    except PolicyError as error:
        return Unread(name=name, account_id=account_id, reason=str(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """Everything that speaks of a request. What is not here is taken not to exist."""

    identity: tuple[Reading, ...] = ()
    boundary: Reading | None = None
    session: tuple[Reading, ...] = ()
    """Empty: the session was made without session policies."""
    service_control: tuple[tuple[Reading, ...], ...] = ()
    """A level each, from the organization's root to the principal's account: each must allow."""
    resource_control: tuple[tuple[Reading, ...], ...] = ()
    """As `service_control`, for the resource's account."""
    resource: Reading | None = None
    """The bucket, key, queue, topic, function or trust policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One action on one resource, or on all that begin alike (`Every`)."""

    principal: Principal
    action: str
    """As in `s3:ReplicateObject`."""
    resource: Said
    """An ARN, or `*` for an action that has no resource."""
    resource_account_id: str
    context: Context = NOTHING_KNOWN
    """Condition keys beyond those that follow from principal, action and resource."""


_TYPE_NAMES: Final = {
    PrincipalType.ROLE: "AssumedRole",
    PrincipalType.USER: "User",
    PrincipalType.ROOT: "Account",
}


_TLS: Final = {"s3:TlsVersion": ("1.2", "1.3")}


def derived_context(request: Request) -> Context:
    """Return the condition keys that follow from who asks for what.

    `aws:SecureTransport`: S3's own calls are under TLS, and so are ours but on the loopback; AWS
    takes no TLS below 1.2.
    Source: IAM User Guide, reference_policies_condition-keys.
    """
    principal = request.principal
    known: dict[str, Said] = {"aws:SecureTransport": "true"}
    if request.resource_account_id:
        known["aws:ResourceAccount"] = request.resource_account_id
        if request.action.lower().startswith("s3:"):
            known["s3:ResourceAccount"] = request.resource_account_id
    if principal.type is PrincipalType.SERVICE:
        known |= {"aws:PrincipalIsAWSService": "true", "aws:PrincipalServiceName": principal.arn}
        return context_of(known, possible=_TLS)
    absent = [
        *("aws:SourceArn", "aws:SourceAccount", "aws:SourceOrgID", "aws:SourceOrgPaths"),
        *("aws:PrincipalServiceName", "aws:PrincipalServiceNamesList"),
    ]
    known["aws:PrincipalIsAWSService"] = "false"
    known["aws:PrincipalAccount"] = principal.account_id
    known["aws:PrincipalType"] = _TYPE_NAMES[principal.type]
    if principal.has_known_path:
        known["aws:PrincipalArn"] = principal.arn
    if request.action.lower().startswith("kms:"):
        known["kms:CallerAccount"] = principal.account_id
    if principal.type is PrincipalType.USER:
        known["aws:username"] = principal.name
    else:
        absent.append("aws:username")
    return context_of(known, absent=absent, possible=_TLS)
