"""An account's control plane as one identity reads it: the port AccountReader on the SDK.

Every call is a read, and is asked again by the one retry policy.
Never takes a denial for an absence: only the codes that say "there is none" are None.
Law: what S3 is asked about names its expected owner.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final, TypeVar

from backfill.aws import bucket_documents, raw_documents
from backfill.aws.account_calls import (
    IAM_PAGES_MAX,
    NO_ENTITY,
    NO_KEY,
    NO_RECEIVER,
    iam_call,
    mapping_of,
    mappings_of,
    optional_text,
    policy_text,
    queue_url,
    queue_url_call,
    region_of,
    text_of,
    texts_of,
)
from backfill.aws.bucket_heads import told_by_head
from backfill.aws.calls import Call, Calls
from backfill.aws.faults import store_fault
from backfill.aws.replies import Reply, ReplyError
from backfill.aws.requests import bucket_parameters
from backfill.aws.retry import ReadRetries
from backfill.errors import ListingStuckError, StoreFault
from backfill.model.accounts import (
    BucketDocument,
    CallerIdentity,
    EventDestinationKind,
    KmsKey,
    RawDocument,
    Role,
    Simulated,
    SimulatedEffect,
    SimulationRequest,
    Unread,
    event_destination_kind,
)
from backfill.model.places import BucketPlace

T = TypeVar("T")

_NO_BUCKET: Final = frozenset({"404", "NoSuchBucket"})


class AwsAccountReader:
    """AccountReader over the calls of one identity."""

    def __init__(self, calls: Calls, retries: ReadRetries) -> None:
        self._calls = calls
        self._retries = retries

    async def caller(self) -> CallerIdentity:
        """Return who signs; the path of a role is asked of IAM, and left out where IAM denies."""
        call = Call("GetCallerIdentity", self._calls.region, {}, service="sts")
        identity = await self._ask(call, _caller)
        _, partition, service, _, account_id, resource = identity.arn.split(":", 5)
        kind, _, session = resource.partition("/")
        if service != "sts" or kind != "assumed-role":
            return identity
        name = session.partition("/")[0]
        try:
            role_arn = await self._ask(self._iam("GetRole", RoleName=name), _role_arn)
        except StoreFault:
            # Without iam:GetRole its path stays unknown; the identity itself is known all the same.
            role_arn = f"arn:{partition}:iam::{account_id}:role/{name}"
        return CallerIdentity(account_id=identity.account_id, arn=identity.arn, role_arn=role_arn)

    async def has_bucket(self, place: BucketPlace) -> bool:
        """Return whether a bucket is there and the expected owner's."""
        call = Call("HeadBucket", place.region, bucket_parameters(place))

        async def ask() -> bool:
            return await told_by_head(self._calls, call, lambda _: True)

        try:
            return await self._retries.ask(ask)
        except StoreFault as fault:
            if fault.code in _NO_BUCKET:
                return False
            raise

    async def bucket_document(
        self, place: BucketPlace, document: BucketDocument
    ) -> RawDocument | None:
        """Return one configuration of a bucket; None where it has none."""
        return await self._unless(
            raw_documents.FORMS[document].nothing,
            bucket_documents.reading(place, document),
            lambda reply: raw_documents.read_document(document, reply),
        )

    async def role(self, name: str) -> Role | None:
        """Return a role of the identity's own account with all its policies; None: no such role."""
        found = await self._unless(
            NO_ENTITY, self._iam("GetRole", RoleName=name), lambda reply: mapping_of(reply, "Role")
        )
        if found is None:
            return None
        inline = {
            policy: await self._ask(
                self._iam("GetRolePolicy", RoleName=name, PolicyName=policy),
                lambda reply: policy_text(reply.get("PolicyDocument")),
            )
            async for page in self._pages("ListRolePolicies", RoleName=name)
            for policy in texts_of(page, "PolicyNames")
        }
        attached = {
            arn: await self._managed_policy(arn)
            async for page in self._pages("ListAttachedRolePolicies", RoleName=name)
            for arn in (
                text_of(item, "PolicyArn") for item in mappings_of(page, "AttachedPolicies")
            )
        }
        boundary = optional_text(mapping_of(found, "PermissionsBoundary"), "PermissionsBoundaryArn")
        return Role(
            arn=text_of(found, "Arn"),
            name=text_of(found, "RoleName"),
            path=optional_text(found, "Path") or "/",
            trust=policy_text(found.get("AssumeRolePolicyDocument")),
            inline=inline,
            attached=attached,
            boundary=await self._boundary(boundary) if boundary else None,
            boundary_arn=boundary,
            tags={text_of(tag, "Key"): optional_text(tag, "Value") for tag in _tags(found)},
        )

    async def kms_key(self, arn: str) -> KmsKey | None:
        """Return a key, also another account's; None where there is none."""
        return await self._unless(NO_KEY, self._kms("DescribeKey", arn), _kms_key)

    async def key_policy(self, arn: str) -> RawDocument:
        """Return the key policy named `default`; only the key's own account can read it."""
        call = self._kms("GetKeyPolicy", arn, PolicyName="default")
        return await self._ask(call, lambda reply: _needed(reply, "Policy"))

    async def event_destination_policy(self, arn: str) -> RawDocument | None:
        """Return the policy of a queue, topic or function; None where it has none."""
        try:
            match event_destination_kind(arn):
                case EventDestinationKind.QUEUE:
                    return await self._queue_policy(arn)
                case EventDestinationKind.TOPIC:
                    call = Call("GetTopicAttributes", *_at(arn, {"TopicArn": arn}), service="sns")
                    return await self._ask(call, _attribute_policy)
                case EventDestinationKind.FUNCTION:
                    return await self._function_policy(arn)
        except StoreFault as fault:
            if fault.code not in NO_RECEIVER:
                raise
            raise store_fault(
                operation=fault.operation, code="NotFound", status=404, bucket="", message=arn
            ) from fault

    async def simulated(self, request: SimulationRequest) -> Sequence[Simulated]:
        """Ask IAM's simulator, one answer an action.

        IAM takes a resource policy only in the name of an IAM user (IAM API:
        SimulatePrincipalPolicy, CallerArn); for a role it refuses one with InvalidInput.
        """
        return [
            _simulated(result)
            async for page in self._pages("SimulatePrincipalPolicy", **_simulation(request))
            for result in mappings_of(page, "EvaluationResults")
        ]

    async def _managed_policy(self, arn: str) -> str:
        version_id = await self._ask(
            self._iam("GetPolicy", PolicyArn=arn),
            lambda reply: text_of(mapping_of(reply, "Policy"), "DefaultVersionId"),
        )
        return await self._ask(
            self._iam("GetPolicyVersion", PolicyArn=arn, VersionId=version_id),
            lambda reply: policy_text(mapping_of(reply, "PolicyVersion").get("Document")),
        )

    async def _boundary(self, arn: str) -> str | Unread:
        try:
            return await self._managed_policy(arn)
        except StoreFault as fault:
            return Unread(operation=fault.operation, code=fault.code, message=fault.message)

    async def _queue_policy(self, arn: str) -> RawDocument | None:
        url = await self._ask(queue_url_call(arn), queue_url)
        parameters = {"QueueUrl": url, "AttributeNames": ["Policy"]}
        call = Call("GetQueueAttributes", *_at(arn, parameters), service="sqs")
        return await self._ask(call, _attribute_policy)

    async def _function_policy(self, arn: str) -> RawDocument | None:
        parameters: dict[str, object] = {"FunctionName": arn}
        call = Call("GetPolicy", *_at(arn, parameters), service="lambda")
        policy = await self._unless(NO_RECEIVER, call, lambda reply: _needed(reply, "Policy"))
        if policy is None:
            # Lambda has one code for a function without a policy and for no function at all.
            call = Call("GetFunctionConfiguration", *_at(arn, parameters), service="lambda")
            await self._ask(call, lambda _: None)
        return policy

    async def _pages(self, operation: str, **parameters: object) -> AsyncIterator[Reply]:
        marker = ""
        for _ in range(IAM_PAGES_MAX):
            more = {"Marker": marker} if marker else {}
            page = await self._ask(self._iam(operation, **parameters, **more), lambda reply: reply)
            yield page
            if page.get("IsTruncated") is not True:
                return
            marker = text_of(page, "Marker")
        raise ListingStuckError(f"{operation} has no end after {IAM_PAGES_MAX} pages")

    def _iam(self, operation: str, **parameters: object) -> Call:
        return iam_call(operation, self._calls.region, parameters)

    def _kms(self, operation: str, arn: str, **parameters: object) -> Call:
        region = region_of(arn, self._calls.region)
        return Call(operation, region, {"KeyId": arn, **parameters}, service="kms")

    async def _ask(self, call: Call, parse: Callable[[Reply], T]) -> T:
        return await self._retries.ask(lambda: self._calls.send(call, parse))

    async def _unless(
        self, nothing: frozenset[str], call: Call, parse: Callable[[Reply], T]
    ) -> T | None:
        """Ask; None where the answer is one of the codes that say that there is nothing."""
        try:
            return await self._ask(call, parse)
        except StoreFault as fault:
            if fault.code in nothing:
                return None
            raise


def _at(arn: str, parameters: Mapping[str, object]) -> tuple[str, Mapping[str, object]]:
    return region_of(arn, ""), parameters


def _caller(reply: Reply) -> CallerIdentity:
    account_id, arn = text_of(reply, "Account"), text_of(reply, "Arn")
    if len(account_id) != 12 or not account_id.isdigit() or arn.count(":") < 5:
        raise ReplyError(f"GetCallerIdentity with account {account_id!r} and ARN {arn!r}")
    return CallerIdentity(account_id=account_id, arn=arn)


def _role_arn(reply: Reply) -> str:
    return text_of(mapping_of(reply, "Role"), "Arn")


def _tags(role: Mapping[str, object]) -> list[Mapping[str, object]]:
    return mappings_of(role, "Tags")


def _kms_key(reply: Reply) -> KmsKey:
    found = mapping_of(reply, "KeyMetadata")
    arn = text_of(found, "Arn")
    return KmsKey(
        arn=arn,
        account_id=optional_text(found, "AWSAccountId") or arn.split(":")[4],
        region=region_of(arn, ""),
        state=text_of(found, "KeyState"),
        managed_by=text_of(found, "KeyManager"),
        usage=optional_text(found, "KeyUsage"),
        spec=optional_text(found, "KeySpec"),
    )


def _needed(reply: Reply, name: str) -> RawDocument:
    document = raw_documents.policy_document(reply.get(name))
    if document is None:
        raise ReplyError("an answer without its policy")
    return document


def _attribute_policy(reply: Reply) -> RawDocument | None:
    return raw_documents.policy_document(mapping_of(reply, "Attributes").get("Policy"))


def _simulation(request: SimulationRequest) -> dict[str, object]:
    context = [
        {
            "ContextKeyName": name,
            "ContextKeyValues": list(values),
            "ContextKeyType": "string" if len(values) == 1 else "stringList",
        }
        for name, values in request.context.items()
    ]
    parameters: dict[str, object] = {
        "PolicySourceArn": request.principal_arn,
        "ActionNames": list(request.actions),
        "ResourceArns": [request.resource_arn],
    }
    if context:
        parameters["ContextEntries"] = context
    if request.resource_policy is not None:
        parameters |= {
            "ResourcePolicy": request.resource_policy,
            "CallerArn": request.principal_arn,
        }
    if request.resource_owner:
        partition = request.principal_arn.split(":")[1]
        parameters["ResourceOwner"] = f"arn:{partition}:iam::{request.resource_owner}:root"
    return parameters


def _simulated(result: Mapping[str, object]) -> Simulated:
    try:
        effect = SimulatedEffect(text_of(result, "EvalDecision"))
    except ValueError as error:
        raise ReplyError(f"SimulatePrincipalPolicy: {error}") from error
    return Simulated(
        action=text_of(result, "EvalActionName"),
        effect=effect,
        missing_context_keys=tuple(texts_of(result, "MissingContextValues")),
        matched=tuple(
            optional_text(statement, "SourcePolicyId")
            for statement in mappings_of(result, "MatchedStatements")
        ),
    )
