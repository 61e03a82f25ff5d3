"""The AWS CLI commands that write one document, and the script that holds several.

Never runs anything, and never puts a name into a command unquoted.
Law: a command reads the document right before it puts it, and stops where they do not fit.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from backfill.model.accounts import EventDestinationKind, event_destination_kind
from backfill.model.escaping import visible_text
from backfill.setup.recipes import MERGE_FILE, PREAMBLE
from backfill.setup.settling import passing_pattern
from backfill.setup.wanted import (
    Action,
    Change,
    DocumentDifference,
    Fields,
    Resource,
    ResourceKind,
)

_WRITTEN: Final = frozenset({Action.ADD, Action.REPLACE, Action.REMOVE})


def file_name(resource: Resource, number: int, end: str = "") -> str:
    """Return the name of a document's file: kind and name, in letters that no shell minds."""
    words = f"{resource.kind.value} {resource.name}".lower()
    return f"{number:02}-{re.sub(r'[^a-z0-9]+', '-', words).strip('-')[:60]}{end}.json"


def script(
    title: str,
    account: str,
    documents: Sequence[DocumentDifference],
    numbered: Mapping[Resource, int],
) -> str:
    """Return the script of one step."""
    lines = [_preamble(title, account)]
    for document in documents:
        lines.append(f"\n# {visible_text(document.resource.title)}")
        lines += [
            f"#   {visible_text(change.identifier or change.action.value)}:"
            f" {visible_text(change.reason)}"
            for change in document.changes
            if change.action in _WRITTEN
        ]
        lines.append(f"echo {shlex.quote(visible_text(document.resource.title))}")
        lines += _commands(document, numbered[document.resource])
    return "\n".join(lines) + "\n"


def _preamble(title: str, account: str) -> str:
    return PREAMBLE.format(title=title, account=shlex.quote(account), passing=passing_pattern())


def _commands(document: DocumentDifference, number: int) -> Iterator[str]:
    resource = document.resource
    file = f'"$here"/{file_name(resource, number)}'
    match resource.kind:
        case ResourceKind.BUCKET:
            yield from _making_a_bucket(resource)
        case ResourceKind.QUEUE:
            yield _making_a_queue(document)
        case ResourceKind.VERSIONING:
            # One value, which S3 takes without MFADelete: there is nothing to merge.
            where = _words("--bucket", resource.name, "--expected-bucket-owner", resource.account)
            region = _words("--region", resource.region)
            configuration = f"--versioning-configuration file://{file}"
            yield f"aws s3api put-bucket-versioning {where} {region} {configuration}"
        case ResourceKind.ROLE_TRUST:
            yield from _making_a_role(document, file, number)
        case ResourceKind.ROLE_POLICIES:
            yield from _role_policies(document, number)
        case _ if is_function(resource):
            yield from _permissions(document, file)
        case _:
            yield from _merging(document, file, number)


def _making_a_bucket(resource: Resource) -> Iterator[str]:
    where = _words("--bucket", resource.name, "--region", resource.region)
    # us-east-1 is the one Region that S3 does not want to be told (S3 API: CreateBucket).
    far = f" --create-bucket-configuration LocationConstraint={shlex.quote(resource.region)}"
    constraint = "" if resource.region == "us-east-1" else far
    yield f"unless BucketAlreadyOwnedByYou aws s3api create-bucket {where}{constraint}"


def _making_a_queue(document: DocumentDifference) -> str:
    resource, after = document.resource, document.after or {}
    where = _words("--queue-name", resource.name, "--region", resource.region)
    retention = shlex.quote(f"MessageRetentionPeriod={after['MessageRetentionPeriod']}")
    tags = [shlex.quote(f"{key}={value}") for key, value in fields_of(after["Tags"]).items()]
    made = f"aws sqs create-queue {where} --attributes {retention} --tags {' '.join(tags)}"
    # One of that name with another retention is used as it is; SQS has two words for that.
    return f"unless 'Queue[A-Za-z]*Exists' {made}"


def _making_a_role(document: DocumentDifference, file: str, number: int) -> Iterator[str]:
    resource, after = document.resource, document.after or {}
    name = shlex.quote(resource.name)
    before = ""
    if document.before is not None:
        before = f' "$here"/{file_name(resource, number, "-before")}'
    else:
        tags = fields_of(after.get("Tags", {}))
        told = " ".join(shlex.quote(f"Key={key},Value={value}") for key, value in tags.items())
        yield (
            f"unless EntityAlreadyExists aws iam create-role --role-name {name}"
            f" --path {shlex.quote(str(after.get('Path', '/')))} --tags {told}"
            f" --assume-role-policy-document file://{file}"
        )
        for tag, value in tags.items():
            query = shlex.quote(f"Role.Tags[?Key=='{tag}'].Value | [0]")
            yield _expected(name, query, str(value), "a role of that name is somebody else's")
    yield _expected(name, "Role.Arn", resource.arn, "a role of that name has another path")
    yield (
        f'read_into "$work/found" NothingOfThatKind aws iam get-role --role-name {name}'
        " --query Role.AssumeRolePolicyDocument --output json"
    )
    yield f'python3 "$here"/{MERGE_FILE} "$work/found" {file}{before} >"$work/merged"'
    yield (
        f"settled aws iam update-assume-role-policy --role-name {name}"
        ' --policy-document "file://$work/merged"'
    )


def _expected(name: str, query: str, value: str, otherwise: str) -> str:
    """Give the command that stops unless IAM says this of a role."""
    asked = f"aws iam get-role --role-name {name} --query {query} --output text"
    said = f"echo {shlex.quote(otherwise)} >&2"
    return f'[ "$({asked})" = {shlex.quote(value)} ] || {{ {said}; exit 1; }}'


def _role_policies(document: DocumentDifference, number: int) -> Iterator[str]:
    name = shlex.quote(document.resource.name)
    yield _expected(name, "Role.Arn", document.resource.arn, "a role of that name has another path")
    for index, change in enumerate(puts(document), start=1):
        file = f'"$here"/{file_name(document.resource, number, f"-{index}")}'
        before = "/dev/null"
        if change.before is not None:
            before = f'"$here"/{file_name(document.resource, number, f"-{index}-before")}'
        policy = f"--role-name {name} --policy-name {shlex.quote(change.identifier)}"
        yield (
            f'read_into "$work/found" NoSuchEntity aws iam get-role-policy {policy}'
            " --query PolicyDocument --output json"
        )
        yield f'python3 "$here"/{MERGE_FILE} "$work/found" {file} {before} >"$work/merged"'
        yield f'settled aws iam put-role-policy {policy} --policy-document "file://$work/merged"'
    for change in document.changes:
        if change.action is Action.REMOVE:
            policy = shlex.quote(change.identifier)
            yield f"aws iam delete-role-policy --role-name {name} --policy-name {policy}"


def _permissions(document: DocumentDifference, file: str) -> Iterator[str]:
    where = _words("--function-name", document.resource.arn, "--region", document.resource.region)
    if document.before is None:
        # Stops where a statement of the same ID says something else.
        yield (
            f'read_into "$work/found" ResourceNotFoundException aws lambda get-policy {where}'
            " --query Policy --output text"
        )
        yield f'python3 "$here"/{MERGE_FILE} "$work/found" {file} >"$work/merged"'
    for change in document.changes:
        word = shlex.quote(change.identifier)
        if change.action in {Action.REPLACE, Action.REMOVE}:
            yield f"aws lambda remove-permission {where} --statement-id {word}"
        if change.action in {Action.ADD, Action.REPLACE}:
            condition = fields_of(fields_of(change.after or {})["Condition"])
            source = _words(
                "--source-arn",
                str(fields_of(condition["ArnLike"])["aws:SourceArn"]),
                "--source-account",
                str(fields_of(condition["StringEquals"])["aws:SourceAccount"]),
            )
            yield (
                f"unless ResourceConflictException aws lambda add-permission {where}"
                f" --statement-id {word} --action lambda:InvokeFunction"
                f" --principal s3.amazonaws.com {source}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    """How a document is read and put. `nothing` is the code that says that there is none."""

    get: str
    put: str
    parameter: str
    nothing: str = "NothingOfThatKind"


_S3: Final = {
    ResourceKind.OBJECT_LOCK: _Calls(
        get="get-object-lock-configuration --query ObjectLockConfiguration",
        put="put-object-lock-configuration",
        parameter="--object-lock-configuration",
        nothing="ObjectLockConfigurationNotFoundError",
    ),
    ResourceKind.ENCRYPTION: _Calls(
        get="get-bucket-encryption --query ServerSideEncryptionConfiguration",
        put="put-bucket-encryption",
        parameter="--server-side-encryption-configuration",
        nothing="ServerSideEncryptionConfigurationNotFoundError",
    ),
    ResourceKind.BUCKET_POLICY: _Calls(
        get="get-bucket-policy --query Policy --output text",
        put="put-bucket-policy",
        parameter="--policy",
        nothing="NoSuchBucketPolicy",
    ),
    ResourceKind.REPLICATION: _Calls(
        get="get-bucket-replication --query ReplicationConfiguration",
        put="put-bucket-replication",
        parameter="--replication-configuration",
        nothing="ReplicationConfigurationNotFoundError",
    ),
    ResourceKind.NOTIFICATION: _Calls(
        get="get-bucket-notification-configuration",
        put="put-bucket-notification-configuration",
        parameter="--notification-configuration",
    ),
}


def _merging(document: DocumentDifference, file: str, number: int) -> Iterator[str]:
    """Give read, merge and put of one document."""
    resource = document.resource
    read, put = _read_and_put(resource)
    if resource.kind is ResourceKind.EVENT_DESTINATION_POLICY and ":sqs:" in resource.arn:
        queue = _words("--queue-name", resource.name, "--region", resource.region)
        owner = f"--queue-owner-aws-account-id {shlex.quote(resource.account)}"
        yield f'queue="$(aws sqs get-queue-url {queue} {owner} --query QueueUrl --output text)"'
    yield read
    before = ""
    if document.before is not None:
        before = f' "$here"/{file_name(resource, number, "-before")}'
    yield f'python3 "$here"/{MERGE_FILE} "$work/found" {file}{before} >"$work/merged"'
    if resource.kind is ResourceKind.EVENT_DESTINATION_POLICY and ":sqs:" in resource.arn:
        yield f'python3 "$here"/{MERGE_FILE} --attribute "$work/merged" >"$work/attributes"'
    yield put


def _read_and_put(resource: Resource) -> tuple[str, str]:
    region = _words("--region", resource.region)
    nothing = "NothingOfThatKind"  # No code: what cannot be read stops the script.
    if (calls := _S3.get(resource.kind)) is not None:
        where = _words("--bucket", resource.name, "--expected-bucket-owner", resource.account)
        nothing, end = calls.nothing, f"{where} {region}"
        read = f"s3api {calls.get} {end}"
        if "--output" not in read:
            read += " --output json"
        put = f's3api {calls.put} {end} {calls.parameter} "file://$work/merged"'
    elif resource.kind is ResourceKind.KEY_POLICY:
        end = f"{_words('--key-id', resource.arn)} --policy-name default {region}"
        read = f"kms get-key-policy {end} --query Policy --output text"
        put = f'kms put-key-policy {end} --policy "file://$work/merged"'
    elif ":sqs:" in resource.arn:
        end = f'--queue-url "$queue" {region}'
        read = f"sqs get-queue-attributes {end} --attribute-names Policy"
        read += " --query Attributes.Policy --output text"
        put = f'sqs set-queue-attributes {end} --attributes "file://$work/attributes"'
    else:
        end = f"{_words('--topic-arn', resource.arn)} {region}"
        read = f"sns get-topic-attributes {end} --query Attributes.Policy --output text"
        put = f"sns set-topic-attributes {end} --attribute-name Policy"
        put += ' --attribute-value "file://$work/merged"'
    return f'read_into "$work/found" {nothing} aws {read}', f"settled aws {put}"


def _words(*words: str) -> str:
    """Return options, each with its value, for the shell."""
    assert len(words) % 2 == 0, "an option has a value"
    return " ".join(
        word if index % 2 == 0 else shlex.quote(word) for index, word in enumerate(words)
    )


def is_function(resource: Resource) -> bool:
    """Whether this is the policy of a function, which Lambda takes by the statement."""
    return (
        resource.kind is ResourceKind.EVENT_DESTINATION_POLICY
        and event_destination_kind(resource.arn) is EventDestinationKind.FUNCTION
    )


def puts(document: DocumentDifference) -> list[Change]:
    """Return the changes that put something."""
    return [each for each in document.changes if each.action in {Action.ADD, Action.REPLACE}]


def fields_of(value: object) -> Fields:
    """Return a value that is a mapping by construction."""
    assert isinstance(value, Mapping), "a policy is a mapping"
    return value
