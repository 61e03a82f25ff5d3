"""The commands of a script are those of the AWS CLI for each kind of document, word by word."""

import pytest

from backfill.setup.export_commands import file_name, is_function, script
from backfill.setup.wanted import (
    Action,
    Change,
    DocumentDifference,
    Fields,
    Resource,
    ResourceKind,
    Side,
)

ACCOUNT = "111111111111"
QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:events"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:events"
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:events"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/mover"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/abc"
IN_BUCKET = f"--bucket photos --expected-bucket-owner {ACCOUNT} --region eu-west-1"


def resource(kind: ResourceKind, arn: str = "arn:aws:s3:::photos", **more: str) -> Resource:
    place = {"region": "eu-west-1", **more}
    return Resource(side=Side.SOURCE, kind=kind, arn=arn, account=ACCOUNT, region=place["region"])


def change(
    of: Resource,
    action: Action,
    identifier: str = "",
    *,
    before: Fields | None = None,
    after: Fields | None = None,
) -> Change:
    return Change(
        resource=of, identifier=identifier, action=action, reason="why", before=before, after=after
    )


def document(
    of: Resource, *changes: Change, before: Fields | None = None, after: Fields | None = None
) -> DocumentDifference:
    made = changes or (change(of, Action.ADD),)
    return DocumentDifference(resource=of, changes=made, before=before, after=after or {})


def commands(*documents: DocumentDifference) -> list[str]:
    """Return the lines of a script behind its preamble."""
    numbered = {each.resource: number for number, each in enumerate(documents, start=7)}
    text = script("Step 1: all of it.", ACCOUNT, documents, numbered)
    preamble, _, rest = text.partition('  "$@" >/dev/null\n}\n')
    assert preamble.startswith("#!/usr/bin/env bash\n# Step 1: all of it.\n")
    assert f'--output text)" != {ACCOUNT} ]; then' in preamble
    assert rest.endswith("\n")
    return rest.splitlines()


def body(one: DocumentDifference) -> list[str]:
    """Return the commands of one document, behind its comments and its title."""
    lines = commands(one)
    said = next(number for number, line in enumerate(lines) if line.startswith("echo "))
    return lines[said + 1 :]


def test_a_document_has_a_heading_with_what_is_written_and_why() -> None:
    """If this fails, an owner runs commands without seeing what they are about."""
    bucket = resource(ResourceKind.BUCKET, region="us-east-1")
    policy = resource(ResourceKind.BUCKET_POLICY)
    changes = [
        change(policy, action, f"P{number}")
        for number, action in enumerate((Action.ADD, Action.KEEP, Action.REPLACE, Action.REMOVE))
    ]
    lines = commands(document(bucket), document(policy, *changes))
    assert lines[:6] == [
        "",
        "",
        "# bucket of arn:aws:s3:::photos",
        "#   add: why",
        "echo 'bucket of arn:aws:s3:::photos'",
        # The one Region that S3 does not want to be told.
        "unless BucketAlreadyOwnedByYou aws s3api create-bucket --bucket photos --region us-east-1",
    ]
    assert lines[6:12] == [
        "",
        "# bucket policy of arn:aws:s3:::photos",
        "#   P0: why",
        "#   P2: why",
        "#   P3: why",
        "echo 'bucket policy of arn:aws:s3:::photos'",
    ]


def test_buckets_and_versioning_are_made_in_one_command() -> None:
    """If this fails, an owner's script makes a bucket elsewhere, or switches nothing on."""
    assert body(document(resource(ResourceKind.BUCKET))) == [
        (
            "unless BucketAlreadyOwnedByYou aws s3api create-bucket --bucket photos"
            " --region eu-west-1 --create-bucket-configuration LocationConstraint=eu-west-1"
        )
    ]
    assert body(document(resource(ResourceKind.VERSIONING))) == [
        (
            f"aws s3api put-bucket-versioning {IN_BUCKET} --versioning-configuration"
            ' file://"$here"/07-versioning-photos.json'
        )
    ]


def merging(
    read: str,
    put: str,
    file: str,
    *,
    nothing: str = "NothingOfThatKind",
    value: str = '"file://$work/merged"',
) -> list[str]:
    return [
        f'read_into "$work/found" {nothing} aws {read}',
        f'python3 "$here"/merge.py "$work/found" "$here"/{file}.json >"$work/merged"',
        f"settled aws {put} {value}",
    ]


MERGED = {
    ResourceKind.OBJECT_LOCK: merging(
        "s3api get-object-lock-configuration --query ObjectLockConfiguration"
        f" {IN_BUCKET} --output json",
        f"s3api put-object-lock-configuration {IN_BUCKET} --object-lock-configuration",
        "07-object-lock-configuration-photos",
        nothing="ObjectLockConfigurationNotFoundError",
    ),
    ResourceKind.ENCRYPTION: merging(
        "s3api get-bucket-encryption --query ServerSideEncryptionConfiguration"
        f" {IN_BUCKET} --output json",
        f"s3api put-bucket-encryption {IN_BUCKET} --server-side-encryption-configuration",
        "07-default-encryption-photos",
        nothing="ServerSideEncryptionConfigurationNotFoundError",
    ),
    ResourceKind.BUCKET_POLICY: merging(
        f"s3api get-bucket-policy --query Policy --output text {IN_BUCKET}",
        f"s3api put-bucket-policy {IN_BUCKET} --policy",
        "07-bucket-policy-photos",
        nothing="NoSuchBucketPolicy",
    ),
    ResourceKind.REPLICATION: merging(
        f"s3api get-bucket-replication --query ReplicationConfiguration {IN_BUCKET} --output json",
        f"s3api put-bucket-replication {IN_BUCKET} --replication-configuration",
        "07-replication-configuration-photos",
        nothing="ReplicationConfigurationNotFoundError",
    ),
    # S3 answers an empty configuration where there is none: any error stops the script.
    ResourceKind.NOTIFICATION: merging(
        f"s3api get-bucket-notification-configuration {IN_BUCKET} --output json",
        f"s3api put-bucket-notification-configuration {IN_BUCKET} --notification-configuration",
        "07-notification-configuration-photos",
    ),
}


@pytest.mark.parametrize("kind", MERGED)
def test_a_configuration_of_a_bucket_is_read_merged_and_put(kind: ResourceKind) -> None:
    """If this fails, a script puts another document than it read, or takes denied for absent."""
    assert body(document(resource(kind))) == MERGED[kind]


def test_a_document_that_was_read_is_put_only_while_it_stands_as_it_was() -> None:
    """If this fails, a script overwrites what somebody changed since the export."""
    found = body(document(resource(ResourceKind.BUCKET_POLICY), before={"Statement": []}))
    assert found[1] == (
        'python3 "$here"/merge.py "$work/found" "$here"/07-bucket-policy-photos.json'
        ' "$here"/07-bucket-policy-photos-before.json >"$work/merged"'
    )


def test_a_key_policy_goes_by_its_key_and_its_one_name() -> None:
    """If this fails, replicas under a key of the owner's cannot be written or read."""
    assert body(document(resource(ResourceKind.KEY_POLICY, KEY))) == merging(
        f"kms get-key-policy --key-id {KEY} --policy-name default --region eu-west-1"
        " --query Policy --output text",
        f"kms put-key-policy --key-id {KEY} --policy-name default --region eu-west-1 --policy",
        "07-key-policy-abc",
    )


def test_policies_of_queues_and_topics_are_attributes() -> None:
    """If this fails, S3 may not send its events where the spec asks for them."""
    kind = ResourceKind.EVENT_DESTINATION_POLICY
    file = "07-event-destination-policy-events"
    at, read, laid, put = (
        (
            'queue="$(aws sqs get-queue-url --queue-name events --region eu-west-1'
            f' --queue-owner-aws-account-id {ACCOUNT} --query QueueUrl --output text)"'
        ),
        *merging(
            'sqs get-queue-attributes --queue-url "$queue" --region eu-west-1'
            " --attribute-names Policy --query Attributes.Policy --output text",
            'sqs set-queue-attributes --queue-url "$queue" --region eu-west-1 --attributes',
            file,
            value='"file://$work/attributes"',
        ),
    )
    attribute = 'python3 "$here"/merge.py --attribute "$work/merged" >"$work/attributes"'
    assert body(document(resource(kind, QUEUE))) == [at, read, laid, attribute, put]
    assert body(document(resource(kind, TOPIC))) == merging(
        f"sns get-topic-attributes --topic-arn {TOPIC} --region eu-west-1"
        " --query Attributes.Policy --output text",
        f"sns set-topic-attributes --topic-arn {TOPIC} --region eu-west-1"
        " --attribute-name Policy --attribute-value",
        file,
    )
    assert is_function(resource(kind, FUNCTION))
    assert not is_function(resource(kind, QUEUE))
    assert not is_function(resource(ResourceKind.BUCKET_POLICY, FUNCTION))


def permission(source: str) -> Fields:
    return {
        "Condition": {
            "ArnLike": {"aws:SourceArn": source},
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
        }
    }


def test_a_function_takes_its_policy_by_the_statement() -> None:
    """If this fails, S3 may not call the function, or everybody's bucket may."""
    of = resource(ResourceKind.EVENT_DESTINATION_POLICY, FUNCTION)
    where = f"--function-name {FUNCTION} --region eu-west-1"
    changes = (
        change(of, Action.ADD, "A", after=permission("arn:aws:s3:::a")),
        change(of, Action.KEEP, "K"),
        change(of, Action.REPLACE, "R", after=permission("arn:aws:s3:::r")),
        change(of, Action.REMOVE, "D"),
    )

    def added(word: str, source: str) -> str:
        return (
            f"unless ResourceConflictException aws lambda add-permission {where}"
            f" --statement-id {word} --action lambda:InvokeFunction"
            f" --principal s3.amazonaws.com --source-arn {source} --source-account {ACCOUNT}"
        )

    written = [
        added("A", "arn:aws:s3:::a"),
        f"aws lambda remove-permission {where} --statement-id R",
        added("R", "arn:aws:s3:::r"),
        f"aws lambda remove-permission {where} --statement-id D",
    ]
    assert body(document(of, *changes, before={"Statement": []})) == written
    looked = [
        (
            'read_into "$work/found" ResourceNotFoundException aws lambda get-policy'
            f" {where} --query Policy --output text"
        ),
        (
            'python3 "$here"/merge.py "$work/found"'
            ' "$here"/07-event-destination-policy-events.json >"$work/merged"'
        ),
    ]
    assert body(document(of, *changes)) == [*looked, *written]


HAS_ITS_PATH = (
    '[ "$(aws iam get-role --role-name mover --query Role.Arn --output text)"'
    f" = {ROLE} ] || {{ echo 'a role of that name has another path' >&2; exit 1; }}"
)


def test_a_role_is_made_and_known_by_its_tag_and_its_path() -> None:
    """If this fails, a script gives rights to somebody else's role of the same name."""
    of = resource(ResourceKind.ROLE_TRUST, ROLE, region="")
    after = {"Path": "/service-role/", "Tags": {"backfill:setup": "photos"}}
    trust = merging(
        "iam get-role --role-name mover --query Role.AssumeRolePolicyDocument --output json",
        "iam update-assume-role-policy --role-name mover --policy-document",
        "07-role-trust-policy-mover",
    )
    assert body(document(of, after=after)) == [
        (
            "unless EntityAlreadyExists aws iam create-role --role-name mover --path /service-role/"
            " --tags Key=backfill:setup,Value=photos --assume-role-policy-document"
            ' file://"$here"/07-role-trust-policy-mover.json'
        ),
        (
            '[ "$(aws iam get-role --role-name mover --query '
            """'Role.Tags[?Key=='"'"'backfill:setup'"'"'].Value | [0]' --output text)" = photos ]"""
            """ || { echo 'a role of that name is somebody else'"'"'s' >&2; exit 1; }"""
        ),
        HAS_ITS_PATH,
        *trust,
    ]
    there = body(document(of, before={"Path": "/service-role/"}, after=after))
    assert there[0] == HAS_ITS_PATH
    assert len(there) == 1 + len(trust)
    assert '"$here"/07-role-trust-policy-mover-before.json >' in there[2]
    assert "--path / " in body(document(of))[0]


def test_inline_policies_are_laid_in_by_their_names() -> None:
    """If this fails, a script replaces an inline policy that somebody changed."""
    of = resource(ResourceKind.ROLE_POLICIES, ROLE, region="")
    changes = (
        change(of, Action.ADD, "new", after={}),
        change(of, Action.KEEP, "kept"),
        change(of, Action.REPLACE, "old", before={}, after={}),
        change(of, Action.REMOVE, "gone"),
    )

    def laid(name: str, file: str, before: str) -> list[str]:
        policy = f"--role-name mover --policy-name {name}"
        return [
            (
                f'read_into "$work/found" NoSuchEntity aws iam get-role-policy {policy}'
                " --query PolicyDocument --output json"
            ),
            f'python3 "$here"/merge.py "$work/found" "$here"/{file}.json {before} >"$work/merged"',
            f'settled aws iam put-role-policy {policy} --policy-document "file://$work/merged"',
        ]

    file = "07-role-inline-policies-mover"
    assert body(document(of, *changes)) == [
        HAS_ITS_PATH,
        *laid("new", f"{file}-1", "/dev/null"),
        *laid("old", f"{file}-2", f'"$here"/{file}-2-before.json'),
        "aws iam delete-role-policy --role-name mover --policy-name gone",
    ]


def test_a_queue_is_made_with_its_retention_and_its_tag() -> None:
    """If this fails, failures that nobody has read yet are dropped, or the queue is nobody's."""
    after = {"MessageRetentionPeriod": 60, "Tags": {"backfill:setup": "photos", "a b": "c"}}
    assert body(document(resource(ResourceKind.QUEUE, QUEUE), after=after)) == [
        (
            "unless 'Queue[A-Za-z]*Exists' aws sqs create-queue --queue-name events"
            " --region eu-west-1 --attributes MessageRetentionPeriod=60"
            " --tags backfill:setup=photos 'a b=c'"
        )
    ]


def test_every_value_is_one_word_of_the_shell() -> None:
    """If this fails, a name that holds a blank or a semicolon runs commands."""
    hostile = resource(ResourceKind.VERSIONING, "arn:aws:s3:::a b;c", region="$(d)")
    (command,) = body(document(hostile))
    assert "--bucket 'a b;c' --expected-bucket-owner 111111111111 --region '$(d)' " in command
    bucket = resource(ResourceKind.BUCKET, "arn:aws:s3:::a b", region="$(d)")
    assert "create-bucket --bucket 'a b' --region '$(d)' " in body(document(bucket))[0]


def test_names_of_files_are_short_and_mean_nothing_to_a_shell() -> None:
    """If this fails, a name that others chose is a path or a command of the owner's shell."""
    hostile = resource(ResourceKind.BUCKET, "arn:aws:s3:::A b;$(x)é_")
    assert file_name(hostile, 3, "-before") == "03-bucket-a-b-x-before.json"
    long = resource(ResourceKind.BUCKET, f"arn:aws:s3:::{'x' * 63}")
    assert file_name(long, 12) == f"12-bucket-{'x' * 53}.json"
