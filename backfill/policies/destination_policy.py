"""What a destination's bucket policy grants replication: what lacks, and what is more than needed.

Never judges the role's own policy: it is taken to allow everything, so that this document decides.
Law: the widely copied policy works and is said to work; what it grants beyond need is named.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from backfill.policies.answers import any3
from backfill.policies.asking import Pair, principal_for, requests_for
from backfill.policies.evaluation import decision
from backfill.policies.need import Feature, Need, On, Party
from backfill.policies.needs import needs_of
from backfill.policies.principals import grades_of
from backfill.policies.replication_needs import ON_DESTINATION_BUCKET
from backfill.policies.request import Documents, Held, Place, Request, reading_of

WIDELY_COPIED: Final = frozenset(
    {"s3:putobject", "s3:putobjectacl", "s3:getobjectversionforreplication", "s3:replicateobject"}
)
"""What marks the policy that articles and answers hand on: its first two are for writing copies,
its third for reading a source, and replication into this bucket uses none of the three."""
_EVER_NEEDED: Final = frozenset(
    {
        *("s3:replicateobject", "s3:replicatedelete", "s3:replicatetags", "s3:replicate*"),
        *("s3:objectowneroverridetobucketowner", "s3:getbucketversioning"),
        *("s3:putbucketversioning", "s3:list*", "s3:listbucket", "s3:listbucketversions"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A destination's bucket policy, compared with what the pair needs."""

    is_widely_copied: bool
    more_than_needed: tuple[str, ...]
    """Actions, as written there, that replication into this bucket does not use."""
    lacking: tuple[Need, ...]
    undecided: tuple[Need, ...]


def granted_by(held: Held, pair: Pair, features: Collection[Feature]) -> Granted:
    """Return what the bucket policy of the pair's destination grants the replication role."""
    written = _actions_for_role(held, pair)
    lacking, undecided = [], []
    for need in (*_needs_there(features), *ON_DESTINATION_BUCKET):
        for request in requests_for(need, pair, features):
            found = decision(request, _with_everything_of_role(request, held))
            if Place.RESOURCE in found.lacks:
                lacking.append(need)
            elif not found.is_allowed:
                undecided.append(need)
    return Granted(
        is_widely_copied={each.lower() for each in written} >= WIDELY_COPIED,
        more_than_needed=tuple(
            sorted(each for each in written if each.lower() not in _EVER_NEEDED)
        ),
        lacking=tuple(dict.fromkeys(lacking)),
        undecided=tuple(dict.fromkeys(undecided)),
    )


def _needs_there(features: Collection[Feature]) -> tuple[Need, ...]:
    there = {On.DESTINATION_BUCKET, On.DESTINATION_OBJECTS}
    return tuple(need for need in needs_of(Party.REPLICATION_ROLE, features) if need.on in there)


_EVERYTHING: Final = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"},
}


def _with_everything_of_role(request: Request, held: Held) -> Documents:
    own = reading_of("the role's own policy", request.principal.account_id, _EVERYTHING)
    return Documents(identity=(own,), resource=held)


def _actions_for_role(held: Held, pair: Pair) -> frozenset[str]:
    """Return the actions, as written, of what allows something to the role or its account."""
    role = principal_for(Party.REPLICATION_ROLE, pair)
    return frozenset(
        action
        for statement in held.document.statements
        if statement.effect == "Allow" and not statement.is_not_action
        if any3(grades_of(statement, role, has_boundary=False).values()) is not False
        for action in statement.actions
    )
