"""Which files an owner gets, what stands in each, and what the page says of them."""

import json

import pytest

from backfill.model.accounts import Unread
from backfill.setup.exporting import ExportedFile, exported
from backfill.setup.wanted import (
    Action,
    Change,
    Difference,
    DocumentDifference,
    Fields,
    Resource,
    ResourceKind,
    Side,
)

ONE, TWO = "111111111111", "222222222222"
ROLE = f"arn:aws:iam::{ONE}:role/mover"
UNREAD = Unread(operation="GetX", code="NotAsked")


def resource(kind: ResourceKind, arn: str = "arn:aws:s3:::photos", account: str = ONE) -> Resource:
    return Resource(side=Side.SOURCE, kind=kind, arn=arn, account=account, region="eu-west-1")


def document(
    of: Resource,
    after: Fields | None,
    *,
    before: Fields | None = None,
    unread: Unread | None = None,
    changes: tuple[tuple[str, Action, str], ...] = (("p", Action.ADD, "why"),),
    notes: tuple[str, ...] = (),
) -> DocumentDifference:
    made = tuple(
        Change(
            resource=of,
            identifier=word,
            action=action,
            reason=reason,
            before=None if action is Action.ADD else {"was": word},
            after=after,
        )
        for word, action, reason in changes
    )
    return DocumentDifference(
        resource=of, changes=made, before=before, after=after, unread=unread, notes=notes
    )


def files(*documents: DocumentDifference, notes: tuple[str, ...] = ()) -> dict[str, ExportedFile]:
    made = exported(Difference(name="photos", documents=documents, notes=notes))
    assert len({file.path for file in made}) == len(made)
    return {file.path: file for file in made}


def documents_in(found: dict[str, ExportedFile]) -> dict[str, object]:
    return {
        path.partition("/")[2]: json.loads(file.text)
        for path, file in found.items()
        if path.endswith(".json")
    }


STEPS = {
    ResourceKind.BUCKET: "1-roles.sh",
    ResourceKind.QUEUE: "1-roles.sh",
    ResourceKind.VERSIONING: "1-roles.sh",
    ResourceKind.OBJECT_LOCK: "1-roles.sh",
    ResourceKind.ENCRYPTION: "1-roles.sh",
    ResourceKind.ROLE_TRUST: "1-roles.sh",
    ResourceKind.ROLE_POLICIES: "1-roles.sh",
    ResourceKind.KEY_POLICY: "2-policies.sh",
    ResourceKind.BUCKET_POLICY: "2-policies.sh",
    ResourceKind.EVENT_DESTINATION_POLICY: "2-policies.sh",
    ResourceKind.REPLICATION: "3-rules.sh",
    ResourceKind.NOTIFICATION: "3-rules.sh",
}
WHOLE: Fields = {
    "AssumeRolePolicyDocument": {"Statement": []},
    "MessageRetentionPeriod": 60,
    "Tags": {},
    "p": {"Statement": [1]},
}
ARNS = {
    ResourceKind.EVENT_DESTINATION_POLICY: f"arn:aws:sns:eu-west-1:{ONE}:topic",
    ResourceKind.ROLE_TRUST: ROLE,
    ResourceKind.ROLE_POLICIES: ROLE,
}


@pytest.mark.parametrize("kind", ResourceKind)
def test_each_kind_of_document_is_written_in_its_step(kind: ResourceKind) -> None:
    """If this fails, a document is written before what it names is there, or never."""
    of = resource(kind, ARNS.get(kind, "arn:aws:s3:::photos"))
    found = files(document(of, WHOLE))
    folder = f"account-{ONE}"
    scripts = [path for path in found if path.endswith(".sh")]
    assert scripts == [f"{folder}/{STEPS[kind]}"]
    programs = {path for path, file in found.items() if file.is_program}
    assert programs == {*scripts, f"{folder}/merge.py"}
    has_file = kind not in {ResourceKind.BUCKET, ResourceKind.QUEUE}
    assert len(documents_in(found)) == has_file
    assert set(found) >= programs | {f"{folder}/README.md"}
    assert of.title in found[scripts[0]].text


def test_documents_are_numbered_and_stand_beside_what_was_there() -> None:
    """If this fails, a script merges another document than the one that the page speaks of."""
    policies = document(
        resource(ResourceKind.ROLE_POLICIES, ROLE),
        {"a": {"x": 1}, "b": {"x": 2}, "c": {"x": 3}},
        before={"b": {"x": 0}},
        changes=(
            ("c", Action.KEEP, "k"),
            ("a", Action.ADD, "why"),
            ("b", Action.REPLACE, "why"),
            ("d", Action.REMOVE, "gone"),
        ),
    )
    trust = document(
        resource(ResourceKind.ROLE_TRUST, ROLE),
        {"AssumeRolePolicyDocument": {"new": 1}, "Path": "/"},
        before={"AssumeRolePolicyDocument": {"old": 1}, "Path": "/"},
        changes=(("p", Action.REPLACE, "why"),),
    )
    kept = document(
        resource(ResourceKind.VERSIONING), {"x": 0}, changes=(("", Action.KEEP, "it is so"),)
    )
    policy = document(resource(ResourceKind.BUCKET_POLICY), {"y": 1}, before={"y": 0})
    assert documents_in(files(kept, trust, policies, policy)) == {
        "01-role-trust-policy-mover.json": {"new": 1},
        "01-role-trust-policy-mover-before.json": {"old": 1},
        "02-role-inline-policies-mover-1.json": {"x": 1},
        "02-role-inline-policies-mover-2.json": {"x": 2},
        "02-role-inline-policies-mover-2-before.json": {"was": "b"},
        "03-bucket-policy-photos.json": {"y": 1},
        "03-bucket-policy-photos-before.json": {"y": 0},
    }


def test_a_priority_that_nobody_looked_for_is_left_to_the_script() -> None:
    """If this fails, a script puts a rule on a priority that another's rule has."""
    rules = {"Role": ROLE, "Rules": [{"ID": "a", "Priority": 1}, {"ID": "b", "Priority": 2}]}
    changes = (("a", Action.ADD, "why, with priority 1"), ("b", Action.ADD, "why"))
    of = resource(ResourceKind.REPLICATION)
    blind = files(document(of, rules, unread=UNREAD, changes=changes))
    (put,) = documents_in(blind).values()
    assert put == {"Role": ROLE, "Rules": [{"ID": "a"}, {"ID": "b", "Priority": 2}]}
    (seen,) = documents_in(files(document(of, rules, changes=changes))).values()
    assert seen == rules


def test_what_is_refused_or_stays_as_it_is_makes_no_work() -> None:
    """If this fails, a script writes what setup itself would not, or asks for nothing at all."""
    of = resource(ResourceKind.BUCKET_POLICY)
    for changes in (
        (("p", Action.KEEP, "why"),),
        (("p", Action.ADD, "why"), ("q", Action.REFUSE, "theirs")),
    ):
        found = files(document(of, {"x": 1}, changes=changes))
        assert set(found) == {f"account-{ONE}/README.md"}


def test_the_page_tells_what_to_run_and_why() -> None:
    """If this fails, an owner runs scripts in another order, or does not see what they do."""
    mine = document(
        resource(ResourceKind.BUCKET_POLICY),
        {"x": 1},
        unread=UNREAD,
        changes=(("p`", Action.ADD, "why <b>"), ("", Action.KEEP, "so")),
        notes=("see [x]",),
    )
    theirs = document(
        resource(ResourceKind.VERSIONING, account=TWO), {"x": 0}, changes=(("", Action.KEEP, "k"),)
    )
    found = files(mine, theirs, notes=("n|",))
    assert found[f"account-{ONE}/README.md"].text.splitlines() == [
        f"# Account {ONE}: the set-up `photos`",
        "",
        (
            "Read what is to be changed below, then run the scripts in their order with credentials"
            " of this account. Both owners do step 1, then both step 2, then both step 3: tell each"
            " other. An account that has no script for a step has nothing to do in it. The scripts"
            " read each document, lay in what is ours, and put it: what others put there stays."
            " Each may be run again."
        ),
        "",
        "- `2-policies.sh`: policies, which name the roles of step 1 of both accounts.",
        "",
        "## What changes",
        "",
        "### bucket policy of arn:aws:s3:::photos",
        "",
        "What stands there now was not read: the script reads it.",
        "",
        r"- add `p\``: why \<b\>",
        "- keep: so",
        r"- note: see \[x\]",
        "",
        "## Notes",
        "",
        r"- n\|",
    ]
    assert found[f"account-{TWO}/README.md"].text.splitlines() == [
        f"# Account {TWO}: the set-up `photos`",
        "",
        "Nothing is to be done in this account.",
        "",
        "## What changes",
        "",
        "### versioning of arn:aws:s3:::photos",
        "",
        "- keep: k",
        "",
        "## Notes",
        "",
        r"- n\|",
    ]
    (alone,) = [file.text for path, file in files(mine).items() if path.endswith("README.md")]
    assert "Both owners" not in alone
    assert "## Notes" not in alone
