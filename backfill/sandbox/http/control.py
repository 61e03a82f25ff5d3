"""S3 Control: which operation on a job a request asks for, and in whose account.

Never reads a body. SDKs put the account ID before the endpoint's host name and into a header; both
are accepted, so that a client may sign for any host name. One law: the account in the header is
the signer's (S3 API: CreateJob; a job is managed from its own account only).
"""

import re
from dataclasses import dataclass

from backfill.sandbox.authorization.identities import Identity
from backfill.sandbox.http.addressing import account_in_host
from backfill.sandbox.http.inbound import Inbound
from backfill.sandbox.http.messages import HttpRequest, HttpResponse
from backfill.sandbox.http.refusals import access_denied, invalid_request, not_implemented
from backfill.sandbox.http.signature import Claim, wrong_region, wrong_service
from backfill.sandbox.http.xml import branch, document, leaf
from backfill.sandbox.model.errors import S3Error

_PREFIX = b"/v20180820/"
_ACCOUNT_HEADER = "x-amz-account-id"
_FACT = "S3 API: Actions, Amazon S3 Control"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRoute:
    """One way to an operation. `allowed` are the query names that it reads."""

    operation: str
    method: str
    path: re.Pattern[bytes]
    allowed: frozenset[str] = frozenset()


def _route(operation: str, method: str, path: bytes, allowed: str = "") -> JobRoute:
    pattern = re.compile(re.escape(_PREFIX) + path)
    return JobRoute(
        operation=operation, method=method, path=pattern, allowed=frozenset(allowed.split())
    )


_ID = rb"jobs/([A-Za-z0-9_-]{5,36})"
"""A job ID's letters and length (S3 API: DescribeJob, id)."""

JOB_ROUTES = (
    _route("CreateJob", "POST", rb"jobs"),
    _route("ListJobs", "GET", rb"jobs", "jobStatuses maxResults nextToken"),
    _route("DescribeJob", "GET", _ID),
    _route("UpdateJobStatus", "POST", _ID + rb"/status", "requestedJobStatus statusUpdateReason"),
    _route("UpdateJobPriority", "POST", _ID + rb"/priority", "priority"),
    _route("GetJobTagging", "GET", _ID + rb"/tagging"),
    _route("PutJobTagging", "PUT", _ID + rb"/tagging"),
    _route("DeleteJobTagging", "DELETE", _ID + rb"/tagging"),
)


def is_control(request: HttpRequest) -> bool:
    """Whether this is a call of S3 Control rather than of a bucket named `v20180820`."""
    if not request.raw_path.startswith(_PREFIX):
        return False
    is_named = request.header(_ACCOUNT_HEADER) is not None
    return is_named or account_in_host(request.header("host") or "") is not None


def check_scope(claim: Claim | None, regions: frozenset[str]) -> Claim:
    """The claim, if it is scoped to `s3` in a Region that is there. Raises S3Error."""
    if claim is None:
        raise access_denied(fact=f"{_FACT}: no request is anonymous")
    if claim.service != "s3":
        raise wrong_service(claim)
    if claim.region not in regions:
        raise wrong_region(claim, min(regions))
    return claim


def check_account(request: HttpRequest, identity: Identity) -> None:
    """Refuse any account but the signer's own, in the header and before the host name alike."""
    account_id = request.header(_ACCOUNT_HEADER)
    if account_id is None:
        raise invalid_request(f"Missing required header: {_ACCOUNT_HEADER}", fact=_FACT)
    in_host = account_in_host(request.header("host") or "") or account_id
    if account_id != identity.account_id or in_host != account_id:
        raise access_denied(fact=f"{_FACT}: {_ACCOUNT_HEADER}")


def inbound_of(request: HttpRequest, body: bytes) -> Inbound:
    """The request for one operation; its `key` is the job ID. Raises S3Error when there is none."""
    names = {name for name, _ in request.query_pairs()}
    for route in JOB_ROUTES:
        found = route.path.fullmatch(request.raw_path)
        if found is None or route.method != request.method:
            continue
        if not names <= route.allowed | {"x-id"}:
            break
        return Inbound(
            operation=route.operation,
            bucket="",
            key=found[1].decode("ascii") if found.re.groups else "",
            query=dict(reversed(request.query_pairs())),
            request=request,
            body=body,
        )
    raise not_implemented(
        f"{request.method} on this path of S3 Control is not carried by this sandbox.", fact=_FACT
    )


def error_answer(error: S3Error, request_id: str) -> HttpResponse:
    """An error as S3 Control writes it: wrapped, unlike S3's."""
    inner = [leaf("Code", error.code), leaf("Message", error.message)]
    inner += [leaf(name, value) for name, value in error.fields]
    parts = [branch("Error", inner), leaf("RequestId", request_id)]
    parts.append(leaf("HostId", f"sandbox/{request_id}"))
    body = document("ErrorResponse", parts, namespace=None)
    headers = (*error.headers, ("Content-Type", "application/xml"))
    return HttpResponse(status=error.status, headers=headers, body=body)
