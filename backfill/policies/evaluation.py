"""The decision: allowed, denied (by which statement, or for lack of what), or cannot tell.

Never asks anybody: what was read is given, what could not be read is given as `Unread`.
Law: a deny that is found decides; an allow needs everything that could deny to have been read.

The rules are those of the IAM User Guide (reference_policies_evaluation-logic and
reference_policies_evaluation-logic-cross-account) and, for keys, of the KMS Developer Guide
(key-policies):

- Within an account a policy of the identity or of the resource is enough, across accounts both
  must allow. A key policy and a trust policy must allow in any case, or name the account, which
  then passes the permission on by identity policies.
- A service has no policies of its own: only the resource policy speaks of it.
- Within an account a resource policy that names a user or a session grants in spite of an implicit
  deny of the boundary or the session policy; one that names the role does not; for `*` AWS does
  not say, so there an implicit deny of these leaves it open.
- KMS grants are not looked at: they stand in no policy.
"""

import enum
from dataclasses import dataclass

from backfill.policies.answers import NO, YES, Answer, Truth, all_of, any3, any_of, unsure
from backfill.policies.document import Effect, Statement
from backfill.policies.principals import Grade, PrincipalType, deleted_principal, grades_of
from backfill.policies.quoting import shown
from backfill.policies.request import (
    Documents,
    Held,
    Place,
    Reading,
    Request,
    Unread,
    derived_context,
)
from backfill.policies.statements import names_action, speaks


class Verdict(enum.StrEnum):
    """What comes of a request."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicit deny"
    IMPLICIT_DENY = "implicit deny"
    """Nothing denies it, but something that must allow it does not."""
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One reason of a decision. Every text in it is safe to show."""

    place: Place
    account_id: str
    document: str
    statement: str
    """`statement "Sid"`, `statement 2`, or empty where no single one is meant."""
    says: str

    @property
    def line(self) -> str:
        """The reason in one line, for people."""
        where = f"{self.document}, {self.statement}" if self.statement else self.document
        return f"account {self.account_id}: {where}: {self.says}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What comes of a request, and why."""

    request: Request
    verdict: Verdict
    evidence: tuple[Evidence, ...]
    lacks: tuple[Place, ...] = ()
    """For an implicit deny: where an Allow must be added. Within an account, where a policy of the
    identity or of the resource would do, the identity's."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The reasons for people, a line each."""
        return tuple(each.line for each in self.evidence)

    @property
    def is_allowed(self) -> bool:
        """Whether it is allowed for certain."""
        return self.verdict is Verdict.ALLOWED

    @property
    def is_denied(self) -> bool:
        """Whether it is denied for certain."""
        return self.verdict in {Verdict.EXPLICIT_DENY, Verdict.IMPLICIT_DENY}


Found = Answer[Evidence]


EVIDENCE_MAX = 12
"""More reasons than a person reads are cut off: a long policy has many near misses."""


def decision(request: Request, documents: Documents) -> Decision:
    """Return what AWS would decide, as far as these documents and condition keys tell."""
    case = _Case(request, documents)
    denied = case.denied()
    if denied.value is True:
        return _decision(request, Verdict.EXPLICIT_DENY, denied.why)
    sides = case.sides()
    allowed = _allowed(request, sides)
    open_denies = denied.why if denied.value is None else ()
    if allowed.value is False:
        lacks = _lacking(request, sides)
        return _decision(request, Verdict.IMPLICIT_DENY, allowed.why + open_denies, lacks)
    if allowed.value is None or denied.value is None:
        open_allows = allowed.why if allowed.value is None else ()
        return _decision(request, Verdict.CANNOT_TELL, open_allows + open_denies)
    return _decision(request, Verdict.ALLOWED, allowed.why)


def _decision(
    request: Request, verdict: Verdict, why: tuple[Evidence, ...], lacks: tuple[Place, ...] = ()
) -> Decision:
    evidence = tuple(dict.fromkeys(why))[:EVIDENCE_MAX]
    return Decision(request=request, verdict=verdict, evidence=evidence, lacks=lacks)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sides:
    """Whether each kind of policy allows."""

    identity: Found
    boundary: Found
    session: Found
    service_control: Found
    resource_control: Found
    granted: dict[Grade, Found]


def must_be_in_resource_policy(action: str) -> bool:
    """Whether the resource's own policy must allow, even within one account: keys and trust."""
    return action.lower().startswith(("kms:", "sts:assumerole"))


def _is_across_accounts(request: Request) -> bool:
    return request.principal.account_id != request.resource_account_id


def _allowed(request: Request, sides: _Sides) -> Found:
    granted = sides.granted
    if request.principal.type is PrincipalType.SERVICE:
        return all_of(
            (any_of((granted[Grade.SELF], granted[Grade.EVERYONE])), sides.resource_control)
        )
    ceiling = all_of((sides.boundary, sides.session))
    own = all_of((sides.identity, ceiling))
    controls = (sides.service_control, sides.resource_control)
    if _is_across_accounts(request):
        return all_of((own, any_of(granted.values()), *controls))
    unclear = Answer(value=None, why=ceiling.why) if ceiling.value is False else ceiling
    direct = (
        granted[Grade.SELF],
        all_of((granted[Grade.ROLE], ceiling)),
        all_of((granted[Grade.EVERYONE], unclear)),
    )
    is_by_resource = must_be_in_resource_policy(request.action)
    passed_on = all_of((own, granted[Grade.ACCOUNT])) if is_by_resource else own
    return all_of((any_of((*direct, passed_on)), *controls))


def _lacking(request: Request, sides: _Sides) -> tuple[Place, ...]:
    """Return where an Allow must be added: what says no for certain on the way to a yes."""
    granted = any_of(sides.granted.values())
    needed = [
        (Place.SERVICE_CONTROL, sides.service_control),
        (Place.RESOURCE_CONTROL, sides.resource_control),
    ]
    if request.principal.type is PrincipalType.SERVICE:
        return tuple(
            place for place, found in ((Place.RESOURCE, granted), needed[1]) if found.value is False
        )
    needed += [(Place.BOUNDARY, sides.boundary), (Place.SESSION, sides.session)]
    is_by_resource = must_be_in_resource_policy(request.action)
    if _is_across_accounts(request) or is_by_resource:
        needed.insert(0, (Place.RESOURCE, granted))
    if _is_across_accounts(request) or not is_by_resource or granted.value is not False:
        needed.insert(0, (Place.IDENTITY, sides.identity))
    return tuple(place for place, found in needed if found.value is False)


class _Case:
    """One request before its documents."""

    def __init__(self, request: Request, documents: Documents) -> None:
        self._request = request
        self._documents = documents
        self._context = request.context.beside(derived_context(request))
        self._has_boundary: Truth = (
            None if isinstance(documents.boundary, Unread) else documents.boundary is not None
        )
        self._asked = f"{shown(request.action)} on {shown(str(request.resource))}"

    def denied(self) -> Found:
        """Whether a Deny anywhere applies."""
        documents = self._documents
        is_service = self._request.principal.type is PrincipalType.SERVICE
        of_principal = (
            *((Place.IDENTITY, each) for each in documents.identity),
            *((Place.BOUNDARY, each) for each in (documents.boundary,) if each is not None),
            *((Place.SESSION, each) for each in documents.session),
            *(
                (Place.SERVICE_CONTROL, each)
                for level in documents.service_control
                for each in level
            ),
        )
        of_resource = (
            *(
                (Place.RESOURCE_CONTROL, each)
                for level in documents.resource_control
                for each in level
            ),
            *((Place.RESOURCE, each) for each in (documents.resource,) if each is not None),
        )
        heard = of_resource if is_service else (*of_principal, *of_resource)
        return any_of(self._found(place, reading, "Deny") for place, reading in heard)

    def sides(self) -> _Sides:
        """What each kind of policy allows."""
        documents = self._documents
        boundary = () if documents.boundary is None else (documents.boundary,)
        return _Sides(
            identity=self._by_identity(),
            boundary=self._within(Place.BOUNDARY, boundary),
            session=self._within(Place.SESSION, documents.session),
            service_control=all_of(
                self._within(Place.SERVICE_CONTROL, level) for level in documents.service_control
            ),
            resource_control=all_of(
                self._within(Place.RESOURCE_CONTROL, level) for level in documents.resource_control
            ),
            granted={grade: self._granted(grade) for grade in Grade},
        )

    def _by_identity(self) -> Found:
        principal = self._request.principal
        if principal.type is PrincipalType.ROOT:
            says = "the account's root may do everything in it"
            return Answer(value=True, why=(self._evidence(Place.IDENTITY, says),))
        found = any_of(
            self._found(Place.IDENTITY, each, "Allow") for each in self._documents.identity
        )
        return self._with_lack(found, Place.IDENTITY)

    def _within(self, place: Place, readings: tuple[Reading, ...]) -> Found:
        """Whether what limits allows; yes if there is nothing that limits."""
        if not readings:
            return Answer(value=True)
        return self._with_lack(
            any_of(self._found(place, each, "Allow") for each in readings), place
        )

    def _granted(self, grade: Grade) -> Found:
        reading = self._documents.resource
        if reading is None:
            return Answer(value=False, why=(self._evidence(Place.RESOURCE, "there is none"),))
        return self._with_lack(
            self._found(Place.RESOURCE, reading, "Allow", grade=grade), Place.RESOURCE
        )

    def _with_lack(self, found: Found, place: Place) -> Found:
        if found.value is not False:
            return found
        lack = self._evidence(place, f"nothing here allows {self._asked}")
        return Answer(value=False, why=(*found.why, lack))

    def _found(
        self, place: Place, reading: Reading, effect: Effect, *, grade: Grade | None = None
    ) -> Found:
        """Return whether a statement with this effect applies; why a near miss does not."""
        if isinstance(reading, Unread):
            says = f"could not be read: {shown(reading.reason)}"
            return Answer(value=None, why=(_evidence(place, reading, "", says),))
        return any_of(
            self._of_statement(place, reading, statement, grade)
            for statement in reading.document.statements
            if statement.effect == effect
        )

    def _of_statement(
        self, place: Place, reading: Held, statement: Statement, grade: Grade | None
    ) -> Found:
        if not names_action(statement, self._request.action):
            return Answer(value=False)
        spoken = self._names_principal(place, statement, grade)
        if spoken.value is not False:
            spoken = all_of((spoken, *speaks(statement, self._request, self._context)))
        if spoken.value is True:
            says: tuple[str, ...] = (
                f"{'allows' if statement.effect == 'Allow' else 'denies'} {self._asked}",
            )
        else:
            says = spoken.why
        return Answer(
            value=spoken.value,
            why=tuple(_evidence(place, reading, statement.label, each) for each in says),
        )

    def _names_principal(
        self, place: Place, statement: Statement, grade: Grade | None
    ) -> Answer[str]:
        if place is not Place.RESOURCE:
            has_none = statement.principals is None
            return YES if has_none else unsure("it has a Principal, which does not belong there")
        who = self._request.principal
        named = grades_of(statement, who, has_boundary=self._has_boundary)
        truth = any3(named.values()) if grade is None else named.get(grade, False)
        if truth is None:
            return unsure(f"whether its Principal means {shown(who.arn)} cannot be told")
        if truth or named:
            return YES if truth else NO
        deleted = deleted_principal(statement)
        says = f"its Principal does not name {shown(who.arn)}" + (
            f"; {shown(deleted)} in it is all that is left of one that was deleted"
            if deleted
            else ""
        )
        return Answer(value=False, why=(says,))

    def _evidence(self, place: Place, says: str) -> Evidence:
        request = self._request
        is_of_resource = place in {Place.RESOURCE, Place.RESOURCE_CONTROL}
        whose = request.resource if is_of_resource else request.principal.arn
        return Evidence(
            place=place,
            account_id=request.resource_account_id
            if is_of_resource
            else request.principal.account_id,
            document=f"{place} of {shown(str(whose))}",
            statement="",
            says=says,
        )


def _evidence(place: Place, reading: Reading, statement: str, says: str) -> Evidence:
    return Evidence(
        place=place,
        account_id=reading.account_id,
        document=shown(reading.name),
        statement=statement,
        says=says,
    )
