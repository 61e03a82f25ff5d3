"""What setup grants is exactly what replication needs: every action is missed when it lacks.

The policies are those that setup makes of a spec, laid into the sandbox as they are. Each required
action is taken out of each document in turn, and what replication does then is compared.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from backfill.policies.need import Feature, Party, Weight
from backfill.policies.needs import NEEDS
from backfill.policies.replication_needs import ON_DESTINATION_BUCKET
from backfill.sandbox.model.versions import ObjectVersion
from backfill.setup.desired import wanted_of
from backfill.setup.parsing import spec_of
from backfill.setup.spec import ground_of
from backfill.setup.wanted import ResourceKind, WantedPart
from tests.unit.sandbox.replication.situations import (
    encrypted,
    handed_over,
    locked,
    plain,
    with_bucket_keys,
)
from tests.unit.sandbox.replication.two_accounts import (
    ACCOUNT,
    FROM,
    NOON,
    REPLICA_KEY,
    ROLE,
    SOURCE_KEY,
    TO,
    TwoAccounts,
    allow,
    document,
)

DOCUMENT = {
    "name": "minimal",
    "source": {
        "bucket": FROM,
        "account": "111111111111",
        "region": "us-east-1",
        "kms-key-arns": [SOURCE_KEY],
        "object-lock": True,
    },
    "destination": {
        "bucket": TO,
        "account": "222222222222",
        "region": "eu-west-1",
        "bucket-keys": True,
    },
    "role": {"name": "replicator"},
    "rule": [{"name": "all", "kms-key-arn": REPLICA_KEY, "delete-markers": True}],
}
"""Everything at once that asks for a permission of its own."""

Statements = list[dict[str, Any]]


def parts() -> list[WantedPart]:
    spec = spec_of(DOCUMENT, place="minimal.toml")
    ground = ground_of(spec)
    assert ground is not None
    return list(wanted_of(spec, ground).parts)


def listed(statement: Mapping[str, Any]) -> dict[str, Any]:
    """Return a statement with its actions as a list, as tests take some out."""
    action = statement["Action"]
    return {**statement, "Action": [action] if isinstance(action, str) else list(action)}


def of_key(arn: str) -> Statements:
    return [
        listed(part.content)
        for part in parts()
        if part.resource.kind is ResourceKind.KEY_POLICY and part.resource.arn == arn
    ]


def generated() -> dict[str, Statements]:
    """Setup's documents by a name: what the role may, and what the other three let it."""
    (role,) = [part for part in parts() if part.resource.kind is ResourceKind.ROLE_POLICIES]
    assert role.resource.arn == ROLE
    bucket = [
        listed(part.content) for part in parts() if part.resource.kind is ResourceKind.BUCKET_POLICY
    ]
    return {
        "role policy": [listed(each) for each in cast("Statements", role.content["Statement"])],
        "destination bucket policy": bucket,
        "source key policy": of_key(SOURCE_KEY),
        "replica key policy": of_key(REPLICA_KEY),
    }


# Within an account a key policy that names the role is enough, and so is one that names the account
# beside a role policy: to try one, the other is not there (KMS: key-policies).
_BY_ACCOUNT = allow(["kms:*"], "*", Principal={"AWS": ACCOUNT})


def actions(document_name: str) -> list[str]:
    """The actions of one generated document."""
    return sorted({action for one in generated()[document_name] for action in one["Action"]})


CASES = [(name, action) for name in generated() for action in actions(name)]


def lacking(statements: Statements, action: str) -> Statements:
    left = [
        {**one, "Action": [each for each in one["Action"] if each != action]} for one in statements
    ]
    return [one for one in left if one["Action"]] or [
        allow(["kms:DescribeKey"], "*", Principal={"AWS": ACCOUNT})  # no document is empty
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What became of one object: its status, and what of it arrived."""

    status: str | None
    arrived: bool
    tags: object = ()
    lock: object = None
    owner: str = ""


@dataclass
class World:
    """Two accounts under the given documents; a situation is made, and looked at."""

    documents: Mapping[str, Statements]
    has_named_role: bool
    place: TwoAccounts = field(default_factory=TwoAccounts)

    def __post_init__(self) -> None:
        place, given = self.place, self.documents
        place.role_policy = list(given["role policy"])
        place.bucket_policy = list(given["destination bucket policy"])
        own = given["source key policy"]
        place.source_key_policy = list(own) if self.has_named_role else [_BY_ACCOUNT]
        if self.has_named_role:
            place.role_policy = [one for one in place.role_policy if one["Sid"] != "DecryptSource"]
        place.replica_key_policy = list(given["replica key policy"])
        place.settle()

    def seen(self, situation: Callable[[TwoAccounts], None]) -> Seen:
        place = self.place
        situation(place)
        status = place.advance()
        current = place.bucket(TO).current("k")
        if not isinstance(current, ObjectVersion):
            return Seen(status=status, arrived=current is not None)
        return Seen(
            status=status,
            arrived=True,
            tags=current.tags,
            lock=current.lock,
            owner=current.owner_id,
        )


def marked_later(place: TwoAccounts) -> None:
    """The object arrives first, then the marker over it."""
    plain(place)
    place.model.replication.advance(NOON)
    place.delete()


SITUATIONS = (plain, encrypted, with_bucket_keys, locked, handed_over, marked_later)


def observed(documents: Mapping[str, Statements]) -> list[Seen]:
    """What every situation comes to, by either way that a source key can be opened."""
    return [
        World(documents=documents, has_named_role=way).seen(situation)
        for way in (False, True)
        for situation in SITUATIONS
    ]


def test_setups_policies_are_enough_for_everything_at_once() -> None:
    """If this fails, somebody sets replication up with this tool and it does not replicate."""
    seen = observed(generated())
    assert [one.status for one in seen] == ["COMPLETED"] * len(seen)
    assert all(one.arrived for one in seen)
    assert seen[0].tags == (("team", "red"),)
    assert {one.owner for one in seen if one.owner} == {"222222222222"}


def advised() -> Iterator[str]:
    """Actions that AWS's documentation lists and that nothing is known to fail without."""
    features = set(Feature)
    for need in (*NEEDS, *ON_DESTINATION_BUCKET):
        if need.party is Party.REPLICATION_ROLE and need.features <= features:
            required = {
                each.action
                for each in NEEDS
                if each.party is Party.REPLICATION_ROLE and each.weight is Weight.REQUIRED
            }
            if need.weight is Weight.ADVISED and need.action not in required:
                yield need.action


@pytest.mark.parametrize(("name", "action"), CASES)
def test_each_action_of_each_policy_is_missed_where_it_lacks(name: str, action: str) -> None:
    """If this fails, setup grants what nobody needs, or what is needed is not looked at."""
    documents = generated()
    documents[name] = lacking(documents[name], action)
    is_missed = observed(documents) != observed(generated())
    on_bucket = name == "destination bucket policy" and action in {
        need.action for need in ON_DESTINATION_BUCKET
    }
    assert is_missed != (on_bucket or action in set(advised())), document(documents[name])


def test_nothing_that_deletes_or_reaches_further_is_ever_granted() -> None:
    """If this fails, a set-up hands out more than replication."""
    for name, statements in generated().items():
        for one in statements:
            assert not any("*" in action for action in one["Action"]), (name, one)
            assert not any("DeleteObject" in action for action in one["Action"]), (name, one)
            resources = one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]]
            if name in {"role policy", "destination bucket policy"}:
                allowed = {f"arn:aws:s3:::{each}" for each in (FROM, TO)}
                allowed |= {f"{each}/*" for each in allowed} | {SOURCE_KEY, REPLICA_KEY}
                assert set(resources) <= allowed, json.dumps(one)
