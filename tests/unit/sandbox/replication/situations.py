"""Objects of every kind that ask replication for a permission of their own, one a situation."""

from backfill.sandbox.model.values import Encryption, ServerSideEncryption
from tests.unit.sandbox.replication.two_accounts import (
    BY_KMS,
    FROM,
    HELD,
    OVERRIDE,
    REPLICA_KEY,
    TO,
    WITH_BUCKET_KEY,
    TwoAccounts,
)


def plain(place: TwoAccounts) -> None:
    place.configure()
    place.put(tags=(("team", "red"),))


def encrypted(place: TwoAccounts) -> None:
    place.configure()
    place.put(encryption=BY_KMS)


def with_bucket_keys(place: TwoAccounts) -> None:
    place.configure()
    place.bucket(TO).encryption = Encryption(
        algorithm=ServerSideEncryption.SSE_KMS,
        kms_key_arn=REPLICA_KEY,
        is_bucket_key_enabled=True,
    )
    place.put(encryption=WITH_BUCKET_KEY)


def locked(place: TwoAccounts) -> None:
    for name in (FROM, TO):
        place.bucket(name).is_object_lock_enabled = True
    place.configure()
    place.put(lock=HELD)


def handed_over(place: TwoAccounts) -> None:
    place.bucket(TO).object_ownership = "ObjectWriter"
    place.configure(OVERRIDE)
    place.put()


def marked(place: TwoAccounts) -> None:
    plain(place)
    place.delete()
