"""Where each service is asked, and by which identity: by ARN, partition and endpoint."""

import pytest

from backfill.aws.account_calls import iam_region, queue_url_call, region_of
from backfill.aws.session import _OWN_ENDPOINT, Connection, _endpoint

LOCAL = "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    ("region", "home"),
    [
        ("eu-west-1", "us-east-1"),
        ("us-east-1", "us-east-1"),
        ("cn-northwest-1", "cn-north-1"),
        ("us-gov-east-1", "us-gov-west-1"),
    ],
)
def test_iam_is_asked_where_its_partition_has_it(region: str, home: str) -> None:
    """If this fails, IAM in China or GovCloud refuses every signature."""
    assert iam_region(region) == home


def test_the_region_of_an_arn_serves_it_and_what_has_none_is_served_where_the_identity_is() -> None:
    """If this fails, a key of another Region is said not to be there."""
    assert region_of("arn:aws:kms:eu-west-1:222222222222:key/k", "us-east-1") == "eu-west-1"
    assert region_of("alias/aws/s3", "us-east-1") == "us-east-1"
    assert region_of("arn:aws:s3:::bucket", "us-east-1") == "us-east-1"
    call = queue_url_call("arn:aws:sqs:eu-west-1:222222222222:q")
    assert (call.region, call.parameters["QueueOwnerAWSAccountId"]) == ("eu-west-1", "222222222222")


@pytest.mark.parametrize("service", sorted(_OWN_ENDPOINT))
def test_services_beside_a_local_s3_are_asked_there_unless_they_have_an_endpoint_of_their_own(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, setup on a sandbox writes roles into the real account."""
    monkeypatch.delenv(_OWN_ENDPOINT[service], raising=False)
    assert _endpoint(Connection(endpoint_url=LOCAL), service) == LOCAL
    assert _endpoint(Connection(), service) is None
    assert _endpoint(Connection(endpoint_url="https://s3.example.org"), service) is None
    monkeypatch.setenv(_OWN_ENDPOINT[service], "http://127.0.0.1:9001")
    assert _endpoint(Connection(endpoint_url=LOCAL), service) is None, "the SDK obeys it by itself"
