"""Policy documents: JSON in, frozen statements out.

Never evaluates. One law: what is not understood is refused, because a policy that is half read
allows or denies something else than it says (IAM User Guide: reference_policies_elements).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from backfill.sandbox.authorization.conditions import OPERATORS, Condition, parsed_operator


class PolicyError(ValueError):
    """The document is no policy that this sandbox can carry out faithfully."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement. `principals` is None in identity policies, which speak of their holder."""

    effect: Literal["Allow", "Deny"]
    actions: tuple[str, ...]
    is_not_action: bool
    resources: tuple[str, ...]
    is_not_resource: bool
    principals: tuple[str, ...] | None
    conditions: tuple[Condition, ...]
    sid: str = ""
    is_not_principal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A whole document. An identity policy also has its name and its text, which IAM tells."""

    statements: tuple[Statement, ...]
    name: str = ""
    text: str = ""


_ELEMENTS = {
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}


_PRINCIPAL = {
    "AWS": re.compile(
        r"\*|[0-9]{12}|A[IR][DO]A[A-Z0-9]{4,}"
        r"|arn:aws[a-z-]*:iam::[0-9]{12}:(root|(user|role)/[\x21-\x7e]+)"
        r"|arn:aws[a-z-]*:sts::[0-9]{12}:(assumed-role|federated-user)/[\x21-\x7e]+"
    ),
    "Service": re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com(\.cn)?"),
    "Federated": re.compile(r"[\x21-\x7e]+"),
}
"""What each kind of principal looks like; a federated one is read and names nobody who is here."""


def identity_policy(document: str | bytes, name: str = "") -> Policy:
    """A policy attached to a user or role. Raises PolicyError."""
    text = document if isinstance(document, str) else document.decode("utf-8", "replace")
    return replace(_policy(document, has_principals=False), name=name, text=text)


@lru_cache(maxsize=256)
def resource_policy(document: str | bytes) -> Policy:
    """The policy of a bucket, key, queue, topic or function. Raises PolicyError."""
    return _policy(document, has_principals=True)


@lru_cache(maxsize=256)
def trust_policy(document: str | bytes) -> Policy:
    """A role's trust policy, which speaks of no other resource. Raises PolicyError."""
    return _policy(document, has_principals=True, has_resources=False)


def _policy(document: str | bytes, *, has_principals: bool, has_resources: bool = True) -> Policy:
    try:
        raw = json.loads(document)
    except ValueError as error:
        raise PolicyError("This policy contains invalid Json") from error
    if not isinstance(raw, dict):
        raise PolicyError("Policies must be valid JSON and the first byte must be '{'")
    if raw.get("Version", "2008-10-17") not in {"2012-10-17", "2008-10-17"}:
        raise PolicyError("The policy must contain a valid version string")
    _refuse_unknown(raw, {"Version", "Id", "Statement"})
    statements = raw.get("Statement")
    listed = statements if isinstance(statements, list) else [statements]
    if not listed:
        raise PolicyError("Could not parse the policy: Statement is empty!")
    return Policy(
        statements=tuple(
            _statement(each, has_principals=has_principals, has_resources=has_resources)
            for each in listed
        )
    )


def _statement(raw: object, *, has_principals: bool, has_resources: bool) -> Statement:
    fields = _object(raw, "Statement")
    _refuse_unknown(fields, _ELEMENTS)
    effect = fields.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise PolicyError(f"Invalid effect: {effect}")
    is_not_principal = "NotPrincipal" in fields
    if ("Principal" in fields or is_not_principal) is not has_principals:
        raise PolicyError(
            "Missing required field Principal"
            if has_principals
            else "Policy document should not specify a principal."
        )
    actions, is_not_action = _either(fields, "Action", "NotAction")
    resources, is_not_resource = _resources(fields, has_resources=has_resources)
    return Statement(
        effect=effect,
        actions=actions,
        is_not_action=is_not_action,
        resources=resources,
        is_not_resource=is_not_resource,
        principals=_principals(fields) if has_principals else None,
        conditions=_conditions(fields.get("Condition", {})),
        sid=str(fields.get("Sid", "")),
        is_not_principal=is_not_principal,
    )


def _object(raw: object, what: str) -> Mapping[str, object]:
    if not isinstance(raw, dict):
        raise PolicyError(f"{what} must be an object")
    return raw


def _refuse_unknown(fields: Mapping[str, object], known: set[str]) -> None:
    unknown = set(fields) - known
    if unknown:
        raise PolicyError(f"Unknown field {min(unknown)}")


def _strings(raw: object, what: str) -> tuple[str, ...]:
    values = raw if isinstance(raw, list) else [raw]
    texts = tuple(value for value in values if isinstance(value, str))
    if not texts or len(texts) != len(values):
        raise PolicyError(f"{what} must be a string or a list of strings")
    if any("${" in text for text in texts):
        raise PolicyError(f"{what}: policy variables are not carried by this sandbox")
    return texts


def _either(fields: Mapping[str, object], name: str, negated: str) -> tuple[tuple[str, ...], bool]:
    if (name in fields) is (negated in fields):
        raise PolicyError(f"Missing required field {name}")
    chosen = name if name in fields else negated
    return _strings(fields[chosen], chosen), chosen == negated


def _resources(
    fields: Mapping[str, object], *, has_resources: bool
) -> tuple[tuple[str, ...], bool]:
    if has_resources:
        return _either(fields, "Resource", "NotResource")
    if "Resource" in fields or "NotResource" in fields:
        raise PolicyError("Has prohibited field Resource")
    return ("*",), False


def _principals(fields: Mapping[str, object]) -> tuple[str, ...]:
    if "Principal" in fields and "NotPrincipal" in fields:
        raise PolicyError("Principal and NotPrincipal exclude each other")
    raw = fields["NotPrincipal" if "NotPrincipal" in fields else "Principal"]
    if raw == "*":
        return ("*",)
    named: list[str] = []
    for kind, value in _object(raw, "Principal").items():
        if kind not in _PRINCIPAL:
            raise PolicyError(f"Invalid principal in policy: {kind}")
        for principal in _strings(value, "Principal"):
            has_wildcard = "*" in principal and principal != "*"
            if has_wildcard or _PRINCIPAL[kind].fullmatch(principal) is None:
                raise PolicyError(f"Invalid principal in policy: {principal}")
            named.append(principal)
    return tuple(named)


def _conditions(raw: object) -> tuple[Condition, ...]:
    conditions = []
    for operator, keys in _object(raw, "Condition").items():
        name, is_if_exists, quantifier = parsed_operator(operator)
        if name not in OPERATORS:
            raise PolicyError(f"Invalid Condition type : {operator}")
        for key, value in _object(keys, "Condition").items():
            raw_values = value if isinstance(value, list) else [value]
            values = [str(v).lower() if isinstance(v, bool) else v for v in raw_values]
            conditions.append(
                Condition(
                    operator=name,
                    is_if_exists=is_if_exists,
                    key=key.lower(),
                    values=_strings(values, f"Condition {key}"),
                    quantifier=quantifier,
                )
            )
    return tuple(conditions)


@lru_cache(maxsize=4096)
def _pattern(text: str, *, ignores_case: bool) -> re.Pattern[str]:
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in text)
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignores_case else 0))


def matches(pattern: str, text: str, *, ignores_case: bool = False) -> bool:
    """Whether `*` and `?` in the pattern can stand for what is in the text."""
    return _pattern(pattern, ignores_case=ignores_case).fullmatch(text) is not None


def applies(statement: Statement, action: str, resource_arn: str) -> bool:
    """Whether a statement speaks of this action on this resource, whoever asks."""
    has_action = any(matches(each, action, ignores_case=True) for each in statement.actions)
    if has_action is statement.is_not_action:
        return False
    has_resource = any(matches(each, resource_arn) for each in statement.resources)
    return has_resource is not statement.is_not_resource
