"""Jobs under real policies: what the creator may pass on, and the commonest mistake with roles."""

import json
from dataclasses import replace

import pytest

from backfill.sandbox.authorization.decision import Authorization
from backfill.sandbox.authorization.identities import Directory, Identity
from backfill.sandbox.authorization.policies import identity_policy
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.identities import Caller
from tests.unit.sandbox.batch_operations.works import OWN, ROLE, Works

CREATOR = f"arn:aws:iam::{OWN}:user/creator"
JOBS = f"arn:aws:s3:us-east-1:{OWN}:job/*"


def statement(actions: list[str], resource: str | list[str]) -> dict[str, object]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


def identity(arn: str, *statements: dict[str, object]) -> Identity:
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    return Identity(
        account_id=OWN,
        arn=arn,
        user_id=arn,
        access_key_id=arn,
        secret_access_key="s",
        policies=(identity_policy(document),),
    )


CREATING = identity(
    CREATOR,
    statement(["s3:CreateJob"], "*"),
    statement(["s3:PutJobTagging"], JOBS),
    statement(["iam:PassRole"], ROLE),
)

LET_IN = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                **statement(["s3:ReplicateObject"], "arn:aws:s3:::near/*"),
                "Principal": {"AWS": f"arn:aws:iam::{OWN}:role/replication"},
            }
        ],
    }
)
"""Of the destination bucket, which is another account's."""


def role(initiates_on: str) -> Identity:
    """The batch role of the User Guide, with the resource of InitiateReplication as given."""
    return identity(
        ROLE,
        statement(["s3:InitiateReplication"], initiates_on),
        statement(["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], "arn:aws:s3:::batch/*"),
    )


def under(works: Works, *identities: Identity) -> None:
    directory = Directory()
    for one in identities:
        directory.add(one)
    works.model.set_authorize(
        Authorization(
            directory=directory,
            bucket_policy_of=works.model.bucket_policy,
            key_policy_of=lambda _arn: None,
        )
    )


def test_a_creator_passes_on_only_the_role_that_its_policy_names(works: Works) -> None:
    """If this fails, iam:PassRole is not asked about the role that is passed."""
    creator = Caller(account_id=OWN, arn=CREATOR, region="us-east-1")
    request = works.request(tags=(("run", "1"),))
    under(works, CREATING)
    with pytest.raises(S3Error) as caught:
        works.create(replace(request, role_arn=f"{ROLE}-of-others"), by=creator)
    assert caught.value.code == "AccessDenied"
    assert works.create(request, by=creator)


@pytest.mark.parametrize(
    ("initiates_on", "code"),
    [
        ("arn:aws:s3:::source/*", ""),
        ("arn:aws:s3:::source", "InitiateReplicationNotPermitted"),
        ("arn:aws:s3:::other/*", "InitiateReplicationNotPermitted"),
    ],
)
def test_initiate_replication_is_a_permission_on_objects(
    initiates_on: str, code: str, ruled: Works
) -> None:
    """If this fails, the permission on the bucket ARN passes here and fails every task at AWS."""
    job_id = ruled.job_of(("k", ruled.chain("source")[0].version_id))
    ruled.model.world.buckets["near"].policy = LET_IN
    under(ruled, role(initiates_on))
    ruled.jobs.advance(ruled.now)
    under(ruled)
    assert ruled.rows(job_id)[0][5] == code
