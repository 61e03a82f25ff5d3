"""A bucket's configurations as they come: the operations of each, the raw body, the SDK's shape.

Never sends, and never decides what stands in a document.
Law: what the SDK does not know of a document is named beside it.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Final

from botocore.model import OperationModel, Shape

from backfill.aws.replies import Reply, ReplyError
from backfill.aws.unmodelled import unmodelled_paths
from backfill.model.accounts import BucketDocument, RawDocument
from backfill.model.json_values import json_value

RAW_DOCUMENT: Final = "BackfillRawDocument"
"""Where an answer carries its own body."""

_NOT_OFFERED: Final = frozenset({"NotImplemented", "501"})
_NOT_OFFERED_OR_ALLOWED: Final = _NOT_OFFERED | {"MethodNotAllowed", "405"}
"""What stores that are not AWS answer to questions about features that they do not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How one configuration is asked for and written.

    `name` is what the operations are called behind Get, Put and Delete. `parameter` holds the
    document when it is put, and when it is read unless `is_bare`: then the answer itself is it.
    `nothing` are the codes that say that there is none.
    """

    name: str
    parameter: str
    nothing: frozenset[str] = _NOT_OFFERED_OR_ALLOWED
    is_bare: bool = False
    is_deletable: bool = False


FORMS: Final[Mapping[BucketDocument, Form]] = {
    BucketDocument.REPLICATION: Form(
        name="BucketReplication",
        parameter="ReplicationConfiguration",
        nothing=_NOT_OFFERED_OR_ALLOWED | {"ReplicationConfigurationNotFoundError"},
        is_deletable=True,
    ),
    BucketDocument.POLICY: Form(
        name="BucketPolicy",
        parameter="Policy",
        # 405 is S3's word to who may read the policy but is of another account (S3 API:
        # GetBucketPolicy): no sign that there is none.
        nothing=_NOT_OFFERED | {"NoSuchBucketPolicy"},
        is_deletable=True,
    ),
    BucketDocument.NOTIFICATION: Form(
        name="BucketNotificationConfiguration",
        parameter="NotificationConfiguration",
        is_bare=True,
    ),
    BucketDocument.VERSIONING: Form(
        name="BucketVersioning", parameter="VersioningConfiguration", is_bare=True
    ),
    BucketDocument.ENCRYPTION: Form(
        name="BucketEncryption",
        parameter="ServerSideEncryptionConfiguration",
        nothing=_NOT_OFFERED_OR_ALLOWED | {"ServerSideEncryptionConfigurationNotFoundError"},
        is_deletable=True,
    ),
    BucketDocument.OWNERSHIP: Form(
        name="BucketOwnershipControls",
        parameter="OwnershipControls",
        nothing=_NOT_OFFERED_OR_ALLOWED | {"OwnershipControlsNotFoundError"},
        is_deletable=True,
    ),
    BucketDocument.OBJECT_LOCK: Form(
        name="ObjectLockConfiguration",
        parameter="ObjectLockConfiguration",
        nothing=_NOT_OFFERED_OR_ALLOWED | {"ObjectLockConfigurationNotFoundError"},
    ),
    BucketDocument.LIFECYCLE: Form(
        name="BucketLifecycleConfiguration",
        parameter="LifecycleConfiguration",
        nothing=_NOT_OFFERED_OR_ALLOWED | {"NoSuchLifecycleConfiguration"},
        is_bare=True,
    ),
    BucketDocument.PUBLIC_ACCESS_BLOCK: Form(
        name="PublicAccessBlock",
        parameter="PublicAccessBlockConfiguration",
        nothing=_NOT_OFFERED_OR_ALLOWED | {"NoSuchPublicAccessBlockConfiguration"},
        is_deletable=True,
    ),
    BucketDocument.REQUEST_PAYMENT: Form(
        name="BucketRequestPayment", parameter="RequestPaymentConfiguration", is_bare=True
    ),
}

READINGS: Final = frozenset(
    f"Get{form.name}" for kind, form in FORMS.items() if kind is not BucketDocument.POLICY
) | {"GetBucketAcl"}
"""The operations whose bodies are kept; a policy is JSON, which the SDK hands on as it is."""

_WITHOUT_BODY: Final = frozenset({"ResponseMetadata", RAW_DOCUMENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """A body and the shape by which the SDK reads it."""

    body: bytes
    shape: Shape


def keep_raw_document(
    operation_model: OperationModel,
    response_dict: Mapping[str, object],
    customized_response_dict: MutableMapping[str, object],
    **_: object,
) -> None:
    """Set a configuration's body aside before the SDK parses it (handler of `before-parse`)."""
    body, shape = response_dict.get("body"), operation_model.output_shape
    if response_dict.get("status_code") == 200 and isinstance(body, bytes) and shape is not None:
        customized_response_dict[RAW_DOCUMENT] = _Kept(body=body, shape=shape)


def require_document(reply: Reply) -> None:
    """Refuse a 200 with nothing in it: the SDK makes of it a bucket without any configuration.

    Raises:
        ReplyError: The body is empty.
    """
    kept = reply.get(RAW_DOCUMENT)
    if isinstance(kept, _Kept) and not kept.body.strip():
        raise ReplyError("a 200 without a document")


def read_document(document: BucketDocument, reply: Reply) -> RawDocument | None:
    """Parse the answer; None where it says that nothing is configured.

    Raises:
        ReplyError: The body is not what the operation answers with.
    """
    form = FORMS[document]
    if document is BucketDocument.POLICY:
        # Where there is none S3 says so by its code: nothing at all is no answer.
        if not str(reply.get("Policy") or "").strip():
            raise ReplyError("GetBucketPolicy without a policy")
        return policy_document(reply.get("Policy"))
    kept = reply.get(RAW_DOCUMENT)
    if not isinstance(kept, _Kept):
        raise ReplyError(f"Get{form.name}: an answer without its body")
    fields = (
        {name: value for name, value in reply.items() if name not in _WITHOUT_BODY}
        if form.is_bare
        else reply.get(form.parameter)
    )
    unmodelled = unmodelled_paths(kept.body, kept.shape)
    if not isinstance(fields, dict) or (form.is_bare and not fields and not unmodelled):
        return None
    return RawDocument(
        text=kept.body.decode("utf-8", errors="replace"), fields=fields, unmodelled=unmodelled
    )


def policy_document(text: object) -> RawDocument | None:
    """Return a policy of which the JSON was given; None for none.

    Raises:
        ReplyError: It is no JSON object.
    """
    if text is None or text == "":
        return None
    repeated: list[str] = []

    def named(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        # What JSON readers take of two members of one name is the last: the first would be lost.
        repeated.extend(sorted({f"{name}[2]" for name in names if names.count(name) > 1}))
        return dict(pairs)

    try:
        fields = json_value(str(text), pairs_hook=named)
    except ValueError as error:
        raise ReplyError(f"a policy that is no JSON: {error}") from error
    if not isinstance(fields, dict):
        raise ReplyError("a policy that is no JSON object")
    return RawDocument(text=str(text), fields=fields, unmodelled=tuple(repeated))
