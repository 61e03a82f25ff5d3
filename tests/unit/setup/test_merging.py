"""What others put into a document survives apply and destroy, field by field."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backfill.model.accounts import RawDocument
from backfill.setup.desired import wanted_of
from backfill.setup.layouts import items_of
from backfill.setup.merging import merged
from backfill.setup.removing import removed
from backfill.setup.wanted import Action, Fields, Resource, ResourceKind, Wanted
from tests.doubles.setup_specs import GOLDEN, ROLE, ground, spec
from tests.unit.setup import existing

NAME = "photos"


def wanted(golden: str) -> Wanted:
    found = spec(GOLDEN[golden])
    return wanted_of(found, ground(found))


def resource_of(found: Wanted, kind: ResourceKind) -> Resource:
    return next(resource for resource in found.resources if resource.kind is kind)


def raw(fields: Fields) -> RawDocument:
    return RawDocument(text="", fields=fields)


KINDS = {
    ResourceKind.BUCKET_POLICY: ("guarded", existing.policies()),
    ResourceKind.KEY_POLICY: ("two-way", existing.policies()),
    ResourceKind.EVENT_DESTINATION_POLICY: ("time-control", existing.policies()),
    ResourceKind.ROLE_TRUST: ("two-accounts", existing.trusts(name=NAME, path="/service-role/")),
    ResourceKind.ROLE_POLICIES: ("batch", existing.role_policies()),
    ResourceKind.REPLICATION: ("time-control", existing.replications(role=ROLE)),
    ResourceKind.NOTIFICATION: ("time-control", existing.NOTIFICATIONS),
}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_others_put_there_survives_apply_and_destroy(
    kind: ResourceKind, data: st.DataObject
) -> None:
    """If this fails, setting replication up breaks what somebody else had set up."""
    golden, strategy = KINDS[kind]
    found = wanted(golden)
    resource = resource_of(found, kind)
    parts = found.parts_of(resource)
    before = data.draw(strategy)
    theirs = [item.content for item in items_of(kind, before)]

    applied = merged(resource, parts, raw(before), name=NAME)
    assert not applied.is_refused
    assert applied.after is not None
    after = [item.content for item in items_of(kind, applied.after)]
    assert [content for content in after if content in theirs] == theirs
    assert {k: v for k, v in applied.after.items() if k in before and not _is_list(kind, k)} == {
        k: v for k, v in before.items() if not _is_list(kind, k)
    }

    again = merged(resource, parts, raw(applied.after), name=NAME)
    assert not again.is_change
    assert not again.is_refused

    destroyed = removed(resource, parts, raw(applied.after), name=NAME)
    assert destroyed.after == existing.normal(kind, before)


def _is_list(kind: ResourceKind, name: str) -> bool:
    return kind is ResourceKind.ROLE_TRUST or name in {
        "Statement",
        "Rules",
        "QueueConfigurations",
        "TopicConfigurations",
        "LambdaFunctionConfigurations",
    }


@pytest.mark.parametrize("golden", GOLDEN)
def test_empty_accounts_get_all_and_give_all_back(golden: str) -> None:
    """If this fails, destroy leaves something behind, or apply is not idempotent."""
    found = wanted(golden)
    for resource in found.resources:
        parts = found.parts_of(resource)
        applied = merged(resource, parts, None, name=NAME)
        assert {change.action for change in applied.changes} == {Action.ADD}
        assert applied.after is not None
        again = merged(resource, parts, raw(applied.after), name=NAME)
        assert {change.action for change in again.changes} == {Action.KEEP}
        destroyed = removed(resource, parts, raw(applied.after), name=NAME)
        left = {change.action for change in destroyed.changes}
        may_stay = resource.kind in {
            ResourceKind.VERSIONING,
            ResourceKind.OBJECT_LOCK,
            ResourceKind.ENCRYPTION,
            ResourceKind.BUCKET,
            ResourceKind.QUEUE,
            ResourceKind.KEY_POLICY,  # Alone in a key policy, which KMS never has.
        } or resource.arn.startswith("arn:aws:sns:")  # Nor has SNS a topic without one.
        assert left == ({Action.LEAVE} if may_stay else {Action.REMOVE})
        assert (destroyed.after or {}) == (applied.after if may_stay else {})


def test_what_somebody_changed_is_left_and_told() -> None:
    """If this fails, destroy takes away what a person had made their own."""
    found = wanted("two-accounts")
    resource = resource_of(found, ResourceKind.BUCKET_POLICY)
    parts = found.parts_of(resource)
    applied = merged(resource, parts, None, name=NAME).after
    assert applied is not None
    statements = applied["Statement"]
    assert isinstance(statements, list)
    changed = {**statements[0], "Action": "s3:*"}
    fields = {**applied, "Statement": [changed, *statements[1:]]}
    destroyed = removed(resource, parts, raw(fields), name=NAME)
    assert destroyed.after == {**applied, "Statement": [changed]}
    assert [change.action for change in destroyed.changes] == [Action.LEAVE, Action.REMOVE]
    assert "changed" in destroyed.changes[0].reason


def test_an_edited_statement_of_ours_is_put_right_in_its_place() -> None:
    """If this fails, a changed spec is not carried out, or moves what others see."""
    found = wanted("two-accounts")
    resource = resource_of(found, ResourceKind.BUCKET_POLICY)
    parts = found.parts_of(resource)
    ours = [dict(part.content) for part in parts]
    theirs = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:Get*"}
    fields = {"Statement": [{**ours[0], "Action": ["s3:ReplicateObject"]}, theirs, ours[1]]}
    applied = merged(resource, parts, raw(fields), name=NAME)
    assert applied.after == {"Statement": [ours[0], theirs, ours[1]]}
    assert [change.action for change in applied.changes] == [Action.REPLACE, Action.KEEP]


def test_another_forms_of_the_same_statement_are_kept() -> None:
    """If this fails, apply writes for ever what AWS gives back in its own form."""
    found = wanted("guarded")
    resource = resource_of(found, ResourceKind.BUCKET_POLICY)
    parts = found.parts_of(resource)
    rows: list[Fields] = []
    for part in parts:
        content = dict(part.content)
        actions = content["Action"]
        content["Action"] = list(reversed(actions)) if isinstance(actions, list) else [actions]
        content["Resource"] = [content["Resource"]]
        if content["Principal"] == "*":
            content["Principal"] = {"AWS": "*"}
        rows.append(content)
    applied = merged(resource, parts, raw({"Statement": rows}), name=NAME)
    assert {change.action for change in applied.changes} == {Action.KEEP}


def test_a_statement_about_a_deleted_role_is_made_anew() -> None:
    """If this fails, a role that was deleted and made again never gets its rights back."""
    found = wanted("two-accounts")
    resource = resource_of(found, ResourceKind.BUCKET_POLICY)
    parts = found.parts_of(resource)
    rows = [{**part.content, "Principal": {"AWS": "AROAEXAMPLEEXAMPLE"}} for part in parts]
    applied = merged(resource, parts, raw({"Statement": rows}), name=NAME)
    assert {change.action for change in applied.changes} == {Action.REPLACE}
    assert applied.after == {"Statement": [part.content for part in parts]}


def test_rules_that_an_earlier_spec_asked_for_go() -> None:
    """If this fails, a rule that was taken out of the spec goes on replicating."""
    more, less = wanted("several-rules"), wanted("two-accounts")
    resource = resource_of(more, ResourceKind.REPLICATION)
    before = merged(resource, more.parts_of(resource), None, name=NAME).after
    assert before is not None
    applied = merged(resource, less.parts_of(resource), raw(before), name=NAME)
    assert not applied.is_refused
    assert applied.after is not None
    assert [item.identifier for item in items_of(resource.kind, applied.after)] == [
        "backfill.photos.all"
    ]


def test_a_priority_that_was_chosen_stays() -> None:
    """If this fails, each apply moves the rule above the last."""
    found = wanted("two-accounts")
    resource = resource_of(found, ResourceKind.REPLICATION)
    parts = found.parts_of(resource)
    theirs = {
        "ID": "theirs",
        "Priority": 7,
        "Filter": {"Prefix": "x/"},
        "Status": "Enabled",
        "Destination": {"Bucket": "arn:aws:s3:::photos-replica"},
        "DeleteMarkerReplication": {"Status": "Disabled"},
    }
    applied = merged(resource, parts, raw({"Role": ROLE, "Rules": [theirs]}), name=NAME)
    assert applied.after is not None
    rules = applied.after["Rules"]
    assert isinstance(rules, list)
    assert [rule["Priority"] for rule in rules] == [7, 8]
    assert "priority 8" in applied.changes[-1].reason
    assert "higher priority wins (7, ours 8)" in applied.notes[0]
    lowered = {**applied.after, "Rules": [theirs, {**rules[1], "Priority": 3}]}
    assert not merged(resource, parts, raw(lowered), name=NAME).is_change
    destroyed = removed(resource, parts, raw(lowered), name=NAME)
    assert destroyed.after == {"Role": ROLE, "Rules": [theirs]}


def test_a_document_that_says_all_already_is_not_touched_though_it_is_not_understood() -> None:
    """If this fails, a set-up that is complete is refused for what nobody wants to write."""
    found = wanted("two-accounts")
    resource = resource_of(found, ResourceKind.BUCKET_POLICY)
    parts = found.parts_of(resource)
    applied = merged(resource, parts, None, name=NAME).after
    assert applied is not None
    shiny = replace(raw(applied), unmodelled=("Statement/Shiny",))
    assert not merged(resource, parts, shiny, name=NAME).is_refused
    fresh = replace(raw({"Statement": []}), unmodelled=("Statement/Shiny",))
    assert merged(resource, parts, fresh, name=NAME).is_refused
    assert removed(resource, parts, shiny, name=NAME).is_refused
