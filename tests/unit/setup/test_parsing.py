"""A spec that S3, IAM or KMS would refuse never passes, and everything wrong is told at once."""

import tomllib

import pytest

from backfill.errors import UsageError
from backfill.setup.faults import Fault
from backfill.setup.fields import FIELDS, FieldKind
from backfill.setup.parsing import document_of_flags, name_of_bucket, spec_of
from backfill.setup.validation import faults_on
from tests.doubles.setup_specs import (
    DESTINATION,
    DESTINATION_KEY,
    GOLDEN,
    QUEUE,
    SOURCE,
    SOURCE_KEY,
    Document,
    destination,
    ground,
    plain,
    source,
    spec,
)

KMS_SOURCE = source(**{"kms-key-arns": [SOURCE_KEY]})


def rule(**more: object) -> Document:
    return plain(rule=[{"name": "all", **{name.replace("_", "-"): v for name, v in more.items()}}])


REFUSED: dict[str, tuple[Document, str]] = {
    "unknown table": (plain(rules=[]), "[rules]: is not known"),
    "unknown field": (plain(rule=[{"name": "all", "tag": "x"}]), "[rule] tag: is not known"),
    "existing objects": (rule(existing_objects=True), "existing-objects: is not known"),
    "table twice": (plain(source=[source(), source()]), "[source]: stands more than once"),
    "no table": (plain(source="photos"), "[source]: is a table"),
    "text for a switch": (rule(metrics="yes"), "metrics: is true or false"),
    "text for a number": (rule(priority="1"), "priority: is a number"),
    "a switch for a number": (rule(priority=True), "priority: is a number"),
    "number for text": (rule(prefix=7), "prefix: is text"),
    "unknown class": (rule(storage_class="FSX_OPENZFS"), "'FSX_OPENZFS' is no choice"),
    "unknown owner": (rule(owner="me"), "'me' is no choice"),
    "tags that are none": (rule(tags={"a": 1}), "tags: is a table of texts"),
    "no source bucket": (plain(source={}), "[source] bucket: is missing"),
    "a URL for a bucket": (plain(source=source(bucket="s3://x")), "is no bucket name"),
    "an old name for a new bucket": (
        plain(destination=destination(bucket="Old_Name")),
        "is no bucket name",
    ),
    "itself": (plain(destination=destination(bucket="photos")), "is the source bucket"),
    "no destination": (plain(destination=[]), "[destination]: is missing"),
    "destination twice": (plain(destination=[destination(), destination()]), "stands 2 times"),
    "destination without a rule": (
        plain(
            destination=[destination(), destination(bucket="other")],
            rule=[{"name": "all", "destination": "other"}],
        ),
        "no rule has the destination 'photos-replica'",
    ),
    "29 destinations": (
        plain(
            destination=[destination(bucket=f"replica-{n}") for n in range(29)],
            rule=[{"name": f"r{n}", "destination": f"replica-{n}"} for n in range(29)],
        ),
        "at most 28",
    ),
    "account": (plain(source=source(account="1")), "is no account ID"),
    "Region": (plain(source=source(region="Ireland")), "is no Region"),
    "name": (plain(name="Photos 2"), "is no name for a set-up"),
    "name that another could become": (plain(name="a-1"), "is no name for a set-up"),
    "no rules": (plain(rule=[]), "S3 takes no empty configuration"),
    "1,001 rules": (
        plain(rule=[{"name": f"r{n}", "priority": n} for n in range(1001)]),
        "at most 1000",
    ),
    "rule without a name": (plain(rule=[{}]), "[rule 1] name: is missing"),
    "rule name that is not ASCII": (plain(rule=[{"name": "zürich"}]), "is no name"),
    "rule twice": (plain(rule=[{"name": "a"}, {"name": "a"}]), "'a' stands 2 times"),
    "destination unknown": (rule(destination="elsewhere"), "'elsewhere' is no destination"),
    "priority below": (rule(priority=-1), "out of range"),
    "priority above": (rule(priority=2**31), "out of range"),
    "priority twice": (
        plain(rule=[{"name": "a", "priority": 1}, {"name": "b", "priority": 1}]),
        "1 stands 2 times",
    ),
    "priority unsaid": (
        plain(rule=[{"name": "a", "priority": 1}, {"name": "b"}]),
        "others have the same destination",
    ),
    "delete markers with tags": (
        rule(tags={"a": "b"}, delete_markers=True),
        "only for rules without a tag filter",
    ),
    "long prefix": (rule(prefix="ü" * 513), "longer than a key can be"),
    "prefix that XML cannot hold": (rule(prefix="a\x0bb"), "S3's XML cannot carry"),
    "tag that XML cannot hold": (rule(tags={"a": "\x00"}), "S3's XML cannot carry"),
    "eleven tags": (rule(tags={f"k{n}": "" for n in range(11)}), "at most 10"),
    "empty tag": (rule(tags={"": "x"}), "is no tag"),
    "tag of a shell": (rule(tags={"k'$(id)": "v"}), "is no tag of an object"),
    "tag value that S3 takes nowhere": (rule(tags={"k": "a;b"}), "is no tag of an object"),
    "tag with a line's end": (rule(tags={"k": "a\u2028b"}), "is no tag of an object"),
    "tag of AWS": (rule(tags={"AWS:createdBy": "x"}), "is AWS's own"),
    "key without a key to decrypt with": (rule(kms_key_arn=DESTINATION_KEY), "to decrypt with"),
    "alias": (
        plain(source=KMS_SOURCE, rule=[{"name": "all", "kms-key-arn": "alias/aws/s3"}]),
        "is no key ARN",
    ),
    "readers without a key": (rule(kms_readers=[f"arn:aws:iam::{SOURCE}:root"]), "without a repl"),
    "readers who are everybody": (
        plain(
            source=KMS_SOURCE,
            rule=[{"name": "all", "kms-key-arn": DESTINATION_KEY, "kms-readers": ["*"]}],
        ),
        "'*' is no principal",
    ),
    "bucket keys without a key": (plain(destination=destination(**{"bucket-keys": True})), "needs"),
    "no policy across accounts": (
        plain(destination=destination(**{"bucket-policy": False})),
        "the bucket policy must let the role in",
    ),
    "modifications back to several keys": (
        plain(
            source=source(**{"kms-key-arns": [SOURCE_KEY, SOURCE_KEY + "2"]}),
            rule=[{"name": "all", "kms-key-arn": DESTINATION_KEY, "replica-modifications": True}],
        ),
        "the reverse rule has one replica key",
    ),
    "EventBridge": (
        plain(
            notification=[
                {
                    "name": "a",
                    "arn": f"arn:aws:events:eu-west-1:{SOURCE}:event-bus/default",
                    "events": ["failed"],
                }
            ]
        ),
        "EventBridge gets no replication events",
    ),
    "FIFO": (
        plain(notification=[{"name": "a", "arn": f"{QUEUE}.fifo", "events": ["failed"]}]),
        "S3 sends only to standard ones",
    ),
    "a queue both made and there": (
        plain(notification=[{"name": "a", "arn": QUEUE, "queue": "q", "events": ["failed"]}]),
        "[notification 1] queue: beside arn",
    ),
    "a FIFO queue to make": (
        plain(notification=[{"name": "a", "queue": "q.fifo", "events": ["failed"]}]),
        "[notification 1] queue: is FIFO",
    ),
    "a queue's name that SQS refuses": (
        plain(notification=[{"name": "a", "queue": "q" * 81, "events": ["failed"]}]),
        "is no name of a queue",
    ),
    "a queue to make, by its ARN": (
        plain(notification=[{"name": "a", "queue": QUEUE, "events": ["failed"]}]),
        "of one that is there: arn",
    ),
    "nothing that gets events": (
        plain(notification=[{"name": "a", "events": ["failed"]}]),
        "[notification 1] arn: is missing",
    ),
    "no events": (plain(notification=[{"name": "a", "arn": QUEUE}]), "events: is missing"),
    "failures without metrics": (
        plain(
            rule=[{"name": "all", "metrics": False}],
            notification=[{"name": "a", "arn": QUEUE, "events": ["failed"]}],
        ),
        "no rule has metrics",
    ),
    "late events without time control": (
        plain(notification=[{"name": "a", "arn": QUEUE, "events": ["missed-threshold"]}]),
        "no rule has time control",
    ),
    "an event twice": (
        plain(
            notification=[
                {"name": name, "arn": QUEUE + name, "events": ["failed"]} for name in ("a", "b")
            ]
        ),
        "S3 refuses configurations that overlap",
    ),
    "batch role without a bucket": (plain(**{"batch-role": {"name": "x"}}), "without [batch]"),
    "checksums on one side": (plain(batch={"bucket": "reports", "checksums": True}), "both sides"),
    "a bucket for no jobs": (
        plain(batch={"bucket": "reports", "destination-bucket": "other"}),
        "no other job works on the destination",
    ),
    "role ARN": (plain(role={"arn": "replicator"}), "is no role ARN"),
    "role ARN and name": (
        plain(role={"arn": f"arn:aws:iam::{SOURCE}:role/x", "name": "x"}),
        "an existing role has its own",
    ),
    "role name": (plain(role={"name": "a b"}), "is no role name"),
    "role path": (plain(role={"path": "service-role"}), "is no path for a role"),
    "AWS's own path": (plain(role={"path": "/aws-service-role/"}), "is no path for a role"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_aws_would_refuse_never_passes(case: str) -> None:
    """If this fails, a person learns it from S3, half way through."""
    document, words = REFUSED[case]
    with pytest.raises(UsageError) as raised:
        spec_of(document, place="setup.toml")
    assert words in raised.value.message


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """If this fails, a person mends a spec in as many tries as it has faults."""
    document = plain(
        source=source(account="1", region="Ireland"),
        rule=[{"name": "all", "priority": -1, "destination": "else"}, {"name": "x y"}],
    )
    with pytest.raises(UsageError) as raised:
        spec_of(document, place="set\x1b[31mup.toml")
    lines = raised.value.message.splitlines()
    assert lines[0] == "set\\x1b[31mup.toml: 5 faults"
    assert len(lines) == 6
    assert all("(" in line for line in lines[1:])  # each with its hint


@pytest.mark.parametrize("golden", GOLDEN)
def test_typical_specs_pass(golden: str) -> None:
    """If this fails, a sound spec is refused."""
    found = spec(GOLDEN[golden])
    assert list(faults_on(found, ground(found))) == []


def test_arns_of_other_accounts_and_regions_are_found_once_the_ground_is_known() -> None:
    """If this fails, a key or role of the wrong place is found by replication's failures."""
    elsewhere = DESTINATION_KEY.replace("us-west-2", "us-east-1")
    found = spec(
        plain(
            source=source(**{"kms-key-arns": [SOURCE_KEY.replace("eu-west-1", "eu-central-1")]}),
            rule=[{"name": "all", "kms-key-arn": elsewhere}],
            role={"arn": f"arn:aws:iam::{DESTINATION}:role/x"},
            notification=[
                {
                    "name": "a",
                    "arn": QUEUE.replace("eu-west-1", "us-east-1"),
                    "events": ["failed"],
                }
            ],
        )
    )
    places = [fault.place for fault in faults_on(found, ground(found))]
    assert places == [
        "[role] arn",
        "[source] kms-key-arns",
        "[rule 1] kms-key-arn",
        "[notification 1] arn",
    ]


def test_a_fault_is_one_line_whatever_it_speaks_of() -> None:
    """If this fails, a hostile spec moves the cursor of whoever reads its faults."""
    line = Fault(place="[rule] prefix", message="holds \x1b[2J\n", hint="mend it").line
    assert line == "[rule] prefix: holds \\x1b[2J\\n (mend it)"


def test_a_hostile_value_is_escaped_once() -> None:
    """If this fails, a backslash of a spec is shown as two, or four, and cannot be looked for."""
    with pytest.raises(UsageError) as raised:
        spec_of(rule(storage_class="a\\b\x1b"), place="setup.toml")
    assert "'a\\\\b\\x1b' is no choice" in raised.value.message


def test_flags_say_the_simple_case_in_every_field_that_has_one() -> None:
    """If this fails, a flag is taken and forgotten."""
    arn = f"arn:aws:iam::{SOURCE}:role/x"
    said: dict[str, object] = {
        "--source-bucket": "photos-2024",
        "--destination-bucket": "photos-replica",
        "--source-kms-key-arn": [SOURCE_KEY],
        "--kms-key-arn": DESTINATION_KEY,
        "--tag": ["team=a=b"],
        "--priority": 3,
        "--time-control": True,
        "--notify": QUEUE,
        "--role-arn": arn,
        "--batch-bucket": "reports",
        "--prefix": None,
    }
    found = spec_of(document_of_flags(said), place="flags")
    assert found.name == "photos2024"
    (rule,) = found.rules
    assert (rule.name, rule.priority, rule.tags) == ("all", 3, (("team", "a=b"),))
    assert rule.kms_key_arn == DESTINATION_KEY
    assert len(found.notifications[0].events) == 4
    assert found.role.arn == arn
    assert found.batch is not None


def test_a_tag_flag_that_is_no_pair_is_refused() -> None:
    """If this fails, a slip in a tag replicates everything."""
    said = {"--source-bucket": "a-b", "--destination-bucket": "c-d", "--tag": ["team"]}
    with pytest.raises(UsageError, match="tags"):
        spec_of(document_of_flags(said), place="flags")


def test_a_set_up_is_named_by_its_bucket_where_nobody_names_it() -> None:
    """If this fails, flags alone do not make a spec."""
    assert name_of_bucket("2024-Photos.eu") == "photoseu"
    assert name_of_bucket("2024") == "replication"


def test_flags_and_fields_are_told_apart() -> None:
    """If this fails, two fields share a flag, or a repeated table has a field twice."""
    flags = [field.flag for field in FIELDS if field.flag]
    assert len(flags) == len(set(flags))
    names = [(field.table, field.name) for field in FIELDS]
    assert len(names) == len(set(names))
    assert {field.kind for field in FIELDS} == set(FieldKind)


def test_the_example_of_the_reference_is_a_spec() -> None:
    """If this fails, what a newcomer copies from the docs is refused."""
    text = """
        name = "photos"

        [source]
        bucket = "photos"

        [destination]
        bucket = "photos-replica"
        account = "222222222222"

        [[rule]]
        name = "all"
        delete-markers = true
    """
    assert spec_of(tomllib.loads(text), place="setup.toml").rules[0].replicates_delete_markers


def test_tags_in_every_script_pass() -> None:
    """If this fails, a rule for objects that are tagged in Hindi cannot be set up."""
    tags = {"\u0935\u093f\u092d\u093e\u0917 +-=._:/@": "Z\u00fcrich 2", "aws-like": ""}
    found = spec(rule(tags=tags))
    assert dict(found.rules[0].tags) == tags
