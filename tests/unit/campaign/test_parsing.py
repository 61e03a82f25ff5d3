"""A campaign says exactly what was asked, in whichever spelling, or is refused with its place."""

import json
from datetime import UTC, date, datetime
from hashlib import sha256

import pytest

from backfill.campaign import (
    Access,
    BatchOptions,
    Campaign,
    Client,
    Engine,
    EvidenceSource,
    ManifestWay,
    OtherWriters,
    RestoreOptions,
    Versions,
    campaign_digest,
    campaign_identity,
)
from backfill.campaign.parsing import (
    access_of,
    campaign_of,
    values_of_document,
    values_of_environment,
)
from backfill.campaign_options import OPTIONS
from backfill.errors import CampaignError
from backfill.model.options import Kind
from backfill.settings import Settings

SOURCE = {("source", "bucket"): "from-bucket"}
ROLE = "arn:aws:iam::111111111111:role/reader"


def test_a_bare_source_bucket_is_a_whole_campaign_with_the_documented_defaults() -> None:
    assert campaign_of(SOURCE) == Campaign(source_bucket="from-bucket")


def test_every_option_reaches_the_campaign_from_toml() -> None:
    document: dict[str, dict[str, object]] = {
        "source": {
            "bucket": "from-bucket",
            "account": "111111111111",
            "profile": "a",
            "role-arn": "arn:aws:iam::111111111111:role/ops/reader",
            "external-id": "from:outside",
        },
        "destination": {
            "bucket": "to-bucket",
            "account": "222222222222",
            "profile": "b",
            "role-arn": "arn:aws:iam::222222222222:role/writer",
            "external-id": "x/1",
            "storage-class": "STANDARD_IA",
            "kms-key-arn": "arn:aws:kms:eu-west-1:222222222222:key/k",
            "delete-markers": True,
            "checksum-algorithm": "SHA1",
        },
        "scope": {
            "prefix": "logs/",
            "tags": {"team": "a", "env": "b=c"},
            "created-before": datetime(2026, 11, 1, tzinfo=UTC),
            "versions": "all",
        },
        "restore": {"archived": True, "max-bytes": 5, "tier": "Standard", "days": 7},
        "writers": {"other-writers": "quiet"},
        "verify": {
            "deep": True,
            "allow-unverified": True,
            "evidence": "checksum-jobs",
            "checksum-algorithm": "CRC64NVME",
        },
        "execute": {"engine": "copy"},
        "batch": {
            "role-arn": "arn:aws:iam::111111111111:role/service-role/batch",
            "bucket": "jobs-bucket",
            "prefix": "a/b",
            "manifest": "generated",
            "manifest-format": "inventory",
            "confirm": True,
            "priority": 0,
            "destination-role-arn": "arn:aws:iam::222222222222:role/checksums",
            "destination-bucket": "their-jobs-bucket",
        },
        "repair": {"allow-hiding": True},
        "access": {
            "role-session-name": "jane@example.org",
            "region": "eu-west-1",
            "endpoint-url": "http://127.0.0.1:1",
            "client": "sdk",
            "customer-key-file": "/run/secrets/keys",
        },
        "limits": {
            "concurrency": 7,
            "processes": 3,
            "max-requests-per-second": 100,
            "max-bandwidth": 2000,
            "listing-concurrency": 13,
            "parts-in-flight": 17,
            "copy-object-bytes-max": 9,
            "part-bytes": 5 * 1024 * 1024,
            "attempts-max": 3,
            "settle-delay-s": 0.5,
            "drain-timeout-s": 1,
            "progress-interval-s": 2.5,
            "max-memory": 500_000_000,
            "active-jobs-max": 2,
            "job-attempts-max": 5,
            "job-manifest-rows-max": 11,
            "job-poll-s": 0.25,
            "replication-deadline-s": 12,
            "restore-poll-s": 13,
        },
    }
    named = {(table, name) for table, body in document.items() for name in body}
    assert named == {(option.table, option.name) for option in OPTIONS}

    campaign = campaign_of(values_of_document(document, place="campaign.toml"))

    assert campaign.destination is not None
    assert campaign.destination.storage_class == "STANDARD_IA"
    assert campaign.destination.kms_key_arn.endswith("key/k")
    assert campaign.destination.replicates_delete_markers
    assert campaign.scope.tags == (("env", "b=c"), ("team", "a"))
    assert campaign.scope.created_before == datetime(2026, 11, 1, tzinfo=UTC)
    assert (campaign.source_owner, campaign.destination_owner) == ("111111111111", "222222222222")
    assert campaign.other_writers is OtherWriters.QUIET
    assert campaign.is_deep
    assert campaign.allows_unverified
    assert campaign.allows_hiding
    assert campaign.access == Access(
        source_profile="a",
        destination_profile="b",
        source_role_arn="arn:aws:iam::111111111111:role/ops/reader",
        destination_role_arn="arn:aws:iam::222222222222:role/writer",
        source_external_id="from:outside",
        destination_external_id="x/1",
        role_session_name="jane@example.org",
        region="eu-west-1",
        endpoint_url="http://127.0.0.1:1",
        client=Client.SDK,
        customer_key_file="/run/secrets/keys",
    )
    assert campaign.scope.versions is Versions.ALL
    assert campaign.restore == RestoreOptions(bytes_max=5, tier="Standard", days=7)
    assert campaign.copy_checksum_algorithm == "SHA1"
    assert campaign.settings == Settings(
        concurrency=7,
        processes=3,
        requests_per_second_max=100,
        bandwidth_max=2000,
        listing_concurrency=13,
        parts_in_flight_max=17,
        copy_object_bytes_max=9,
        part_bytes=5 * 1024 * 1024,
        attempts_max=3,
        settle_delay_s=0.5,
        drain_timeout_s=1,
        progress_interval_s=2.5,
        memory_bytes_max=500_000_000,
        active_jobs_max=2,
        job_attempts_max=5,
        job_manifest_rows_max=11,
        job_poll_s=0.25,
        replication_deadline_s=12,
        restore_poll_s=13,
    )
    assert campaign.engine is Engine.COPY
    assert campaign.evidence is EvidenceSource.CHECKSUM_JOBS
    assert campaign.checksum_algorithm == "CRC64NVME"
    assert campaign.batch == BatchOptions(
        role_arn="arn:aws:iam::111111111111:role/service-role/batch",
        bucket="jobs-bucket",
        prefix="a/b",
        manifest=ManifestWay.GENERATED,
        is_inventory_format=True,
        needs_confirmation=True,
        priority=0,
        destination_role_arn="arn:aws:iam::222222222222:role/checksums",
        destination_bucket="their-jobs-bucket",
    )


def test_environment_variables_are_named_after_the_flags_and_empty_ones_do_not_count() -> None:
    values = values_of_environment(
        {"BACKFILL_DESTINATION": "to-bucket", "BACKFILL_PREFIX": "", "BACKFILL_CONCURRENCY": "9"}
    )
    assert values == {("destination", "bucket"): "to-bucket", ("limits", "concurrency"): "9"}
    assert campaign_of({**SOURCE, **values}).settings.concurrency == 9


def test_no_two_options_share_an_environment_variable_or_a_flag() -> None:
    variables = [option.environment for option in OPTIONS]
    flags = [option.flag for option in OPTIONS if option.flag]
    assert len(set(variables)) == len(variables)
    assert len(set(flags)) == len(flags)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "no source bucket"),
        ({("source", "bucket"): "s3://from-bucket"}, "no bucket name"),
        ({("source", "bucket"): "from-bucket/prefix"}, "no bucket name"),
        ({("source", "bucket"): "from-bucket\n"}, "no bucket name"),
        ({("source", "bucket"): "a" * 256}, "no bucket name"),
        ({**SOURCE, ("destination", "bucket"): "Upper_case"}, "no bucket name"),
        ({("source", "bucket"): "ab"}, "no bucket name"),
        ({("source", "bucket"): 7}, "is text"),
        ({**SOURCE, ("source", "account"): "1234"}, "no account ID"),
        ({**SOURCE, ("destination", "bucket"): "from-bucket"}, "same bucket"),
        ({**SOURCE, ("destination", "storage-class"): "GLACIER_IR"}, "without a destination"),
        ({**SOURCE, ("batch", "role-arn"): "role/batch"}, "no role ARN"),
        ({**SOURCE, ("source", "role-arn"): "reader"}, "no role ARN"),
        ({**SOURCE, ("destination", "role-arn"): "arn:aws:iam::1:user/u"}, "no role ARN"),
        ({**SOURCE, ("source", "external-id"): "x1"}, "without a role"),
        ({**SOURCE, ("source", "role-arn"): ROLE, ("source", "external-id"): "a b"}, "external ID"),
        ({**SOURCE, ("access", "role-session-name"): "a b"}, "no session name"),
        ({**SOURCE, ("batch", "prefix"): "ends/"}, "slash"),
        ({**SOURCE, ("batch", "prefix"): "p" * 401}, "too long"),
        ({**SOURCE, ("batch", "prefix"): "a\nb"}, "control characters"),
        ({**SOURCE, ("batch", "prefix"): " a"}, "outer spaces"),
        ({**SOURCE, ("execute", "engine"): "batch-replication"}, "without a role and a bucket"),
        (
            {
                **SOURCE,
                ("execute", "engine"): "batch-replication",
                ("destination", "bucket"): "to-bucket",
            },
            "a destination of the campaign's own",
        ),
        ({**SOURCE, ("verify", "evidence"): "checksum-jobs"}, "in both accounts"),
        ({**SOURCE, ("scope", "created-before"): "yesterday"}, "no time"),
        ({**SOURCE, ("scope", "created-before"): "2026-11-01T00:00:00"}, "no time zone"),
        ({**SOURCE, ("scope", "created-before"): 3}, "is a time"),
        ({**SOURCE, ("scope", "prefix"): "é" * 513}, "longer than a key"),
        ({**SOURCE, ("scope", "tags"): ["novalue"]}, "no tag"),
        ({**SOURCE, ("scope", "tags"): ["a=1", "a=2"]}, "twice"),
        ({**SOURCE, ("scope", "tags"): [f"k{n}=v" for n in range(11)]}, "at most 10"),
        ({**SOURCE, ("scope", "tags"): {"a": 1}}, "are text"),
        ({**SOURCE, ("writers", "other-writers"): "loud"}, "no choice"),
        ({**SOURCE, ("limits", "concurrency"): 0}, "out of range"),
        ({**SOURCE, ("limits", "concurrency"): 10_001}, "out of range"),
        ({**SOURCE, ("limits", "processes"): 10**6}, "out of range"),
        ({**SOURCE, ("limits", "concurrency"): True}, "is a number"),
        ({**SOURCE, ("limits", "concurrency"): "many"}, "is a number"),
        ({**SOURCE, ("limits", "max-requests-per-second"): -1}, "out of range"),
        ({**SOURCE, ("limits", "max-bandwidth"): -1}, "out of range"),
        ({**SOURCE, ("limits", "settle-delay-s"): -1}, "out of range"),
        ({**SOURCE, ("limits", "settle-delay-s"): float("nan")}, "out of range"),
        ({**SOURCE, ("limits", "part-bytes"): 1024}, "out of range"),
        ({**SOURCE, ("verify", "deep"): "maybe"}, "true or false"),
    ],
)
def test_a_wrong_value_is_refused_with_one_line(
    values: dict[tuple[str, str], object], words: str
) -> None:
    with pytest.raises(CampaignError, match=words) as refusal:
        campaign_of(values)
    assert "\n" not in refusal.value.message
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize("name", ["My_Old.Bucket", "-odd-", "a" * 255, "UPPER", "from-bucket"])
def test_a_source_bucket_older_than_todays_naming_rules_is_accepted(name: str) -> None:
    """If this fails, the oldest buckets in us-east-1, whose history is longest, cannot be run."""
    assert campaign_of({("source", "bucket"): name}).source_bucket == name


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"sauce": {}}, r"\[sauce\] is not known"),
        ({"source": "x"}, "source is a table"),
        ({"scope": {"prefixes": ["a"]}}, r"\[scope\] prefixes is not known"),
    ],
)
def test_unknown_tables_and_keys_are_refused_with_what_is_known(
    document: dict[str, object], words: str
) -> None:
    with pytest.raises(CampaignError, match=words) as refusal:
        values_of_document(document, place="campaign.toml")
    assert refusal.value.hint


@pytest.mark.parametrize(
    "said", ["2026-11-01", date(2026, 11, 1), "2026-11-01T02:00:00+02:00", "2026-11-01T00:00:00Z"]
)
def test_a_date_without_a_time_means_midnight_utc_and_other_zones_are_converted(
    said: object,
) -> None:
    """If this fails, TOML, flags and a resumed run mean different horizons by one word."""
    campaign = campaign_of({**SOURCE, ("scope", "created-before"): said})
    assert campaign.scope.created_before == datetime(2026, 11, 1, tzinfo=UTC)


def test_the_identity_ignores_limits_and_notices_everything_that_decides_versions() -> None:
    base = campaign_of(SOURCE)
    assert campaign_digest(campaign_of({**SOURCE, ("limits", "concurrency"): 3})) == (
        campaign_digest(base)
    )
    roles: dict[tuple[str, str], object] = {
        ("source", "role-arn"): ROLE,
        ("source", "external-id"): "x1",
        ("access", "role-session-name"): "jane",
    }
    assert campaign_digest(campaign_of({**SOURCE, **roles})) == campaign_digest(base)
    changes: dict[tuple[str, str], object] = {
        ("destination", "bucket"): "to-bucket",
        ("scope", "prefix"): "a",
        ("scope", "tags"): ["a=b"],
        ("scope", "created-before"): "2026-11-01T00:00:00Z",
        ("source", "account"): "111111111111",
        ("destination", "account"): "111111111111",
        ("writers", "other-writers"): "quiet",
        ("access", "endpoint-url"): "http://127.0.0.1:1",
    }
    for place, value in changes.items():
        assert campaign_digest(campaign_of({**SOURCE, place: value})) != campaign_digest(base), (
            place
        )
    assert all(isinstance(value, str) for value in campaign_identity(base).values())


def test_each_kind_of_option_is_exercised_by_the_table() -> None:
    assert {option.kind for option in OPTIONS} == set(Kind)


def test_the_choices_of_other_writers_are_those_that_a_campaign_knows() -> None:
    option = next(option for option in OPTIONS if option.name == "other-writers")
    assert option.choices == tuple(OtherWriters)


@pytest.mark.parametrize("name", ["max-bytes", "tier", "days"])
def test_what_a_restore_is_like_is_refused_without_one(name: str) -> None:
    """If this fails, somebody believes that archived versions are on their way."""
    value: object = "Bulk" if name == "tier" else 3
    with pytest.raises(CampaignError, match="without a restore"):
        campaign_of({**SOURCE, ("restore", name): value})


def test_a_restore_has_a_budget() -> None:
    """If this fails, one flag can restore, and bill, a bucket of petabytes."""
    with pytest.raises(CampaignError, match="without a budget"):
        campaign_of({**SOURCE, ("restore", "archived"): True})


def test_both_sides_are_reached_before_the_whole_campaign_is_known() -> None:
    """If this fails, a run directory on S3 is looked for with other credentials than the run's."""
    values = {
        **SOURCE,
        ("source", "role-arn"): ROLE,
        ("destination", "profile"): "there",
        ("access", "region"): "eu-west-1",
        ("scope", "prefix"): 7,  # what is no access is not looked at
    }
    assert access_of(values) == Access(
        source_role_arn=ROLE, destination_profile="there", region="eu-west-1"
    )
    with pytest.raises(CampaignError):
        access_of({("access", "region"): 7})


@pytest.mark.parametrize(
    ("said", "meant"),
    [("true", True), ("1", True), ("YES", True), ("False", False), ("0", False), ("no", False)],
)
def test_a_switch_has_words_for_on_and_off(said: str, meant: bool) -> None:
    """If this fails, a variable that says no switches on, or a whole campaign is refused for it."""
    campaign = campaign_of({**SOURCE, ("repair", "allow-hiding"): said})
    assert campaign.allows_hiding is meant


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (("scope", "prefix"), "a\udcff", "is no UTF-8"),
        (("scope", "tags"), ["a=\udcff"], "is no UTF-8"),
        (("scope", "tags"), ["a\udcff=1"], "is no UTF-8"),
        (("scope", "created-before"), "0001-01-01T00:00:00+02:00", "is no time in UTC"),
        (("repair", "allow-hiding"), "maybe", "is true or false"),
        (("repair", "allow-hiding"), 2, "is true or false"),
    ],
)
def test_what_no_campaign_can_mean_is_refused(
    name: tuple[str, str], value: object, words: str
) -> None:
    """If this fails, bytes of another encoding become another prefix, or end in a traceback."""
    with pytest.raises(CampaignError, match=words):
        campaign_of({**SOURCE, name: value})


def test_jobs_by_name_with_all_that_they_need_are_taken() -> None:
    """If this fails, Batch Replication cannot be asked for by name."""
    campaign = campaign_of(
        {
            **SOURCE,
            ("execute", "engine"): "batch-replication",
            ("batch", "role-arn"): ROLE,
            ("batch", "bucket"): "batch-bucket",
        }
    )
    assert (campaign.engine, campaign.batch.role_arn) == (Engine.BATCH_REPLICATION, ROLE)


def test_two_campaigns_are_the_same_by_these_words() -> None:
    """If this fails, a run directory of an earlier release belongs to nobody any more."""
    bare = {
        "source bucket": "from-bucket",
        "destination bucket": "",
        "storage class": "",
        "KMS key ARN": "",
        "delete markers": "",
        "prefix": "",
        "tags": "[]",
        "created before": "",
        "versions": "",
        "restore": "",
        "copy checksum algorithm": "",
        "source account": "",
        "destination account": "",
        "other writers": "by-rules",
        "engine": "auto",
        "copy object bytes max": "5000000000",
        "endpoint URL": "",
    }
    assert campaign_identity(campaign_of(SOURCE)) == bare
    # Whatever order they are written in: what run directories of the first release hold.
    canonical = json.dumps(dict(sorted(bare.items())))
    assert campaign_digest(campaign_of(SOURCE)) == sha256(canonical.encode()).hexdigest()
    said: dict[tuple[str, str], object] = {
        ("destination", "bucket"): "to-bucket",
        ("destination", "storage-class"): "STANDARD_IA",
        ("destination", "kms-key-arn"): "arn:aws:kms:eu-west-1:222222222222:key/k",
        ("destination", "delete-markers"): True,
        ("scope", "prefix"): "a",
        ("scope", "created-before"): "2026-11-01T00:00:00Z",
        ("scope", "versions"): "all",
        ("restore", "archived"): True,
        ("restore", "max-bytes"): 7,
        ("restore", "tier"): "Standard",
        ("execute", "engine"): "copy",
        ("destination", "checksum-algorithm"): "SHA1",
    }
    assert campaign_identity(campaign_of({**SOURCE, **said})) == {
        **bare,
        "destination bucket": "to-bucket",
        "storage class": "STANDARD_IA",
        "KMS key ARN": "arn:aws:kms:eu-west-1:222222222222:key/k",
        "delete markers": "True",
        "prefix": "a",
        "created before": "2026-11-01T00:00:00+00:00",
        "versions": "all",
        "restore": "Standard",
        "engine": "copy",
        "copy checksum algorithm": "SHA1",
    }


def test_ten_tags_are_the_most() -> None:
    """If this fails, a campaign asks for fewer tags than an object can have."""
    tags = [f"k{n}=v" for n in range(10)]
    assert len(campaign_of({**SOURCE, ("scope", "tags"): tags}).scope.tags) == 10


@pytest.mark.parametrize(
    ("place", "value", "message", "hint"),
    [
        (("limits", "concurrency"), 0, "--concurrency", "at least 1"),
        (("limits", "concurrency"), 10_001, "--concurrency", "at most 10000"),
        (("limits", "attempts-max"), 0, "[limits] attempts-max", "at least 1"),
        (("limits", "drain-timeout-s"), -1, "[limits] drain-timeout-s", "at least 0"),
    ],
)
def test_a_number_out_of_range_is_told_with_its_place_and_limit(
    place: tuple[str, str], value: int, message: str, hint: str
) -> None:
    """If this fails, a person changes another setting, or tries one number after the other."""
    with pytest.raises(CampaignError) as refused:
        campaign_of({**SOURCE, place: value})
    assert message in refused.value.message
    assert refused.value.hint == hint
