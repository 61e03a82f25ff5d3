"""PutBucketReplication refuses what S3 refuses, and keeps the document as it was."""

import pytest

from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.model.operations.buckets import BucketRequest, PutBucketReplicationRequest
from tests.unit.sandbox.model.replicating import (
    FAR,
    KMS,
    MARKERS,
    OTHER,
    SOURCE,
    TO_KEY,
    Theatre,
    configuration,
    destination,
    rule,
)

V1 = f"<Rule><ID>{{0}}</ID><Prefix>{{1}}</Prefix><Status>Enabled</Status>{destination()}</Rule>"
TIME = "<ReplicationTime><Status>{0}</Status><Time><Minutes>{1}</Minutes></Time></ReplicationTime>"
METRICS = (
    "<Metrics><Status>{0}</Status><EventThreshold><Minutes>{1}</Minutes></EventThreshold></Metrics>"
)
TRANSLATION = "<AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation>"
TAG = "<Tag><Key>t</Key><Value>1</Value></Tag>"


def test_a_document_is_given_back_verbatim() -> None:
    theatre = Theatre()
    theatre.configure(rule())
    found = theatre.model.get_bucket_replication(theatre.own, BucketRequest(bucket=SOURCE))
    assert found.document == configuration(rule())


def test_without_a_configuration_there_is_none_to_get_and_deleting_is_fine() -> None:
    theatre = Theatre()
    request = BucketRequest(bucket=SOURCE)
    theatre.model.delete_bucket_replication(theatre.own, request)
    with pytest.raises(S3Error) as refusal:
        theatre.model.get_bucket_replication(theatre.own, request)
    assert (refusal.value.code, refusal.value.status) == (
        "ReplicationConfigurationNotFoundError",
        404,
    )


@pytest.mark.parametrize(
    "rules",
    [
        [rule()],
        [rule(where="<Prefix></Prefix>"), rule(rule_id="b", priority=2, status="Disabled")],
        [V1.format("a", "x/"), V1.format("b", "y/")],
        [rule(to=destination(more=TIME.format("Enabled", 15) + METRICS.format("Enabled", 15)))],
        [rule(to=destination(more="<Metrics><Status>Enabled</Status></Metrics>"))],
        [rule(to=destination(more=f"<Account>{OTHER}</Account>{TRANSLATION}"))],
        [rule(more=KMS, to=destination(more=TO_KEY))],
        [rule(), rule(rule_id="b", priority=2, to=destination(FAR))],
        [rule(where=f"<And><Prefix>a</Prefix>{TAG}</And>")],
    ],
)
def test_what_s3_takes_is_taken(rules: list[str]) -> None:
    theatre = Theatre()
    theatre.configure(*rules)
    assert theatre.model.world.buckets[SOURCE].replication is not None


REFUSED = [
    ("no XML", "<oops", "MalformedXML"),
    ("an entity", "<!DOCTYPE a []><a/>", "MalformedXML"),
    ("another document", "<Other/>", "MalformedXML"),
    ("no rules", configuration(), "MalformedXML"),
    ("the dead element", configuration(rule(more="<ExistingObjectReplication><Status>Enabled"
     "</Status></ExistingObjectReplication>")), "MalformedXML"),
    ("an element that nobody knows yet", configuration(rule(to=destination(
        more="<Metrics><Status>Enabled</Status><Colour>red</Colour></Metrics>"))), "MalformedXML"),
    ("two children in a filter", configuration(rule(where=f"<Prefix>a</Prefix>{TAG}")),
     "MalformedXML"),
    ("prefix and filter", configuration(rule(more="<Prefix>a</Prefix>")), "MalformedXML"),
    ("a made-up status", configuration(rule(status="On")), "MalformedXML"),
    ("the same ID twice", configuration(rule(), rule(priority=2)), "InvalidArgument"),
    ("a long ID", configuration(rule(rule_id="x" * 256)), "InvalidArgument"),
    ("an ID beyond ASCII", configuration(rule(rule_id="é")), "InvalidArgument"),
    ("the same priority twice", configuration(rule(), rule(rule_id="b")), "InvalidRequest"),
    ("a filter without priority", configuration(rule().replace("<Priority>1</Priority>", "")),
     "InvalidRequest"),
    ("a filter without delete markers", configuration(rule(markers="")), "InvalidRequest"),
    ("delete markers by tag", configuration(rule(where=TAG, markers=MARKERS)), "InvalidRequest"),
    ("priority without filter", configuration(V1.format("a", "").replace("<Prefix>",
     "<Priority>1</Priority><Prefix>")), "InvalidRequest"),
    ("overlapping prefixes", configuration(V1.format("a", "x"), V1.format("b", "x/y")),
     "InvalidRequest"),
    ("KMS without a key", configuration(rule(more=KMS)), "InvalidRequest"),
    ("a key without KMS", configuration(rule(to=destination(more=TO_KEY))), "InvalidRequest"),
    ("no ARN", configuration(rule(to="<Destination><Bucket>near</Bucket></Destination>")),
     "InvalidArgument"),
    ("to itself", configuration(rule(to=destination(SOURCE))), "InvalidArgument"),
    ("no such class", configuration(rule(to=destination(more="<StorageClass>FSX_OPENZFS"
     "</StorageClass>"))), "InvalidArgument"),
    ("translation without account", configuration(rule(to=destination(more=TRANSLATION))),
     "InvalidRequest"),
    ("the wrong account", configuration(rule(to=destination(more="<Account>333333333333"
     "</Account>"))), "InvalidArgument"),
    ("an empty account", configuration(rule(to=destination(more="<Account></Account>"))),
     "InvalidArgument"),
    ("time without metrics", configuration(rule(to=destination(more=TIME.format("Enabled", 15)))),
     "InvalidRequest"),
    ("time and metrics apart", configuration(rule(to=destination(more=TIME.format("Enabled", 15)
     + METRICS.format("Disabled", 15)))), "InvalidRequest"),
    ("sixteen minutes", configuration(rule(to=destination(more=TIME.format("Enabled", 16)
     + METRICS.format("Enabled", 16)))), "InvalidArgument"),
    ("no such destination", configuration(rule(to=destination("nowhere"))), "InvalidRequest"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "code"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_s3_refuses_is_refused(document: str, code: str) -> None:
    theatre = Theatre()
    request = PutBucketReplicationRequest(bucket=SOURCE, document=document)
    with pytest.raises(S3Error) as refusal:
        theatre.model.put_bucket_replication(theatre.own, request)
    assert (refusal.value.code, refusal.value.status) == (code, 400)
    assert refusal.value.fact
    assert theatre.model.world.buckets[SOURCE].replication is None


def test_both_sides_must_be_versioned() -> None:
    for bucket in (SOURCE, "near"):
        theatre = Theatre()
        theatre.version(bucket, "Suspended")
        with pytest.raises(S3Error) as refusal:
            theatre.configure(rule())
        assert refusal.value.code == "InvalidRequest"
        assert "ersioning" in refusal.value.message


def test_a_thousand_rules_are_taken_and_one_more_is_not() -> None:
    many = [rule(rule_id=f"r{n}", priority=n) for n in range(1001)]
    theatre = Theatre()
    theatre.configure(*many[:1000])
    with pytest.raises(S3Error) as refusal:
        theatre.configure(*many)
    assert refusal.value.code == "InvalidRequest"
