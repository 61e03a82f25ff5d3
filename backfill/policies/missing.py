"""The missing statements: the smallest that make denied requests allowed, ready to paste.

Never merges them into a document and never writes one. Law: a statement grants the actions that
were asked for, on what they were asked for, to the one who asked, and to services only on behalf
of the account and resource that the request names (confused deputies).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from backfill.policies.asking import Pair, requests_for
from backfill.policies.context import Every, Said
from backfill.policies.evaluation import Decision, Verdict, must_be_in_resource_policy
from backfill.policies.need import Feature
from backfill.policies.needs import explained
from backfill.policies.principals import Principal, PrincipalType
from backfill.policies.request import Place, Request

Statement = Mapping[str, object]
"""A statement as JSON."""

Values = tuple[str, ...]
Conditions = tuple[tuple[str, str, Values], ...]
"""Operator, key and values of each condition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What one document lacks."""

    place: Place
    account_id: str
    attached_to: str
    """ARN of the role or user, or of the bucket, key or role whose own policy it is."""
    statements: tuple[Statement, ...]


_KEPT: Final = {
    "kms:ViaService": "StringEquals",
    "kms:EncryptionContext:aws:s3:arn": "StringLike",
    "aws:SourceAccount": "StringEquals",
    "aws:SourceArn": "ArnLike",
}
"""Condition keys that a statement keeps to where the request has them, and by which operator."""
_OBJECTS_OF_KEY: Final = "kms:EncryptionContext:aws:s3:arn"
_SPECIAL: Final = re.compile(r"[*?]|\$(?=\{)")


def missing(decisions: Iterable[Decision]) -> tuple[Missing, ...]:
    """Return what lacks for these decisions, a document each; none for those not denied for lack.

    An explicit deny is mended by no statement: its evidence names the one to narrow.
    """
    asked: dict[tuple[Place, str, str], list[Request]] = {}
    for each in decisions:
        if each.verdict is not Verdict.IMPLICIT_DENY:
            continue
        for place in each.lacks:
            asked.setdefault(_whose(each.request, place), []).append(each.request)
    return _as_missing(asked)


def missing_after(
    failure_code: str, pair: Pair, features: Iterable[Feature]
) -> tuple[Missing, ...]:
    """Return every statement whose lack can cause a failure code, where no document was read."""
    asked: dict[tuple[Place, str, str], list[Request]] = {}
    used = frozenset(features)
    for need in explained(failure_code):
        if not need.features <= used:
            continue
        for request in requests_for(need, pair, used):
            for place in places_of(request):
                asked.setdefault(_whose(request, place), []).append(request)
    return _as_missing(asked)


def places_of(request: Request) -> tuple[Place, ...]:
    """Return the kinds of documents whose silence can be why a request is denied.

    Of a key within its account both: a key policy that names only the account leaves it to the
    identity's policies.
    """
    principal = request.principal
    is_across = principal.account_id != request.resource_account_id
    if principal.type is PrincipalType.SERVICE:
        return (Place.RESOURCE,)
    if is_across or must_be_in_resource_policy(request.action):
        return (Place.IDENTITY, Place.RESOURCE)
    return (Place.IDENTITY,)


def _whose(request: Request, place: Place) -> tuple[Place, str, str]:
    if place not in {Place.RESOURCE, Place.RESOURCE_CONTROL}:
        return place, request.principal.account_id, request.principal.arn
    return place, request.resource_account_id, _owner_of_policy(request)


def _owner_of_policy(request: Request) -> str:
    """Return what the resource policy is attached to: of an object, its bucket."""
    text = request.resource.prefix if isinstance(request.resource, Every) else request.resource
    return text.partition("/")[0] if ":s3:::" in text else text


def _as_missing(
    asked: Mapping[tuple[Place, str, str], Sequence[Request]],
) -> tuple[Missing, ...]:
    return tuple(
        Missing(
            place=place,
            account_id=account_id,
            attached_to=attached_to,
            statements=statements_for(requests, place),
        )
        for (place, account_id, attached_to), requests in asked.items()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grant:
    """A statement in the making."""

    principal: Principal
    actions: Values
    resources: Values
    conditions: Conditions


_PARTS: Final = ("principal", "actions", "resources", "conditions")


def statements_for(requests: Iterable[Request], place: Place) -> tuple[Statement, ...]:
    """Return the fewest statements for these requests in a document of this kind.

    Requests of one principal are put together only where nothing more is granted by it: the same
    resources and conditions, or the same actions and conditions, or the same but for the context.
    """
    grants = [_grant(request, place) for request in requests]
    grants = _joined(grants, "conditions")
    grants = _joined(grants, "resources")
    grants = _joined(grants, "actions")
    return tuple(_as_statement(grant, place) for grant in grants)


def _grant(request: Request, place: Place) -> _Grant:
    # A key policy speaks of its own key, and SCPs are no place for conditions on one key.
    is_key_policy = place is Place.RESOURCE and request.action.startswith("kms:")
    return _Grant(
        principal=request.principal,
        actions=(request.action,),
        resources=("*",) if is_key_policy else (_pattern(request.resource),),
        conditions=_conditions(request),
    )


def _pattern(said: Said) -> str:
    """Return the pattern that covers exactly this; wildcards in a key are written as characters."""
    if said == "*":
        return "*"
    text = said.prefix if isinstance(said, Every) else said
    escaped = _SPECIAL.sub(lambda found: f"${{{found.group()}}}", text)
    return f"{escaped}*" if isinstance(said, Every) else escaped


def _conditions(request: Request) -> Conditions:
    found: list[tuple[str, str, Values]] = []
    for key, operator in _KEPT.items():
        if values := request.context.values(key):
            found.append((operator, key, tuple(map(_pattern, values))))
    return tuple(found)


def _joined(grants: Sequence[_Grant], part: str) -> list[_Grant]:
    """Return the grants with those made one that differ in this part alone."""
    together: dict[object, _Grant] = {}
    for grant in grants:
        rest = {name: getattr(grant, name) for name in _PARTS if name != part}
        if part == "conditions":
            # Of conditions only the objects may differ: two keys' values crossed would grant more.
            rest[part] = tuple(
                (key, () if key == _OBJECTS_OF_KEY else values)
                for _, key, values in grant.conditions
            )
        known = together.get(same := tuple(rest.values()))
        together[same] = grant if known is None else _with(known, grant)
    return list(together.values())


def _with(first: _Grant, second: _Grant) -> _Grant:
    conditions = tuple(
        (operator, key, tuple(dict.fromkeys((*mine, *others))))
        for (operator, key, mine), (_, _, others) in zip(
            first.conditions, second.conditions, strict=True
        )
    )
    return _Grant(
        principal=first.principal,
        actions=tuple(sorted({*first.actions, *second.actions})),
        resources=tuple(dict.fromkeys((*first.resources, *second.resources))),
        conditions=conditions,
    )


def _as_statement(grant: _Grant, place: Place) -> Statement:
    conditions: dict[str, dict[str, object]] = {}
    for operator, key, values in grant.conditions:
        conditions.setdefault(operator, {})[key] = _one_or_list(values)
    is_of_resource = place is Place.RESOURCE
    principal, more = _named(grant.principal) if is_of_resource else (None, None)
    if more is not None:
        conditions.setdefault("ArnLike", {})["aws:PrincipalArn"] = more
    has_resource = not (is_of_resource and grant.actions[0].startswith("sts:"))
    return {
        "Effect": "Allow",
        **({} if principal is None else {"Principal": principal}),
        "Action": _one_or_list(grant.actions),
        **({"Resource": _one_or_list(grant.resources)} if has_resource else {}),
        **({"Condition": conditions} if conditions else {}),
    }


def _named(principal: Principal) -> tuple[Mapping[str, str], list[str] | None]:
    """Return the Principal element, and the ARNs to which a condition narrows it down."""
    if principal.type is PrincipalType.SERVICE:
        return {"Service": principal.arn}, None
    if principal.has_known_path:
        return {"AWS": principal.arn}, None
    # A role whose path nobody knows cannot be named: its account is, and the ARN compared.
    before, _, name = principal.arn.partition(":role/")
    return {"AWS": f"{before}:root"}, [f"{before}:role/{name}", f"{before}:role/*/{name}"]


def _one_or_list(values: Values) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
