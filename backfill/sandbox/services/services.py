"""All services together: which one a request is for, and what it answers.

Never checks a signature: the front has, and says who signed. One law: what a service changes counts
for S3 only through the directory, the world's roles and keys, and the key policies.
"""

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from backfill.sandbox.authorization.decision import Authorization
from backfill.sandbox.authorization.identities import Directory, Identity
from backfill.sandbox.authorization.policies import Policy
from backfill.sandbox.http.messages import HttpRequest, HttpResponse
from backfill.sandbox.http.refusals import refused
from backfill.sandbox.http.signature import Claim
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.measurements import Measurement
from backfill.sandbox.model.world import World
from backfill.sandbox.services.calls import Call, Doorkeeper, JsonOperation, XmlOperation
from backfill.sandbox.services.cloudwatch import CloudWatch
from backfill.sandbox.services.delivery import Delivery
from backfill.sandbox.services.functions import Functions, route
from backfill.sandbox.services.ghosts import UNIQUE_ID, with_ghost
from backfill.sandbox.services.iam.policies import PolicyOperations
from backfill.sandbox.services.iam.roles import RoleOperations
from backfill.sandbox.services.iam.simulator import Simulator
from backfill.sandbox.services.iam.store import IamStore, Role
from backfill.sandbox.services.iam.users import UserOperations
from backfill.sandbox.services.kms import Kms
from backfill.sandbox.services.kms_keys import KeyStore
from backfill.sandbox.services.protocols import (
    PROTOCOLS,
    Kind,
    error_answer,
    json_answer,
    operation_of,
    protocol_of,
    unknown_operation,
    xml_answer,
    xml_parts,
)
from backfill.sandbox.services.publishing import Publication
from backfill.sandbox.services.sns import Sns
from backfill.sandbox.services.sqs import Sqs
from backfill.sandbox.services.sts import Sts

_UNSIGNED_QUERY = "sts"
"""Who answers a query that does not say which service it is for: nobody can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A call that is understood; nothing has been done yet."""

    operation: str
    """With the service's IAM prefix: `iam:CreateRole`."""
    carry_out: Callable[[], HttpResponse]


class Services:
    """The services of one sandbox."""

    def __init__(
        self,
        *,
        authorization: Authorization,
        directory: Directory,
        world: World,
        key_policies: MutableMapping[str, str],
        endpoint_url: Callable[[], str],
        settling_s: float = 0.0,
    ) -> None:
        """`settling_s`: how long after a change of IAM the rest of AWS goes by the old state.

        `endpoint_url`: where queue URLs lead; known once the sandbox listens.
        """
        self._authorization = authorization
        self._directory = directory
        self._world = world
        self.iam = IamStore(
            directory=directory,
            world_roles=world.roles,
            settling_s=settling_s,
            on_removed=self._haunt,
        )
        self._keys = KeyStore(world.keys, key_policies)
        keeper = Doorkeeper(authorization=authorization)
        json_keeper = replace(keeper, code="AccessDeniedException", status=400)
        self.sqs = Sqs(
            keeper,
            keys=self._keys,
            missing_principal=self.missing_principal,
            endpoint_url=endpoint_url,
        )
        self.sns = Sns(
            replace(keeper, code="AuthorizationError"),
            keys=self._keys,
            missing_principal=self.missing_principal,
            send_to_queue=self._send_to_queue,
        )
        self.functions = Functions(
            replace(json_keeper, status=403), is_assumable=world.roles.trusts
        )
        self.cloudwatch = CloudWatch(keeper)
        self._delivery = Delivery(world=world, sqs=self.sqs, sns=self.sns, functions=self.functions)
        self._xml_operations: Mapping[str, Mapping[str, XmlOperation]] = {
            "iam": {
                **RoleOperations(self.iam, keeper, self.missing_principal).operations,
                **PolicyOperations(self.iam, keeper).operations,
                **UserOperations(directory, keeper).operations,
                **Simulator(self.iam, keeper).operations,
            },
            "sts": Sts(self.iam, keeper).operations,
            "sns": self.sns.operations,
        }
        self._json_operations: Mapping[str, Mapping[str, JsonOperation]] = {
            "kms": Kms(self._keys, json_keeper, self.missing_principal).operations,
            "sqs": self.sqs.operations,
            "monitoring": self.cloudwatch.operations,
        }

    # --- calls ---

    def prepared(
        self,
        service: str,
        request: HttpRequest,
        *,
        identity: Identity,
        region: str,
        now: datetime,
        request_id: str,
    ) -> Prepared:
        """The call, understood. Raises S3Error."""
        protocol = protocol_of(service, request)
        is_rest = protocol.kind is Kind.REST_JSON
        operation, fields = route(request) if is_rest else operation_of(protocol, request)
        call = Call(operation=operation, identity=identity, region=region, now=now, fields=fields)
        in_xml = self._xml_operations.get(service, {}).get(operation)
        in_json = self._json_operations.get(service, {}).get(operation)
        at_rest = self.functions.operations.get(operation) if is_rest else None

        def carry_out() -> HttpResponse:
            if in_xml is not None:
                return xml_answer(protocol, operation, in_xml(call), request_id)
            if at_rest is not None:
                status, result = at_rest(call)
                return json_answer(protocol, result, request_id, status)
            assert in_json is not None
            if protocol.kind is Kind.QUERY:
                return xml_answer(protocol, operation, xml_parts(in_json(call)), request_id)
            answer = json_answer(protocol, in_json(call), request_id)
            return replace(answer, delay_s=_pause_s(call, answer))

        if in_xml is None and in_json is None and at_rest is None:
            raise unknown_operation(operation, protocol.version or protocol.prefix)
        prefix = _PREFIXES.get(service, service)
        return Prepared(operation=f"{prefix}:{operation}", carry_out=carry_out)

    # --- what S3 tells ---

    def delivery_flaw(self, arn: str, bucket: str) -> str | None:
        """Why S3 would not take this target of events for the bucket of this name, or None."""
        return self._delivery.flaw(arn, bucket)

    def may_deliver(self, arn: str, bucket: str) -> bool:
        """Whether S3 may publish to this target on behalf of the bucket of this name."""
        return self._delivery.flaw(arn, bucket) is None

    def deliver(self, arn: str, body: str) -> None:
        """Hand an event of S3 over; where its policy does not let S3 in, nothing arrives."""
        self._delivery.deliver(arn, body)

    def record(self, measurement: Measurement) -> None:
        """Keep a datum of S3's for GetMetricData."""
        self.cloudwatch.record(measurement)

    def _send_to_queue(self, arn: str, body: str, publication: Publication) -> None:
        self._delivery.send_to_queue(arn, body, publication)

    # --- what counts elsewhere ---

    def settle(self, now: datetime) -> None:
        """Let what has settled by now count."""
        self.iam.settling.advance(now)
        self._keys.advance(now)

    def missing_principal(self, policy: Policy) -> str | None:
        """A user or role of the two accounts that a policy names and that is not there (yet).

        Without strict accounts only such count as are known to IAM: not settled, or deleted.
        """
        for statement in policy.statements:
            for principal in statement.principals or ():
                if self._is_missing(principal):
                    return principal
        return None

    def _is_missing(self, principal: str) -> bool:
        if UNIQUE_ID.fullmatch(principal):
            return not self._directory.has_unique_id(principal)
        if ":user/" not in principal and ":role/" not in principal:
            return False
        if self._directory.with_arn(principal) is not None:
            return False
        is_strict = principal.split(":")[4] in self._authorization.strict_accounts
        is_gone = self._directory.is_removed(principal)
        return is_strict or is_gone or self.iam.role_with_arn(principal) is not None

    def _haunt(self, role: Role) -> None:
        """Let every policy that names a role which is gone name its ID instead."""
        gone = partial(with_ghost, arn=role.arn, unique_id=role.role_id)
        for bucket in self._world.buckets.values():
            if bucket.policy is not None:
                bucket.policy = gone(bucket.policy)
        for arn, document in tuple(self._keys.policies.items()):
            self._keys.policies[arn] = gone(document)
        for attributes in (
            *(queue.attributes for queue in self.sqs.queues.values()),
            *(topic.attributes for topic in self.sns.topics.values()),
        ):
            if "Policy" in attributes:
                attributes["Policy"] = gone(attributes["Policy"])
        for other in self.iam.roles.values():
            trust = gone(other.trust)
            if trust != other.trust:
                other.trust = trust
                self.iam.publish_now(other)

    def adopt_role(self, role: Role) -> None:
        """Take over a role that no call made; it counts at once."""
        self.iam.roles[role.account_id, role.name] = role
        self.iam.publish_now(role)


_EMPTY = b"{}"
_PAUSE_S = 1.0
"""An empty long poll is answered then, at the latest: the server has one thread for everybody."""


def _pause_s(call: Call, answer: HttpResponse) -> float:
    if call.operation != "ReceiveMessage" or answer.body != _EMPTY:
        return 0.0
    return min(_PAUSE_S, call.fields.integer("WaitTimeSeconds", 0))


_PREFIXES = {"monitoring": "cloudwatch"}
"""IAM's prefix of actions where it is not the name that is signed for."""


def service_of(request: HttpRequest) -> str | None:
    """The service that a request is signed for; None for S3 and S3 Control."""
    signed_for = _signed_for(request)
    protocol = PROTOCOLS.get(signed_for)
    if protocol is not None and protocol.kind is Kind.REST_JSON:
        return signed_for if request.raw_path.startswith(b"/20") else None
    if request.method != "POST":
        return None
    if protocol is not None:
        return signed_for
    if _is_query(request):
        return _UNSIGNED_QUERY
    prefix = (request.header("x-amz-target") or "").partition(".")[0]
    known = {each.prefix: name for name, each in PROTOCOLS.items() if each.prefix}
    return known.get(prefix)


def check_scope(claim: Claim | None, service: str, regions: frozenset[str]) -> Claim:
    """The claim, if it is scoped to the service in a Region that is there. Raises S3Error.

    IAM has one endpoint, in us-east-1; but SDKs that are told another one sign for the Region that
    they work in.
    """
    if claim is None:
        raise refused(
            code="MissingAuthenticationToken",
            status=403,
            message="Request is missing Authentication Token",
            fact="STS API: Common errors",
        )
    if claim.service != service or claim.region not in regions:
        wrong = f"service: '{service}'" if claim.service != service else "Region"
        raise refused(
            code="SignatureDoesNotMatch",
            status=403,
            message=f"Credential should be scoped to correct {wrong}.",
            fact="STS API: Common errors",
        )
    return claim


def told_by(
    service: str, request: HttpRequest, request_id: str
) -> Callable[[S3Error], HttpResponse]:
    """How the service writes an error."""
    return partial(error_answer, protocol_of(service, request), request_id=request_id)


def _signed_for(request: HttpRequest) -> str:
    authorization = request.header("authorization") or ""
    scope = authorization.partition("Credential=")[2].partition(",")[0].strip().split("/")
    return scope[-2] if len(scope) > 4 else ""


def _is_query(request: HttpRequest) -> bool:
    content_type = request.headers.get(b"content-type", b"")
    is_form = content_type.startswith(b"application/x-www-form-urlencoded")
    return is_form and request.raw_path in {b"/", b""}
