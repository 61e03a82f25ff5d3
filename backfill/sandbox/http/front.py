"""From an HTTP request to its answer: who asks, of which Region, for what; then the model.

Never changes the model by itself. One law: nothing is carried out before the signature, the Region
and the payload were found right.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache, partial
from typing import TypeAlias

from backfill.sandbox.authorization.identities import Directory, Identity
from backfill.sandbox.authorization.policies import PolicyError, resource_policy
from backfill.sandbox.http import control
from backfill.sandbox.http.addressing import Address, address_of, is_own_host
from backfill.sandbox.http.faults import Call, FaultHook, disturbed, no_faults
from backfill.sandbox.http.inbound import Inbound
from backfill.sandbox.http.messages import HttpRequest, HttpResponse
from backfill.sandbox.http.operations import JOB_OPERATIONS, OPERATIONS
from backfill.sandbox.http.payload import payload_of
from backfill.sandbox.http.refusals import refused
from backfill.sandbox.http.routing import operation_of
from backfill.sandbox.http.signature import (
    Claim,
    Secret,
    Signed,
    claim_of,
    verified,
    wrong_region,
    wrong_service,
)
from backfill.sandbox.http.xml import document, leaf
from backfill.sandbox.model.errors import Pairs, S3Error
from backfill.sandbox.model.identities import Caller
from backfill.sandbox.model.model import S3Model
from backfill.sandbox.services.services import Services, check_scope, service_of, told_by

_LOG = logging.getLogger(__name__)
_GLOBAL_REGION = "us-east-1"

Serve: TypeAlias = Callable[[HttpRequest], HttpResponse]
Told: TypeAlias = Callable[[S3Error], HttpResponse]


class Front:
    """Answers requests one at a time, in the order in which they come."""

    def __init__(
        self,
        *,
        model: S3Model,
        directory: Directory,
        services: Services,
        now: Callable[[], datetime],
        regions: frozenset[str],
    ) -> None:
        self._model = model
        self._directory = directory
        self._services = services
        self._now = now
        self._regions = regions
        self.fault_hook: FaultHook = no_faults
        self.calls: Counter[str] = Counter()
        """Authentic requests so far, by operation."""
        self._requests_count = 0

    def answer(self, request: HttpRequest) -> HttpResponse:
        """The answer to one request; never raises on account of a client."""
        self._requests_count += 1
        self._services.settle(self._now())
        request_id = f"{self._requests_count:016X}"
        serve, told = self._service(request, request_id)
        try:
            _check_host(request)
            response = serve(request)
        except S3Error as error:
            response = told(error)
        except Exception:  # noqa: BLE001 - a bug of the sandbox must not hang its clients
            _LOG.exception("the sandbox failed on %s %r", request.method, request.raw_path)
            internal = refused(
                code="InternalError",
                status=500,
                message="We encountered an internal error. Please try again.",
                fact="S3 API: Error responses, InternalError",
            )
            response = told(internal)
        common = (
            ("x-amz-id-2", f"sandbox/{request_id}"),
            ("x-amz-request-id", request_id),
            ("Date", _http_date(self._now().replace(microsecond=0))),
            ("Server", "AmazonS3"),
        )
        return replace(response, headers=common + response.headers)

    def _service(self, request: HttpRequest, request_id: str) -> tuple[Serve, Told]:
        """Who answers, and how that service writes an error."""
        told: Told
        service = service_of(request)
        if service is not None:
            told = told_by(service, request, request_id)
            return partial(self._other, service=service, told=told, request_id=request_id), told
        if control.is_control(request):
            told = partial(control.error_answer, request_id=request_id)
            return partial(self._control, told=told), told
        told = partial(_error_answer, request=request, request_id=request_id)
        return partial(self._s3, told=told), told

    # --- S3 ---

    def _s3(self, request: HttpRequest, told: Told) -> HttpResponse:
        claim = claim_of(request)
        address = address_of(request)
        region = self._region(request, claim, address)
        signed, caller = self._authenticated(request, claim, region)
        query: dict[str, str] = {}
        for name, value in request.query_pairs():
            query.setdefault(name, value)
        operation = operation_of(request, address, query)
        payload = payload_of(request, signed)
        inbound = Inbound(
            operation=operation,
            bucket=address.bucket or "",
            key=address.key or "",
            query=query,
            request=request,
            body=payload.body,
            trailers=payload.trailers,
        )
        carry_out = partial(self._carried_out, inbound, caller)
        return self._answered(operation, carry_out, told, bucket=inbound.bucket, key=inbound.key)

    def _answered(
        self,
        operation: str,
        carry_out: Callable[[], HttpResponse],
        told: Told,
        *,
        bucket: str = "",
        key: str = "",
    ) -> HttpResponse:
        """The operation's answer, or what the fault hook makes of it."""
        self.calls[operation] += 1
        call = Call(
            operation=operation,
            bucket=bucket,
            key=key,
            number=self.calls.total(),
            nth=self.calls[operation],
        )
        fault = self.fault_hook(call)
        if fault is None:
            return carry_out()

        def carried_out_or_refused() -> HttpResponse:
            try:
                return carry_out()
            except S3Error as error:  # a refusal is an answer too, and may be lost like any other
                return told(error)

        return disturbed(fault, carried_out_or_refused, told)

    def _carried_out(self, inbound: Inbound, caller: Caller) -> HttpResponse:
        try:
            if inbound.operation == "PutBucketPolicy":
                self._check_principals(inbound)
            return OPERATIONS[inbound.operation](self._model, caller, inbound)
        except S3Error as error:
            home = self._model.bucket_region(inbound.bucket)
            if inbound.operation == "HeadBucket" and home is not None:
                # Even a 403 says where the bucket is (S3 API: HeadBucket).
                error.headers += (("x-amz-bucket-region", home),)
            raise

    def _check_principals(self, inbound: Inbound) -> None:
        """Refuse a policy for somebody who is not there (S3 User Guide: bucket-policies)."""
        try:
            policy = resource_policy(inbound.body)
        except PolicyError:
            return  # the operation says so in its own words
        missing = self._services.missing_principal(policy)
        if missing is not None:
            raise refused(
                code="MalformedPolicy",
                status=400,
                message="Invalid principal in policy",
                fact="S3 API: Error responses, MalformedPolicy",
                members=(("Detail", f'"AWS" : "{missing}"'),),
            )

    def _region(self, request: HttpRequest, claim: Claim | None, address: Address) -> str:
        """The Region whose endpoint is called: the scope's. Wrong ones are answered as S3 does.

        One port stands for every endpoint. A scope of us-east-1 stands for the global endpoint,
        which names resolve to the bucket's Region: there the scope is wrong (400). A scope of
        another Region stands for that Region's endpoint, which redirects (301).
        (S3 User Guide: Redirects; UsingBucket, accessing a bucket through another Region.)
        """
        home = None
        is_creation = request.method == "PUT" and address.key is None and not request.raw_query
        if address.bucket is not None and not is_creation:
            home = self._model.bucket_region(address.bucket)
        if claim is None:
            return home or _GLOBAL_REGION
        if claim.service != "s3":
            raise wrong_service(claim)
        if claim.region not in self._regions:
            raise wrong_region(claim, home or _GLOBAL_REGION)
        if home is None or home == claim.region:
            return claim.region
        if claim.region == _GLOBAL_REGION:
            raise wrong_region(claim, home)
        raise _redirect(address.bucket or "", home)

    def _authenticated(
        self, request: HttpRequest, claim: Claim | None, region: str
    ) -> tuple[Signed | None, Caller]:
        if claim is None:
            return None, Caller(account_id="", arn="", region=region)
        signed, identity = self._proven(request, claim)
        caller = Caller(
            account_id=identity.account_id,
            arn=identity.arn,
            region=region,
            is_paying=request.header("x-amz-request-payer") == "requester",
        )
        return signed, caller

    def _proven(self, request: HttpRequest, claim: Claim) -> tuple[Signed, Identity]:
        identity = self._directory.with_access_key(claim.access_key_id)
        secret = None
        if identity is not None:
            secret = Secret(
                secret_access_key=identity.secret_access_key,
                session_token=identity.session_token,
                expires_at=identity.expires_at,
            )
        signed = verified(request, claim, secret, self._now())
        assert identity is not None, "verified() refuses unknown access keys"
        return signed, identity

    # --- S3 Control ---

    def _control(self, request: HttpRequest, told: Told) -> HttpResponse:
        claim = control.check_scope(claim_of(request), self._regions)
        signed, identity = self._proven(request, claim)
        control.check_account(request, identity)
        inbound = control.inbound_of(request, payload_of(request, signed).body)
        caller = Caller(account_id=identity.account_id, arn=identity.arn, region=claim.region)
        carry_out = partial(JOB_OPERATIONS[inbound.operation], self._model, caller, inbound)
        return self._answered(inbound.operation, carry_out, told, key=inbound.key)

    # --- the other services ---

    def _other(
        self, request: HttpRequest, *, service: str, told: Told, request_id: str
    ) -> HttpResponse:
        claim = check_scope(claim_of(request), service, self._regions)
        signed, identity = self._proven(request, claim)
        payload_of(request, signed)
        prepared = self._services.prepared(
            service,
            request,
            identity=identity,
            region=claim.region,
            now=self._now(),
            request_id=request_id,
        )
        if prepared.operation == "sts:GetCallerIdentity":
            return prepared.carry_out()  # SDKs ask when they like: it would shift every count
        return self._answered(prepared.operation, prepared.carry_out, told)


def _check_host(request: HttpRequest) -> None:
    """Refuse to be the proxy for any server but this one: no request is ever passed on."""
    host = request.header("host") or ""
    if request.is_proxied and not is_own_host(host):
        raise refused(
            code="AccessDenied",
            status=403,
            message=(
                f"This is a sandbox and no proxy: HTTP_PROXY names it so that SDKs find S3 Control,"
                f" and it passes nothing on to {host}. List that name in NO_PROXY."
            ),
            fact="the sandbox never opens a connection",
        )


def _redirect(bucket: str, region: str) -> S3Error:
    host = "s3" if region == _GLOBAL_REGION else f"s3.{region}"
    return refused(
        code="PermanentRedirect",
        status=301,
        message=(
            "The bucket you are attempting to access must be addressed using the specified "
            "endpoint. Please send all future requests to this endpoint."
        ),
        fact="S3 API: Error responses, PermanentRedirect",
        members=(("Endpoint", f"{bucket}.{host}.amazonaws.com"), ("Bucket", bucket)),
        headers=(("x-amz-bucket-region", region),),
    )


def _error_answer(error: S3Error, request: HttpRequest, request_id: str) -> HttpResponse:
    """The error document; HEAD and 304 answers have none (S3 API: Error responses)."""
    if request.method == "HEAD" or error.status == 304:
        return HttpResponse(status=error.status, headers=error.headers)
    members: Pairs = (
        ("Code", error.code),
        ("Message", error.message),
        *error.fields,
        ("Resource", request.raw_path.decode("latin-1")),
        ("RequestId", request_id),
        ("HostId", f"sandbox/{request_id}"),
    )
    body = document("Error", [leaf(name, value) for name, value in members], namespace=None)
    headers = (*error.headers, ("Content-Type", "application/xml"))
    return HttpResponse(status=error.status, headers=headers, body=body)


@lru_cache(maxsize=4)
def _http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)
