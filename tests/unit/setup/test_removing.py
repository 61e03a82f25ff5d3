"""What destroy takes out of one document, and what it leaves, with the reason told."""

import pytest

from backfill.model.accounts import RawDocument, Unread
from backfill.setup.difference import differences, removals
from backfill.setup.removing import removed
from backfill.setup.wanted import (
    ROLE_TAG,
    Action,
    Actual,
    DocumentDifference,
    Fields,
    Resource,
    ResourceKind,
    Side,
    Wanted,
    WantedPart,
)

ACCOUNT = "111111111111"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/mover"
QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:events"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:events"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/k"
OURS = {"Sid": "BackfillBucketForPhotos", "Effect": "Allow", "Action": "s3:Get*"}
THEIRS = {"Sid": "Theirs", "Effect": "Deny", "Action": "s3:*"}
RULE = {"ID": "backfill.photos.all", "Filter": {}, "Status": "Enabled"}
THEIR_RULE = {"ID": "theirs", "Priority": 1, "Filter": {}}


def resource(kind: ResourceKind, arn: str = "arn:aws:s3:::photos") -> Resource:
    return Resource(side=Side.SOURCE, kind=kind, arn=arn, account=ACCOUNT)


POLICY = resource(ResourceKind.BUCKET_POLICY)
RULES = resource(ResourceKind.REPLICATION)
TRUST = resource(ResourceKind.ROLE_TRUST, ROLE)
EVENTS = resource(ResourceKind.NOTIFICATION)


def part(of: Resource, identifier: str, content: Fields) -> WantedPart:
    return WantedPart(resource=of, identifier=identifier, content=content, reason="made so")


def raw(fields: Fields, *unmodelled: str) -> RawDocument:
    return RawDocument(text="", fields=fields, unmodelled=unmodelled)


def told(document: DocumentDifference) -> list[tuple[str, Action, str]]:
    return [(each.identifier, each.action, each.reason) for each in document.changes]


OUR_POLICY = (part(POLICY, OURS["Sid"], OURS),)
OUR_RULES = (part(RULES, "", {"Role": ROLE}), part(RULES, "backfill.photos.all", RULE))
TRUSTED = {"Sid": "BackfillTrustForPhotos", "Effect": "Allow"}
OUR_TRUST = (
    part(TRUST, "", {"Path": "/", "Tags": {ROLE_TAG: "photos"}}),
    part(TRUST, TRUSTED["Sid"], TRUSTED),
)
OUR_EVENTS = (part(EVENTS, "backfill.photos.n", {"Id": "backfill.photos.n", "QueueArn": QUEUE}),)


def role(*statements: Fields, **more: object) -> Fields:
    tags = {"Tags": {ROLE_TAG: "photos"}}
    return {**tags, "AssumeRolePolicyDocument": {"Statement": list(statements)}, **more}


LEFT = "left as it is"
ONLY_ONE = "it cannot be without a policy, and nothing else stands in it"
CASES: dict[
    str, tuple[tuple[WantedPart, ...], Fields, Fields | None, list[tuple[str, str, str]]]
] = {
    "a statement of ours goes": (
        OUR_POLICY,
        {"Id": "x", "Statement": [THEIRS, OURS]},
        {"Id": "x", "Statement": [THEIRS]},
        [(OURS["Sid"], "remove", "setup made it")],
    ),
    "a policy of ours alone goes": (
        OUR_POLICY,
        {"Version": "v", "Statement": [OURS]},
        None,
        [(OURS["Sid"], "remove", "setup made it")],
    ),
    "nothing of ours is there": (OUR_POLICY, {"Statement": [THEIRS]}, {"Statement": [THEIRS]}, []),
    "nothing at all is there": (OUR_POLICY, {"Statement": []}, {"Statement": []}, []),
    "what somebody changed stays": (
        OUR_POLICY,
        {"Statement": [{**OURS, "Effect": "Deny"}]},
        {"Statement": [{**OURS, "Effect": "Deny"}]},
        [(OURS["Sid"], "leave", f"somebody changed it since: {LEFT}")],
    ),
    "what another spec of the name made stays": (
        OUR_POLICY,
        {"Statement": [OURS, {"Sid": "BackfillOwnedForPhotos"}, {"Effect": "Deny"}]},
        {"Statement": [{"Sid": "BackfillOwnedForPhotos"}, {"Effect": "Deny"}]},
        [
            (OURS["Sid"], "remove", "setup made it"),
            ("BackfillOwnedForPhotos", "leave", f"the spec does not ask for it: {LEFT}"),
        ],
    ),
    "a rule goes whatever priority was chosen for it": (
        OUR_RULES,
        {"Role": ROLE, "Rules": [THEIR_RULE, {**RULE, "Priority": 9}]},
        {"Role": ROLE, "Rules": [THEIR_RULE]},
        [
            ("backfill.photos.all", "remove", "setup made it"),
            ("", "leave", "the rules that stay replicate as this role"),
        ],
    ),
    "with the last rule the configuration goes": (
        OUR_RULES,
        {"Role": ROLE, "Rules": [RULE]},
        None,
        [
            ("backfill.photos.all", "remove", "setup made it"),
            ("", "remove", "nothing is left in it"),
        ],
    ),
    "a role of ours goes": (
        OUR_TRUST,
        role(TRUSTED, Policies=["backfill.photos.replicate"]),
        None,
        [(TRUSTED["Sid"], "remove", "setup made it"), ("", "remove", "made so")],
    ),
    "a role that others may assume loses our trust alone": (
        OUR_TRUST,
        role(THEIRS, TRUSTED),
        role(THEIRS),
        [
            ("", "leave", "others are trusted by the role, too"),
            (TRUSTED["Sid"], "remove", "setup made it"),
        ],
    ),
    "a role with policies of others stays": (
        OUR_TRUST,
        role(TRUSTED, Policies=("backfill.photos.x", "a", "b")),
        role(TRUSTED, Policies=("backfill.photos.x", "a", "b")),
        [
            ("", "leave", "it has policies of others: a, b"),
            (TRUSTED["Sid"], "leave", "it has policies of others: a, b"),
        ],
    ),
    "a role of another set-up stays": (
        OUR_TRUST,
        role(TRUSTED, Tags={ROLE_TAG: "films"}),
        role(TRUSTED, Tags={ROLE_TAG: "films"}),
        [
            ("", "leave", "the role was not made by this set-up"),
            (TRUSTED["Sid"], "leave", "the role was not made by this set-up"),
        ],
    ),
    "a role without tags stays": (
        OUR_TRUST,
        role(TRUSTED, Tags=None),
        role(TRUSTED, Tags=None),
        [
            ("", "leave", "the role was not made by this set-up"),
            (TRUSTED["Sid"], "leave", "the role was not made by this set-up"),
        ],
    ),
    "a key is never without a policy": (
        (part(resource(ResourceKind.KEY_POLICY, KEY), OURS["Sid"], OURS),),
        {"Statement": [OURS]},
        {"Statement": [OURS]},
        [(OURS["Sid"], "leave", ONLY_ONE)],
    ),
    "nor is a topic": (
        (part(resource(ResourceKind.EVENT_DESTINATION_POLICY, TOPIC), OURS["Sid"], OURS),),
        {"Statement": [OURS]},
        {"Statement": [OURS]},
        [(OURS["Sid"], "leave", ONLY_ONE)],
    ),
    "a queue may be": (
        (part(resource(ResourceKind.EVENT_DESTINATION_POLICY, QUEUE), OURS["Sid"], OURS),),
        {"Statement": [OURS]},
        None,
        [(OURS["Sid"], "remove", "setup made it")],
    ),
    "notifications end as an empty configuration": (
        OUR_EVENTS,
        {"QueueConfigurations": [OUR_EVENTS[0].content], "EventBridgeConfiguration": {}},
        {"EventBridgeConfiguration": {}},
        [("backfill.photos.n", "remove", "setup made it")],
    ),
    "notifications that are not there": (OUR_EVENTS, {}, {}, []),
    "inline policies end as none": (
        (part(resource(ResourceKind.ROLE_POLICIES, ROLE), "backfill.photos.a", {"x": 1}),),
        {"backfill.photos.a": {"x": 1}},
        {},
        [("backfill.photos.a", "remove", "setup made it")],
    ),
    "a setting stays": (
        (part(resource(ResourceKind.VERSIONING), "", {"Status": "Enabled"}),),
        {"Status": "Enabled"},
        {"Status": "Enabled"},
        [("", "leave", "stays: others may live by it by now")],
    ),
    "a document of an odd shape stays": (
        OUR_POLICY,
        {"Statement": ["a"]},
        {"Statement": ["a"]},
        [
            (
                OURS["Sid"],
                "leave",
                (
                    "the document has a shape that setup does not know: Statement holds what is no"
                    " element"
                ),
            )
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_destroy_takes_away_what_setup_made_and_no_more(case: str) -> None:
    """If this fails, destroy takes away what others live by, or leaves what is ours unsaid."""
    parts, before, after, said = CASES[case]
    found = removed(parts[0].resource, parts, raw(before), name="photos")
    assert told(found) == said
    assert (found.before, found.after, found.unread, found.notes) == (before, after, None, ())
    for change in found.changes:
        is_going = change.action is Action.REMOVE
        assert (change.after is None) >= is_going
        if not change.identifier:
            assert change.before == before


def test_what_the_sdk_does_not_know_is_not_lost_by_destroy() -> None:
    """If this fails, destroy drops an element that a newer S3 put into the document."""
    before = {"Statement": [THEIRS, OURS]}
    found = removed(POLICY, OUR_POLICY, raw(before, "Shiny", "New"), name="photos")
    assert found.is_refused
    assert found.after == before
    assert "would lose: Shiny, New" in found.changes[-1].reason
    calm = removed(POLICY, OUR_POLICY, raw({"Statement": [THEIRS]}, "Shiny"), name="photos")
    assert not calm.is_refused


@pytest.mark.parametrize(
    ("unread", "is_gone"),
    [
        (Unread(operation="GetBucketPolicy", code="NoSuchBucket"), True),
        (Unread(operation="GetKeyPolicy", code="NotFoundException"), True),
        (Unread(operation="GetQueueAttributes", code="NotFound"), True),
        (Unread(operation="GetRole", code="its ARN is arn:aws:iam::1:role/x/mover"), True),
        (Unread(operation="GetRolePolicy", code="its ARN is another"), False),
        (Unread(operation="GetRole", code="AccessDenied"), False),
    ],
)
def test_what_is_gone_is_told_and_what_was_denied_is_not_taken_for_gone(
    unread: Unread, is_gone: bool
) -> None:
    """If this fails, destroy waits for ever for a deleted bucket, or forgets a denied document."""
    found = removed(POLICY, OUR_POLICY, unread, name="photos")
    assert (found.changes, found.before, found.after) == ((), None, None)
    assert found.unread == (None if is_gone else unread)
    assert [unread.code in note for note in found.notes] == [True] * is_gone
    nothing = removed(POLICY, OUR_POLICY, None, name="photos")
    assert (nothing.changes, nothing.unread, nothing.after) == ((), None, None)


def test_what_is_still_needed_stays_whole() -> None:
    """If this fails, destroy breaks a rule that stays by taking its role's rights."""
    before = {"Statement": [THEIRS, OURS]}
    found = removed(POLICY, OUR_POLICY, raw(before), name="photos", still_needed="it is used")
    assert (found.after, told(found)) == (before, [(OURS["Sid"], Action.LEAVE, "it is used")])
    (change,) = found.changes
    assert (change.before, change.after) == (None, None)  # the document tells it


# --- All documents together ---

ALL = Wanted(
    name="photos",
    parts=(
        *OUR_TRUST,
        part(resource(ResourceKind.EVENT_DESTINATION_POLICY, QUEUE), OURS["Sid"], OURS),
        *OUR_RULES,
        *OUR_EVENTS,
    ),
)
QUEUE_POLICY = resource(ResourceKind.EVENT_DESTINATION_POLICY, QUEUE)
THERE: dict[Resource, Actual] = {
    TRUST: raw(role(TRUSTED)),
    QUEUE_POLICY: raw({"Statement": [OURS]}),
    RULES: raw({"Role": ROLE, "Rules": [RULE]}),
    EVENTS: raw({"QueueConfigurations": [OUR_EVENTS[0].content]}),
}
DENIED = Unread(operation="GetBucketReplication", code="AccessDenied")


def by_resource(
    actual: dict[Resource, Actual], **more: object
) -> dict[Resource, DocumentDifference]:
    found = removals(ALL, {**THERE, **actual}, **more)  # type: ignore[arg-type]  # as given
    assert found.name == "photos"
    return {document.resource: document for document in found.documents}


def test_users_go_before_what_they_use() -> None:
    """If this fails, a role is deleted while a rule still replicates as it."""
    found = by_resource({})
    assert list(found) == [EVENTS, RULES, QUEUE_POLICY, TRUST]
    assert all(document.is_change for document in found.values())


THEIR_QUEUE = {"Id": "theirs", "QueueArn": QUEUE}


@pytest.mark.parametrize(
    ("actual", "kept"),
    [
        ({RULES: raw({"Role": ROLE, "Rules": [THEIR_RULE]})}, {TRUST: RULES}),
        ({RULES: DENIED}, {TRUST: RULES}),
        ({RULES: raw({"Role": ROLE, "Rules": [RULE]}, "S")}, {TRUST: RULES}),
        ({RULES: raw({"Role": ROLE, "Rules": "odd"})}, {TRUST: RULES}),
        ({EVENTS: raw({"QueueConfigurations": [THEIR_QUEUE]})}, {QUEUE_POLICY: EVENTS}),
        ({EVENTS: raw({"TopicConfigurations": [{"Id": "t", "TopicArn": TOPIC}]})}, {}),
        ({EVENTS: DENIED}, {QUEUE_POLICY: EVENTS}),
        ({RULES: DENIED, EVENTS: DENIED}, {TRUST: RULES, QUEUE_POLICY: EVENTS}),
        # Nobody asked the owner of these: whoever takes one side away is shown what goes.
        ({RULES: None}, {}),
    ],
)
def test_what_a_document_that_stays_uses_stays_too(
    actual: dict[Resource, Actual], kept: dict[Resource, Resource]
) -> None:
    """If this fails, rules or events of others stop, for what they stand on was taken away."""
    found = by_resource(actual)
    for used in (TRUST, QUEUE_POLICY):
        if used in kept:
            said = f"{kept[used].title} still uses it"
            assert {change.reason for change in found[used].changes} == {said}
        else:
            assert found[used].is_change


@pytest.mark.parametrize(
    ("name", "list_name", "arn"),
    [
        ("QueueArn", "QueueConfigurations", QUEUE),
        ("TopicArn", "TopicConfigurations", TOPIC),
        (
            "LambdaFunctionArn",
            "LambdaFunctionConfigurations",
            f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:events",
        ),
    ],
)
def test_whatever_gets_events_of_others_keeps_its_policy(
    name: str, list_name: str, arn: str
) -> None:
    """If this fails, somebody's events stop at a queue, topic or function that refuses them."""
    of = resource(ResourceKind.EVENT_DESTINATION_POLICY, arn)
    theirs = {"Id": "theirs", name: arn}
    wanted = Wanted(name="photos", parts=(part(of, OURS["Sid"], OURS), *OUR_EVENTS))
    actual: dict[Resource, Actual] = {
        of: raw({"Statement": [THEIRS, OURS]}),
        EVENTS: raw({list_name: [theirs]}),
    }
    events, policy = removals(wanted, actual).documents
    assert events.after == {list_name: [theirs]}
    assert policy.changes[0].reason == f"{EVENTS.title} still uses it"


def test_one_side_may_go_without_the_other() -> None:
    """If this fails, an owner cannot take a set-up away whose other side is not theirs to ask."""
    found = removals(ALL, {TRUST: THERE[TRUST]})
    assert [each.resource for each in found.documents if each.is_change] == [TRUST]


def test_what_the_spec_still_asks_for_keeps_what_it_names() -> None:
    """If this fails, a smaller spec takes the rights of a rule that it keeps."""
    standing = [
        DocumentDifference(resource=of, changes=(), before=None, after={"x": [ROLE]})
        for of in (RULES, POLICY)
    ]
    (said,) = {change.reason for change in by_resource({}, standing=standing)[TRUST].changes}
    assert said == f"{RULES.title} still names it"
    assert by_resource({}, standing=standing[1:])[TRUST].is_change


def test_a_queue_that_will_be_made_has_no_policy_yet() -> None:
    """If this fails, an apply refuses the policy of the queue that it makes itself."""
    queue = part(resource(ResourceKind.QUEUE, QUEUE), "", {"QueueName": "events"})
    wanted = Wanted(name="photos", parts=(queue, part(QUEUE_POLICY, OURS["Sid"], OURS)))
    absent = Unread(operation="GetQueueAttributes", code="NotFound")
    denied = Unread(operation="GetQueueAttributes", code="AccessDenied")
    for unread, is_refused in ((absent, False), (denied, True)):
        found = differences(wanted, {queue.resource: None, QUEUE_POLICY: unread})
        assert [each.is_refused for each in found.documents] == [False, is_refused]
    alone = Wanted(name="photos", parts=wanted.parts[1:])
    assert differences(alone, {QUEUE_POLICY: absent}).is_refused


def test_a_role_that_must_be_there_and_is_not_is_refused() -> None:
    """If this fails, setup gives rights to a role that nobody made, or refuses one that is."""
    wanted = Wanted(name="photos", parts=OUR_TRUST, expects=(ROLE,), notes=("n",))
    (document,) = differences(wanted, {TRUST: None}).documents
    assert document.changes[-1].reason.endswith("an existing one, and it is not there")
    assert (document.is_refused, document.before) == (True, None)
    assert document.after is not None
    there = raw(role(TRUSTED, Path="/"))
    assert differences(wanted, {TRUST: there}).documents[0].changes[-1].identifier
    assert differences(wanted, {TRUST: None}).notes == ("n",)
