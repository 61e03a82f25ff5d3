"""A look as data and as lines: what stands for a rule, the worst verdict, and every word of it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from backfill.batch_operations.failure_codes import FailureClass
from backfill.model.accounts import Datapoint, MetricQuery, Unread
from backfill.plan.configuration import parse_configuration
from backfill.plan.rules import Rule
from backfill.watch.causes import Cause, causes_of, is_failure, is_repairable
from backfill.watch.ledger_words import Tally
from backfill.watch.lines import picture_lines
from backfill.watch.mends import MissingStatement
from backfill.watch.metrics import Measured, Metric, Trend, measured, queries_of
from backfill.watch.notices import Word
from backfill.watch.picture import (
    SCHEMA,
    ManifestFilePicture,
    Picture,
    QueuePicture,
    RulePicture,
    failed_versions,
    overall,
    rule_picture,
    standing_of,
)
from backfill.watch.verdicts import Standing, Told, Verdict, judged
from tests.unit.watch.test_mends import way

NOW = datetime(2026, 11, 23, 3, 30, tzinfo=UTC)
DENIED, BENIGN, GONE = "DstPutObjectNotPermitted", "SrcReplicationNotPending", "SrcObjectNotFound"


def rule(name: str = "all", bucket: str = "replicas") -> Rule:
    destination = {"Bucket": f"arn:aws:s3:::{bucket}"}
    raw = {"ID": name, "Priority": 1, "Filter": {}, "Status": "Enabled", "Destination": destination}
    raw["DeleteMarkerReplication"] = {"Status": "Disabled"}
    document = {"Role": "arn:aws:iam::111111111111:role/r", "Rules": [raw]}
    return parse_configuration(document).rules[0]


def tally(
    word: Word = Word.FAILED,
    versions: int = 1,
    *,
    reason: str = "",
    bucket: str = "replicas",
    rule_id: str = "all",
) -> Tally:
    return Tally(word, bucket, rule_id, reason, versions)


def values(*numbers: float, age_min: int = 0) -> Measured:
    """Return values a minute, the newest so many minutes ago."""
    last = NOW - timedelta(minutes=age_min)
    found = measured(
        [
            Datapoint(at=last - timedelta(minutes=len(numbers) - 1 - at), value=number)
            for at, number in enumerate(numbers)
        ]
    )
    assert found is not None
    return found


TALLIES = (
    tally(Word.FAILED, 2, reason=DENIED),
    tally(Word.FAILED, 3, reason="Odd"),
    tally(Word.FAILED, 50, reason=BENIGN),
    tally(Word.FAILED, 7, reason=DENIED, rule_id="other"),
    tally(Word.FAILED, 9, reason=DENIED, bucket="elsewhere"),
    tally(Word.LATE, 11),
    tally(Word.LATE, 4),
    tally(Word.NOT_TRACKED, 13),
    tally(Word.ARRIVED_LATE, 17),
)


def test_a_rule_stands_for_what_events_left_open_of_its_own() -> None:
    """If this fails, a rule is called failing for what another rule, or nobody, failed at."""
    assert standing_of(rule(), TALLIES) == Standing(failed=5, late=15, untracked=13)
    assert standing_of(rule(), [], has_named_failures=True) == Standing(has_named_failures=True)
    assert failed_versions(TALLIES) == 2 + 3 + 7 + 9
    assert failed_versions([]) == 0


@pytest.mark.parametrize(
    ("reason", "fails", "repairs"),
    [
        (DENIED, True, True),
        ("", True, True),
        ("SomethingNew", True, True),
        ("SlowDown", True, True),
        ("DstObjectHardDeleted", True, False),
        (BENIGN, False, False),
        (GONE, False, False),
    ],
)
def test_what_s3_had_or_lost_is_no_failure_and_no_job_brings_what_it_refuses(
    reason: str, *, fails: bool, repairs: bool
) -> None:
    """If this fails, a person mends what is well, or pays for rows that can only fail."""
    assert (is_failure(reason), is_repairable(reason)) == (fails, repairs)


def test_numbers_stand_in_the_picture_of_their_rule() -> None:
    """If this fails, a dashboard shows bytes for operations, or nothing for a zero."""
    told: dict[Metric, Told] = {
        Metric.PENDING: values(1, 1, 9, 8),
        Metric.PENDING_BYTES: values(4096),
        Metric.LATENCY: values(33),
        Metric.FAILED: values(0, 2, 1),
    }
    standing = Standing(failed=1, late=2, untracked=3)
    found = rule_picture(rule(), told, standing, destination_region="eu-west-1", now=NOW)
    judgement = judged(told, standing, now=NOW)
    assert found == RulePicture(
        rule_id="all",
        destination_bucket="replicas",
        destination_region="eu-west-1",
        verdict=Verdict.FAILS,
        sentence=judgement.sentence,
        is_open=True,
        pending_operations=8,
        pending_bytes=4096,
        latency_s=33,
        failed_operations=3,
        trend=Trend.RISING,
        failed_versions=1,
        late_versions=2,
        untracked_versions=3,
    )


@pytest.mark.parametrize(
    "told",
    [None, {}, {each: Unread(operation="GetMetricData", code="AccessDenied") for each in Metric}],
)
def test_no_number_is_no_zero(told: Mapping[Metric, Told] | None) -> None:
    """If this fails, metrics that are off look like a rule with nothing pending."""
    found = rule_picture(rule(), told, Standing(), destination_region="", now=NOW)
    numbers = (found.pending_operations, found.pending_bytes, found.latency_s)
    assert (*numbers, found.failed_operations) == (None,) * 4
    assert found.trend is Trend.UNKNOWN


QUIET = QueuePicture(arns=(), left={})


def of(verdict: Verdict, *, is_open: bool = False) -> RulePicture:
    plain = rule_picture(rule(), {}, Standing(), destination_region="eu-west-1", now=NOW)
    return replace(plain, verdict=verdict, is_open=is_open, sentence=f"so it is {verdict}")


@pytest.mark.parametrize(
    ("rules", "failed", "queues", "expected"),
    [
        ([of(Verdict.KEEPS_UP)], 0, QUIET, (Verdict.KEEPS_UP, 0)),
        ([of(Verdict.NO_DATA)], 0, QUIET, (Verdict.NO_DATA, 0)),
        ([of(Verdict.NO_DATA), of(Verdict.KEEPS_UP)], 0, QUIET, (Verdict.KEEPS_UP, 0)),
        ([of(Verdict.KEEPS_UP), of(Verdict.CANNOT_TELL)], 0, QUIET, (Verdict.CANNOT_TELL, 0)),
        ([of(Verdict.CANNOT_TELL), of(Verdict.FALLS_BEHIND)], 0, QUIET, (Verdict.FALLS_BEHIND, 0)),
        ([of(Verdict.FALLS_BEHIND), of(Verdict.FAILS)], 0, QUIET, (Verdict.FAILS, 3)),
        ([of(Verdict.KEEPS_UP)], 1, QUIET, (Verdict.FAILS, 3)),
        ([of(Verdict.KEEPS_UP, is_open=True)], 0, QUIET, (Verdict.KEEPS_UP, 5)),
        ([of(Verdict.KEEPS_UP)], 0, replace(QUIET, faults=("no",)), (Verdict.KEEPS_UP, 5)),
        ([of(Verdict.KEEPS_UP)], 0, replace(QUIET, has_more=True), (Verdict.KEEPS_UP, 5)),
    ],
)
def test_the_worst_rule_decides_and_what_is_open_is_no_success(
    rules: list[RulePicture], failed: int, queues: QueuePicture, expected: tuple[Verdict, int]
) -> None:
    """If this fails, a script goes on while a version failed, or stops where all is well."""
    assert overall(rules, failed=failed, queues=queues) == expected


def test_each_metric_is_asked_for_where_s3_publishes_it() -> None:
    """If this fails, CloudWatch answers with nothing, and nothing looks like health."""
    dimensions = (("SourceBucket", "photos"), ("DestinationBucket", "replicas"), ("RuleId", "all"))

    def query(region: str, name: str, statistic: str) -> MetricQuery:
        return MetricQuery(
            region=region, name=name, dimensions=dimensions, statistic=statistic, period_s=60
        )

    found = queries_of(
        rule(), source_bucket="photos", source_region="us-east-1", destination_region="eu-west-1"
    )
    assert found == {
        Metric.PENDING: query("eu-west-1", "OperationsPendingReplication", "Maximum"),
        Metric.PENDING_BYTES: query("eu-west-1", "BytesPendingReplication", "Maximum"),
        Metric.LATENCY: query("eu-west-1", "ReplicationLatency", "Maximum"),
        Metric.FAILED: query("us-east-1", "OperationsFailedReplication", "Sum"),
    }


@pytest.mark.parametrize(
    ("told", "standing", "sentence"),
    [
        (
            {Metric.PENDING: values(1, 1, 2, 2), Metric.PENDING_BYTES: values(2048.4)},
            Standing(),
            "2 operations pending (2.05 kB), rising",
        ),
        (
            {Metric.PENDING: values(1, age_min=10), Metric.LATENCY: values(60, age_min=11)},
            Standing(),
            "1 operation pending; latency 1 min 00 s as last told 11 min 00 s ago",
        ),
        (
            {Metric.PENDING: values(0, 0, 0, 0), Metric.FAILED: values(1)},
            Standing(has_named_failures=True),
            (
                "0 operations pending; zero pending is not proof of parity; 1 operation failed"
                " within the last 60 minutes, settled since"
            ),
        ),
        (
            {Metric.PENDING: values(0), Metric.FAILED: values(1)},
            Standing(failed=1, has_named_failures=True),
            (
                "1 version failed and did not arrive since; 0 operations pending; zero pending is"
                " not proof of parity"
            ),
        ),
        (
            {Metric.PENDING: values(0), Metric.FAILED: values(0)},
            Standing(has_named_failures=True),
            "0 operations pending; zero pending is not proof of parity",
        ),
        (
            {Metric.PENDING: Unread(operation="GetMetricData", code="Throttled", message="slow")},
            Standing(untracked=1),
            (
                "CloudWatch could not be read: GetMetricData: Throttled: slow; 1 version tracked no"
                " longer by S3, arrived or not: `backfill verify` tells"
            ),
        ),
    ],
)
def test_a_sentence_says_all_that_the_numbers_say(
    told: Mapping[Metric, Told], standing: Standing, sentence: str
) -> None:
    """If this fails, a person reads another number, age or course than CloudWatch gave."""
    assert judged(told, standing, now=NOW).sentence == sentence


def test_causes_are_counted_by_reason_and_destination_the_most_frequent_first() -> None:
    """If this fails, a person mends the lesser fault first, or in the wrong bucket."""
    found = causes_of(
        [
            tally(Word.FAILED, 2, reason=DENIED),
            tally(Word.FAILED, 1, reason=DENIED, rule_id="other"),
            tally(Word.FAILED, 3, reason=DENIED, bucket="elsewhere"),
            tally(Word.FAILED, 9, reason="DstObjectHardDeleted"),
            tally(Word.FAILED, 1, reason="DstBucketUnversioned", bucket=""),
            tally(Word.LATE, 99),
        ],
        source_bucket="photos",
        ways={},
    )
    assert [(each.code, each.destination_bucket, each.versions) for each in found] == [
        ("DstObjectHardDeleted", "replicas", 9),
        (DENIED, "elsewhere", 3),
        (DENIED, "replicas", 3),
        ("DstBucketUnversioned", "", 1),
    ]
    assert [each.is_in_manifest for each in found] == [False, True, True, True]
    assert [each.failure_class for each in found] == [
        FailureClass.OTHER_ROUTE,
        *[FailureClass.AFTER_MEND] * 3,
    ]
    assert "arn:aws:s3:::replicas/*" in found[2].mend
    assert "DESTINATION" not in found[2].mend
    assert all(each.statements == () for each in found)


def test_a_cause_names_the_very_buckets_and_what_must_stand_there() -> None:
    """If this fails, a person reads SOURCE for a bucket, or gets no statement to paste."""
    (told,) = causes_of(
        [tally(Word.FAILED, 1, reason="SrcGetObjectNotPermitted")],
        source_bucket="photos",
        ways={"replicas": way()},
    )
    assert "arn:aws:s3:::photos/*" in told.mend
    assert "SOURCE" not in told.mend
    assert [each.statement["Action"] for each in told.statements] == [
        "s3:GetObjectVersionForReplication"
    ]
    (nowhere,) = causes_of(
        [tally(Word.FAILED, 1, reason="DstBucketUnversioned", bucket="")],
        source_bucket="",
        ways={},
    )
    assert "DESTINATION" in nowhere.mend


def picture() -> Picture:
    """Return a look in which everything is to be told."""
    cause = Cause(
        code="Dst\x1b[2J",
        destination_bucket="replicas",
        versions=1200,
        failure_class=FailureClass.AFTER_MEND,
        sentence="S3 was denied",
        mend="let it",
        statements=(
            MissingStatement(
                document="the bucket policy", account_id="2" * 12, statement={"Effect": "Allow"}
            ),
        ),
        is_in_manifest=True,
    )
    bare = replace(cause, code="Odd", destination_bucket="", versions=1, mend="", statements=())
    return Picture(
        schema=SCHEMA,
        source_bucket="photos",
        source_region="us-east-1",
        source_account="1" * 12,
        at=NOW.replace(microsecond=5),
        verdict=Verdict.FAILS,
        exit_code=3,
        rules=(
            replace(of(Verdict.FAILS), rule_id="a\nb"),
            replace(of(Verdict.NO_DATA), destination_region=""),
            of(Verdict.KEEPS_UP),
            of(Verdict.CANNOT_TELL),
            of(Verdict.FALLS_BEHIND),
        ),
        failed_versions=1201,
        causes=(cause, *(replace(bare, failure_class=each) for each in FailureClass)),
        queues=QueuePicture(
            arns=("arn:aws:sqs:us-east-1:1:q",),
            messages=1500,
            new_words=1000,
            left={"it is no JSON": 2},
            faults=("the queue could not be read",),
            has_more=True,
        ),
        manifest=(
            ManifestFilePicture(file="m/0.csv", rows=1201, size_bytes=7, etag="e" * 32),
            ManifestFilePicture(file="m/1.csv", rows=1, size_bytes=7, etag="f" * 32),
        ),
        remarks=("no queue\x07 receives",),
    )


PARITY = [
    "These numbers follow recent live operations and nothing else: zero pending is not proof of",
    "parity. `backfill verify` compares the buckets.",
]


def test_the_document_of_a_look_has_a_name_for_ever() -> None:
    """If this fails, a script that reads looks takes another document for one."""
    assert SCHEMA == "backfill.watch/1"


def test_a_look_is_told_line_by_line() -> None:
    """If this fails, a person is not told of a failure, its mend, or the manifest."""
    assert list(picture_lines(picture())) == [
        "photos (us-east-1, account 111111111111) at 2026-11-23T03:30:00+00:00",
        "rule a\\nb to replicas (eu-west-1)",
        "  fails: so it is fails",
        "rule all to replicas",
        "  no data: so it is no-data",
        "rule all to replicas (eu-west-1)",
        "  keeps up: so it is keeps-up",
        "rule all to replicas (eu-west-1)",
        "  cannot tell: so it is cannot-tell",
        "rule all to replicas (eu-west-1)",
        "  falls behind: so it is falls-behind",
        "events from arn:aws:sqs:us-east-1:1:q",
        "  1,500 messages read, with 1,000 events that were not known; more wait for the next look",
        "  left in the queue: 2: it is no JSON",
        "  the queue could not be read",
        "no queue\\x07 receives",
        "failed, and not arrived since: 1,201",
        "  1,200 x Dst\\x1b[2J to replicas: can be brought over once this is mended",
        "    S3 was denied",
        "    mend: let it",
        (
            "    all of these must stand there, and no Deny against them; `backfill preflight`"
            " finds which"
        ),
        "    one lacks:",
        "    in the bucket policy (account 222222222222):",
        '    {"Effect": "Allow"}',
        *(
            line
            for words in (
                "nothing is wrong",
                "gone from the source",
                "passing",
                "can be brought over once this is mended",
                "never by Batch Replication, so not in the manifest",
                "not before the object is changed, so not in the manifest",
                "not documented by AWS",
            )
            for line in (f"  1 x Odd: {words}", "    S3 was denied")
        ),
        f"repair manifest: m/0.csv: 1,201 rows, ETag {'e' * 32}",
        f"repair manifest: m/1.csv: 1 rows, ETag {'f' * 32}",
        "  Mend the cause first. Then give the manifest to a Batch Replication job (upload it with",
        (
            "  SSE-S3), or do `backfill run` into a new run directory: it finds whatever is missing"
            " and"
        ),
        "  brings it over.",
        *PARITY,
    ]


def test_a_look_with_nothing_to_tell_says_that_it_proves_nothing() -> None:
    """If this fails, a quiet look reads like a promise, or names queues that there are not."""
    quiet = replace(
        picture(), rules=(), failed_versions=0, causes=(), queues=QUIET, manifest=(), remarks=()
    )
    first, *rest = picture_lines(quiet)
    assert first.startswith("photos (us-east-1")
    assert rest == PARITY
    asked = replace(quiet, queues=replace(QUIET, arns=("q",)))
    assert list(picture_lines(asked))[1:3] == [
        "events from q",
        "  0 messages read, with 0 events that were not known",
    ]


def test_a_long_name_is_not_broken_over_lines() -> None:
    """If this fails, an ARN cannot be copied from the terminal."""
    arn = f"arn:aws:sqs:us-east-1:1:{'queue-' * 20}"
    told = replace(picture(), remarks=(f"only events of some keys go to {arn}",))
    assert arn in list(picture_lines(told))


def test_a_statement_can_be_pasted_from_the_lines() -> None:
    """If this fails, what a person pastes into a policy is broken over two lines."""
    long = {"Effect": "Allow", "Action": ["s3:ReplicateObject"] * 20}
    told = replace(picture().causes[0], statements=(MissingStatement(
        document="the bucket policy", account_id="2" * 12, statement=long
    ),))  # fmt: skip
    lines = list(picture_lines(replace(picture(), causes=(told,))))
    assert json.loads(next(line for line in lines if line.startswith("    {"))) == long
