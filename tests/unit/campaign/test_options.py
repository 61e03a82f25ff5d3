"""Every option of a campaign in all of its spellings: what scripts and files of users hang on."""

from backfill.campaign_options import OPTIONS
from backfill.campaign_options.how import HOW
from backfill.campaign_options.limits import LIMITS
from backfill.campaign_options.what import WHAT
from backfill.model.options import Option
from backfill.settings import (
    COPY_OBJECT_BYTES_MAX,
    MIB,
    OBJECT_BYTES_MAX,
    PART_BYTES_MAX,
    PART_BYTES_MIN,
    PARTS_MAX,
    Settings,
    memory_needed_bytes,
)

CHECKSUMS = "CRC32|CRC32C|CRC64NVME|SHA1|SHA256"
SPELLINGS = f"""
source.bucket bucket -
source.account account --source-account
source.profile text --source-profile
source.role-arn text --source-role-arn
source.external-id text --source-external-id
destination.bucket bucket --destination
destination.account account --destination-account
destination.profile text --destination-profile
destination.role-arn text --destination-role-arn
destination.external-id text --destination-external-id
destination.storage-class text --storage-class
destination.kms-key-arn text --kms-key-arn
destination.delete-markers switch --delete-markers
destination.checksum-algorithm choice --destination-checksum-algorithm {CHECKSUMS}
scope.prefix text --prefix
scope.tags tags --tag
scope.created-before timestamp --created-before
scope.versions choice --versions current|all
writers.other-writers choice --other-writers by-rules|quiet
restore.archived switch --restore
restore.max-bytes integer --restore-max-bytes
restore.tier choice --restore-tier Bulk|Standard|Expedited
restore.days integer --restore-days 1..365
execute.engine choice --engine auto|batch-replication|copy
batch.role-arn text --batch-role-arn
batch.bucket bucket --batch-bucket
batch.prefix text --batch-prefix
batch.manifest choice --batch-manifest auto|own|generated
batch.manifest-format choice --batch-manifest-format csv|inventory
batch.confirm switch --confirm
batch.priority integer --job-priority 0..
batch.destination-role-arn text --destination-batch-role-arn
batch.destination-bucket bucket --destination-batch-bucket
verify.evidence choice --evidence stored|checksum-jobs
verify.checksum-algorithm choice --checksum-algorithm {CHECKSUMS}
verify.deep switch --deep
verify.allow-unverified switch --allow-unverified
repair.allow-hiding switch --allow-hiding
access.role-session-name text --role-session-name
access.region text --region
access.endpoint-url text --endpoint-url
access.client choice --client lean|sdk
access.customer-key-file text --customer-key-file
limits.concurrency integer --concurrency 1..10000
limits.processes integer --processes 1..10000
limits.max-requests-per-second integer --max-requests-per-second 0..
limits.max-bandwidth integer --max-bandwidth 0..
limits.listing-concurrency integer --listing-concurrency 1..10000
limits.parts-in-flight integer - 1..10000
limits.copy-object-bytes-max integer -
limits.part-bytes integer - 5242880..
limits.attempts-max integer -
limits.active-jobs-max integer --active-jobs-max
limits.job-attempts-max integer -
limits.job-manifest-rows-max integer -
limits.job-poll-s seconds -
limits.replication-deadline-s seconds --replication-deadline-s
limits.restore-poll-s seconds --restore-poll-s
limits.settle-delay-s seconds -
limits.drain-timeout-s seconds -
limits.progress-interval-s seconds --progress-interval-s
limits.max-memory integer --max-memory 0..
"""
"""Table and name in campaign.toml, kind, flag, choices, and limits other than from 1 on."""


def spelled(option: Option) -> str:
    words = [f"{option.table}.{option.name}", option.kind.value, option.flag or "-"]
    if option.choices:
        words.append("|".join(option.choices))
    has_maximum = option.maximum != 2**53 - 1
    if has_maximum or option.minimum != 1:
        words.append(f"{option.minimum}..{option.maximum if has_maximum else ''}")
    return " ".join(words)


def test_options_are_spelled_as_they_were_published() -> None:
    """If this fails, a flag, a variable or a campaign.toml of users means something else."""
    assert [spelled(option) for option in OPTIONS] == SPELLINGS.split("\n")[1:-1]
    assert (*WHAT, *HOW, *LIMITS) == OPTIONS
    assert all(option.help for option in OPTIONS)


def test_memory_grows_with_pages_copies_and_processes() -> None:
    """If this fails, a container is declared too small and killed, or far too large."""
    alone = Settings(listing_concurrency=0, concurrency=0)
    base_bytes = memory_needed_bytes(alone)
    assert base_bytes == 112 * MIB
    paged = memory_needed_bytes(Settings(listing_concurrency=4, concurrency=0))
    assert paged - base_bytes == 9 * MIB
    copying = memory_needed_bytes(Settings(listing_concurrency=0, concurrency=8))
    assert copying - base_bytes == 2 * MIB
    shared = memory_needed_bytes(Settings(listing_concurrency=0, concurrency=0, processes=3))
    assert shared - base_bytes == 192 * MIB


def test_sizes_are_those_of_s3() -> None:
    """If this fails, S3 refuses parts or objects that it takes, or takes too few of them."""
    assert (PART_BYTES_MIN, PART_BYTES_MAX, PARTS_MAX) == (5_242_880, 5_368_709_120, 10_000)
    assert OBJECT_BYTES_MAX == 53_687_091_200_000
    assert COPY_OBJECT_BYTES_MAX == 5_000_000_000
