"""Lambda, as far as it is a target of events: functions that exist, and who may invoke them.

Never runs code: what a function was invoked with is kept to look at. One law: a service invokes a
function only by a statement of the function's own policy (Lambda API: AddPermission).
"""

import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import unquote

from backfill.sandbox.authorization.policies import PolicyError, resource_policy
from backfill.sandbox.http.messages import HttpRequest
from backfill.sandbox.http.refusals import refused
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.services.calls import Call, Doorkeeper
from backfill.sandbox.services.fields import Fields
from backfill.sandbox.services.protocols import json_fields, unknown_operation
from backfill.sandbox.services.publishing import Publication, is_let_in

LAMBDA = "lambda.amazonaws.com"
_BASE = "/2015-03-31/functions"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_INVOCATIONS_LIMIT = 1000
"""Of one function: only the newest are of interest to a test."""
_ROUTES = (
    ("CreateFunction", "POST", re.compile(rf"{_BASE}/?")),
    ("ListFunctions", "GET", re.compile(rf"{_BASE}/?")),
    ("GetFunction", "GET", re.compile(rf"{_BASE}/(?P<FunctionName>[^/]+)")),
    (
        "GetFunctionConfiguration",
        "GET",
        re.compile(rf"{_BASE}/(?P<FunctionName>[^/]+)/configuration"),
    ),
    ("DeleteFunction", "DELETE", re.compile(rf"{_BASE}/(?P<FunctionName>[^/]+)")),
    ("AddPermission", "POST", re.compile(rf"{_BASE}/(?P<FunctionName>[^/]+)/policy")),
    ("GetPolicy", "GET", re.compile(rf"{_BASE}/(?P<FunctionName>[^/]+)/policy")),
    (
        "RemovePermission",
        "DELETE",
        re.compile(rf"{_BASE}/(?P<FunctionName>[^/]+)/policy/(?P<StatementId>[^/]+)"),
    ),
)
Answer = tuple[int, Mapping[str, object]]


# Open to change: calls change it.
@dataclass(slots=True, kw_only=True)
class Function:
    """A function: who may invoke it, and with what it was."""

    arn: str
    role: str
    created_at: datetime
    statements: dict[str, dict[str, object]] = field(default_factory=dict)
    """By statement ID."""
    invocations: deque[str] = field(default_factory=lambda: deque(maxlen=_INVOCATIONS_LIMIT))

    @property
    def name(self) -> str:
        """The last part of the ARN."""
        return self.arn.rpartition(":")[2]

    @property
    def policy(self) -> str | None:
        """The function's policy; None before the first permission."""
        if not self.statements:
            return None
        statements = list(self.statements.values())
        return json.dumps({"Version": "2012-10-17", "Id": "default", "Statement": statements})


class Functions:
    """The calls of Lambda."""

    def __init__(self, doorkeeper: Doorkeeper, *, is_assumable: Callable[[str, str], bool]) -> None:
        self._doorkeeper = doorkeeper
        self._is_assumable = is_assumable
        self.functions: dict[str, Function] = {}
        """By ARN."""

    @property
    def operations(self) -> Mapping[str, Callable[[Call], Answer]]:
        """By name."""
        return {
            "CreateFunction": self.create,
            "ListFunctions": self.list_all,
            "GetFunction": self.get,
            "GetFunctionConfiguration": self.get_configuration,
            "DeleteFunction": self.delete,
            "AddPermission": self.add_permission,
            "GetPolicy": self.get_policy,
            "RemovePermission": self.remove_permission,
        }

    def may_invoke(self, function: Function, publication: Publication) -> bool:
        """Whether a service may invoke the function."""
        return is_let_in(publication, "lambda:InvokeFunction", function.arn, function.policy)

    def _asked(self, call: Call) -> Function:
        given = call.fields.required("FunctionName")
        arn = given
        if not given.startswith("arn:"):
            arn = f"arn:aws:lambda:{call.region}:{call.account_id}:function:{given}"
        function = self.functions.get(arn)
        policy = None
        if function is not None and function.policy is not None:
            policy = resource_policy(function.policy)
        self._doorkeeper.require(call, f"lambda:{call.operation}", arn, policy=policy)
        if function is None or arn.split(":")[3] != call.region:
            raise _not_found(f"Function not found: {arn}")
        return function

    def create(self, call: Call) -> Answer:
        """CreateFunction: its code is not looked at."""
        name, role = call.fields.required("FunctionName"), call.fields.required("Role")
        if _NAME.fullmatch(name) is None:
            raise _error("InvalidParameterValueException", 400, f"Invalid function name: {name}")
        arn = f"arn:aws:lambda:{call.region}:{call.account_id}:function:{name}"
        self._doorkeeper.require(call, "lambda:CreateFunction", arn)
        passed = (("iam:PassedToService", LAMBDA),)
        self._doorkeeper.require(call, "iam:PassRole", role, conditions=passed)
        if not self._is_assumable(role, LAMBDA):
            raise _error(
                "InvalidParameterValueException",
                400,
                "The role defined for the function cannot be assumed by Lambda.",
            )
        if arn in self.functions:
            raise _error("ResourceConflictException", 409, f"Function already exist: {name}")
        self.functions[arn] = Function(arn=arn, role=role, created_at=call.now)
        return 201, _configuration(self.functions[arn])

    def list_all(self, call: Call) -> Answer:
        """ListFunctions."""
        self._doorkeeper.require(call, "lambda:ListFunctions", "*")
        own = f"arn:aws:lambda:{call.region}:{call.account_id}:"
        found = [_configuration(each) for arn, each in self.functions.items() if own in arn]
        return 200, {"Functions": found}

    def get(self, call: Call) -> Answer:
        """GetFunction."""
        return 200, {"Configuration": _configuration(self._asked(call))}

    def get_configuration(self, call: Call) -> Answer:
        """GetFunctionConfiguration."""
        return 200, _configuration(self._asked(call))

    def delete(self, call: Call) -> Answer:
        """DeleteFunction."""
        del self.functions[self._asked(call).arn]
        return 204, {}

    def add_permission(self, call: Call) -> Answer:
        """AddPermission: a statement more."""
        function, fields = self._asked(call), call.fields
        sid = fields.required("StatementId")
        if sid in function.statements:
            raise _error(
                "ResourceConflictException",
                409,
                f"The statement id ({sid}) provided already exists. Please provide a new statement "
                "id, or remove the existing statement.",
            )
        statement = _statement(function.arn, sid, fields)
        try:
            resource_policy(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
        except PolicyError as error:
            message = f"The provided principal was invalid: {error}"
            raise _error("InvalidParameterValueException", 400, message) from error
        function.statements[sid] = statement
        return 201, {"Statement": json.dumps(statement)}

    def get_policy(self, call: Call) -> Answer:
        """GetPolicy."""
        policy = self._asked(call).policy
        if policy is None:
            raise _not_found("The resource you requested does not exist.")
        return 200, {"Policy": policy, "RevisionId": "sandbox"}

    def remove_permission(self, call: Call) -> Answer:
        """RemovePermission."""
        sid = call.fields.required("StatementId")
        if self._asked(call).statements.pop(sid, None) is None:
            raise _not_found(f"Statement {sid} is not found in resource policy.")
        return 204, {}


def route(request: HttpRequest) -> tuple[str, Fields]:
    """The operation that a request asks for, with the members of its path and body."""
    path = request.raw_path.decode("latin-1")
    for operation, method, pattern in _ROUTES:
        found = pattern.fullmatch(path)
        if found is None or request.method != method:
            continue
        if request.query_pairs():
            raise _error(
                "InvalidParameterValueException", 400, "Qualifiers are not carried by this sandbox"
            )
        named = {name: unquote(value) for name, value in found.groupdict().items()}
        return operation, json_fields(request.body).extended(named)
    raise unknown_operation(f"{request.method} {path}", "2015-03-31")


def _statement(arn: str, sid: str, fields: Fields) -> dict[str, object]:
    named = fields.required("Principal")
    is_service = named.endswith(".amazonaws.com")
    conditions: dict[str, dict[str, str]] = {}
    source_arn, source_account = fields.text("SourceArn"), fields.text("SourceAccount")
    organization_id = fields.text("PrincipalOrgID")
    equal: dict[str, str] = {}
    if source_account is not None:
        equal["AWS:SourceAccount"] = source_account
    if organization_id is not None:
        equal["aws:PrincipalOrgID"] = organization_id
    if equal:
        conditions["StringEquals"] = equal
    if source_arn is not None:
        conditions["ArnLike"] = {"AWS:SourceArn": source_arn}
    statement: dict[str, object] = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service" if is_service else "AWS": named} if named != "*" else "*",
        "Action": fields.required("Action"),
        "Resource": arn,
    }
    return statement | ({"Condition": conditions} if conditions else {})


def _configuration(function: Function) -> dict[str, object]:
    return {
        "FunctionName": function.name,
        "FunctionArn": function.arn,
        "Role": function.role,
        "State": "Active",
        "LastModified": function.created_at.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
        "Version": "$LATEST",
    }


def _error(code: str, status: int, message: str) -> S3Error:
    return refused(code=code, status=status, message=message, fact="Lambda API: errors of actions")


def _not_found(message: str) -> S3Error:
    return _error("ResourceNotFoundException", 404, message)
