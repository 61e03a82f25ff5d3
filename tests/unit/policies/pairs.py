"""Pairs of buckets, and documents about them, for the tests of needs and missing statements."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from backfill.model.places import BucketPlace
from backfill.policies.asking import Pair, requests_for
from backfill.policies.context import Every
from backfill.policies.document import parsed
from backfill.policies.evaluation import Decision, decision
from backfill.policies.missing import Missing
from backfill.policies.need import Feature, Party
from backfill.policies.needs import needs_of
from backfill.policies.request import Documents, Held, Place, Request

A, B = "111111111111", "222222222222"
ROLE = f"arn:aws:iam::{A}:role/service-role/replicator"
BATCH = f"arn:aws:iam::{A}:role/jobs"
SOURCE_KEY = f"arn:aws:kms:eu-west-1:{A}:key/s"
DESTINATION_KEY = f"arn:aws:kms:us-east-1:{B}:key/d"


def place(bucket: str, region: str, account: str) -> BucketPlace:
    return BucketPlace(
        bucket=bucket, region=region, expected_owner=account, owner_origin="of the test"
    )


ACROSS = Pair(
    source=place("src", "eu-west-1", A),
    destination=place("dst", "us-east-1", B),
    replication_role_arn=ROLE,
    batch_role_arn=BATCH,
    batch_bucket=place("jobs", "eu-west-1", A),
    source_key_arns=(SOURCE_KEY,),
    destination_key_arns=(DESTINATION_KEY,),
    batch_key_arns=(f"arn:aws:kms:eu-west-1:{A}:key/b",),
)
WITHIN = replace(
    ACROSS,
    destination=place("dst", "us-east-1", A),
    destination_key_arns=(f"arn:aws:kms:us-east-1:{A}:key/d",),
)
REPLICATING: frozenset[Feature] = frozenset(
    {
        *(Feature.TAGS, Feature.DELETE_MARKERS, Feature.OWNER_OVERRIDE, Feature.SSE_KMS),
        *(Feature.OBJECT_LOCK, Feature.ANNOTATIONS, Feature.REPLICATE_JOBS),
        *(Feature.GENERATED_MANIFEST, Feature.KMS_MANIFEST, Feature.DESTINATION_BUCKET_KEY),
    }
)
BY_S3 = (
    *(Party.REPLICATION_SERVICE, Party.BATCH_SERVICE),
    *(Party.REPLICATION_ROLE, Party.BATCH_ROLE),
)


def asked(pair: Pair, features: Collection[Feature] = REPLICATING) -> list[Request]:
    """Return everything that S3 itself asks for."""
    return [
        request
        for party in BY_S3
        for need in needs_of(party, features)
        for request in requests_for(need, pair, features)
    ]


class Accounts:
    """The documents of both accounts, by what they are attached to."""

    def __init__(self) -> None:
        self.statements: dict[tuple[bool, str], list[Mapping[str, object]]] = {}

    def add(self, missing: Iterable[Missing]) -> None:
        for each in missing:
            key = (each.place is Place.RESOURCE, each.attached_to)
            self.statements.setdefault(key, []).extend(each.statements)

    def _held(self, *, is_resource: bool, attached_to: str) -> Held | None:
        statements = self.statements.get((is_resource, attached_to))
        if not statements:
            return None
        text = json.dumps({"Version": "2012-10-17", "Statement": statements})
        return Held(name=f"policy of {attached_to}", account_id=A, document=parsed(text))

    def documents(self, request: Request) -> Documents:
        own = self._held(is_resource=False, attached_to=request.principal.arn)
        said = request.resource
        resource = said.prefix if isinstance(said, Every) else said
        attached = resource.partition("/")[0] if ":s3:::" in resource else resource
        return Documents(
            identity=() if own is None else (own,),
            resource=self._held(is_resource=True, attached_to=attached),
        )

    def decided(self, requests: Iterable[Request]) -> list[Decision]:
        return [decision(request, self.documents(request)) for request in requests]
