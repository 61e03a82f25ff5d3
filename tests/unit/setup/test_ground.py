"""Where the buckets of a spec are: said, or asked of who can tell."""

from dataclasses import dataclass, field

import pytest

from backfill.errors import CredentialsError, Disposition, RefusedError, StoreFault, UsageError
from backfill.ports import ControlPlane
from backfill.setup.ground import Askable, Asked, ground_of_accounts, partition_of
from backfill.setup.parsing import spec_of
from backfill.setup.spec import Spec
from tests.doubles.accounts import Accounts
from tests.doubles.model_control_plane import ModelControlPlane
from tests.unit.setup.acting import DESTINATION, SOURCE

REGIONS = {"photos": "us-east-1", "archive": "eu-west-1"}


@dataclass
class Regions(ModelControlPlane):
    """A control plane that is asked for Regions, and for nothing else."""

    asked: list[str] = field(default_factory=list)

    async def bucket_region(self, bucket: str) -> str:
        self.asked.append(bucket)
        if bucket not in REGIONS:
            raise StoreFault(
                operation="HeadBucket", code="404", status=404, disposition=Disposition.SKIP
            )
        return REGIONS[bucket]


def asked(account: str) -> Asked:
    control: ControlPlane = Regions.__new__(Regions)
    assert isinstance(control, Regions)
    control.asked = []
    return Asked(reader=Accounts().account(account), control=control)


def spec(**destination: str | bool) -> Spec:
    return spec_of(
        {
            "name": "photos",
            "source": {"bucket": "photos"},
            "destination": [{"bucket": "archive", **destination}],
            "rule": [{"name": "all"}],
        },
        place="setup.toml",
    )


async def test_what_the_spec_leaves_out_is_asked_of_both_accounts() -> None:
    """If this fails, every spec must spell out what AWS knows."""
    ground = await ground_of_accounts(
        spec(), Askable(source=asked(SOURCE), destination=asked(DESTINATION))
    )
    assert (ground.source.expected_owner, ground.source.region) == (SOURCE, "us-east-1")
    (there,) = ground.destinations
    assert (there.expected_owner, there.region) == (DESTINATION, "eu-west-1")
    assert ground.partition == "aws"


async def test_a_side_that_is_left_to_its_owner_must_have_one_that_is_said() -> None:
    """If this fails, a role is let into a bucket of whoever has that name."""
    only = Askable(source=asked(SOURCE), destination=None)
    with pytest.raises(UsageError, match="who owns archive"):
        await ground_of_accounts(spec(), only)
    ground = await ground_of_accounts(spec(account=DESTINATION), only)
    assert ground.destinations[0].region == "eu-west-1", "a Region is told to everybody"


async def test_an_identity_of_another_account_is_refused() -> None:
    """If this fails, the first write is denied, with a hint for a permission that cannot help."""
    both = Askable(source=asked(SOURCE), destination=asked(SOURCE))
    with pytest.raises(CredentialsError, match=DESTINATION):
        await ground_of_accounts(spec(account=DESTINATION), both)


async def test_a_bucket_that_is_not_there_is_refused_with_the_command_that_makes_it() -> None:
    """If this fails, a slip in a name ends in a traceback or a denial."""
    wrong = spec_of(
        {
            "name": "photos",
            "source": {"bucket": "nowhere"},
            "destination": [{"bucket": "archive"}],
            "rule": [{"name": "all"}],
        },
        place="setup.toml",
    )
    with pytest.raises(RefusedError, match="nowhere") as caught:
        await ground_of_accounts(
            wrong, Askable(source=asked(SOURCE), destination=asked(DESTINATION))
        )
    assert "create-bucket" in caught.value.hint


async def test_arns_that_do_not_fit_the_accounts_are_told_together() -> None:
    """If this fails, a replica key in the wrong Region fails each version instead."""
    key = f"arn:aws:kms:us-west-2:{DESTINATION}:key/k"
    wrong = spec_of(
        {
            "name": "photos",
            "source": {"bucket": "photos", "kms-key-arns": [key]},
            "destination": [{"bucket": "archive"}],
            "rule": [{"name": "all", "kms-key-arn": key}],
        },
        place="setup.toml",
    )
    with pytest.raises(UsageError) as caught:
        await ground_of_accounts(
            wrong, Askable(source=asked(SOURCE), destination=asked(DESTINATION))
        )
    assert len(caught.value.message.splitlines()) == 3, "a line, and one for each fault"


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_a_region_tells_its_partition(region: str, partition: str) -> None:
    """If this fails, every ARN of a set-up in China or GovCloud names nothing."""
    assert partition_of(region) == partition


async def test_a_policy_left_out_across_accounts_is_told_once_the_accounts_are_known() -> None:
    """If this fails, `bucket-policy = false` is taken without a word, and one is put."""
    found = spec(**{"bucket-policy": False})
    across = Askable(source=asked(SOURCE), destination=asked(DESTINATION))
    with pytest.raises(UsageError, match="the bucket policy must let the role in"):
        await ground_of_accounts(found, across)
    within = Askable(source=asked(SOURCE), destination=asked(SOURCE))
    assert (await ground_of_accounts(found, within)).destinations[0].bucket == "archive"
