"""Filled forms are the calls that their parameters make, to the byte and whatever the key."""

import random
from datetime import UTC, datetime
from typing import cast

import pytest

from backfill.aws.forms import FORMS_MAX, FilledForm, Form, Forms, head_form
from backfill.aws.lean.binding import bind
from backfill.aws.lean.calls import Lane
from backfill.aws.lean.signature import Identity, Signer
from backfill.aws.lean.transport import Transport
from backfill.aws.lean.wire import Address, Origin
from backfill.aws.requests import copy_parameters, head_parameters
from backfill.model.attributes import Encryption, EncryptionKind
from backfill.model.objects import ETag, VersionId
from backfill.model.places import BucketPlace
from backfill.model.store import (
    CopyObjectRequest,
    CopySource,
    Extras,
    Grant,
    IfAbsent,
    IfReplaces,
    ObjectLock,
)

NOW = f"{datetime(2026, 11, 22, 10, 0, 7, tzinfo=UTC):%Y%m%dT%H%M%SZ}"
ADDRESSES = (
    Address(Origin("http", "127.0.0.1", 80), "127.0.0.1:80", "/b%20", "/b%20", "us-east-1", "s3"),
    Address(Origin("https", "s3.example", 443), "s3.example", "", "/", "eu-west-1", "s3"),
)
TOKENS = (None, "to%ken/+==")
HOSTILE = (
    "plain/key-1_2.txt", "//", "../..", "a b", "é\n\x00🪣", "%2F%s%%", "+", "~blank-0~", "?x=1#",
    "a?b", "a?b?c?d",
)  # fmt: skip


def place(bucket: str) -> BucketPlace:
    return BucketPlace(
        bucket=bucket, region="us-east-1", expected_owner="111122223333", owner_origin="flag"
    )


SOURCE, DESTINATION = place("source"), place("destination")


def lane(address: Address, token: str | None) -> Lane:
    signer = Signer(address)
    signer.turn(Identity(access_key="AKIA", secret_key="secret", token=token), NOW)
    return Lane(signer, transport=cast("Transport", None))


def copy_of(key: str, version_id: str, etag: str) -> CopyObjectRequest:
    return CopyObjectRequest(
        destination=DESTINATION,
        key=key,
        source=CopySource(SOURCE, key, VersionId(version_id), ETag(etag)),
        precondition=IfAbsent(),
        storage_class="STANDARD_IA",
        encryption=Encryption(kind=EncryptionKind.SSE_KMS, kms_key_arn="arn:aws:kms:x:1:key/a"),
    )


def keys() -> list[str]:
    """Hostile keys, and as many drawn ones."""
    draw = random.Random(7)
    letters = [chr(code) for code in range(1, 127)] + ["é", "🪣", "\u2028"]
    drawn = ["".join(draw.choices(letters, k=draw.randint(1, 60))) for _ in range(300)]
    return [*HOSTILE, *drawn]


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("address", ADDRESSES, ids=("by path", "by host"))
def test_a_filled_form_is_the_signed_head_of_its_parameters(
    address: Address, token: str | None
) -> None:
    """A byte of difference is a signature that S3 refuses, or another object's request."""
    way, forms = lane(address, token), Forms()
    for number, key in enumerate(keys()):
        version_id, etag = f"v.{number}_-x", f"{number:032x}"
        filled = forms.copy(copy_of(key, version_id, etag))
        assert filled is not None
        heads = FilledForm(forms.head(SOURCE), (key, version_id))
        for call, parameters in (
            (filled, copy_parameters(copy_of(key, version_id, etag))),
            (heads, head_parameters(SOURCE, key, VersionId(version_id), None)),
        ):
            assert call.parameters == parameters
            bound = bind(call.operation, parameters)
            assert way.head(call.form, call.texts) == way.signer.head(bound), key


@pytest.mark.parametrize(
    "texts", [("k", "a b"), ("k", "a?b"), ("k", "é"), ("", "v"), ("\ud800", "v")]
)
def test_texts_that_would_be_encoded_are_left_to_those_who_bind(texts: tuple[str, str]) -> None:
    """A version ID with a reserved character is another query, and an empty key is the bucket."""
    assert lane(ADDRESSES[0], None).head(head_form(SOURCE), texts) is None


def test_a_turn_signs_what_is_filled_in_by_the_new_second_and_the_new_credentials() -> None:
    """A template of another second, or of credentials that have expired, is refused by S3."""
    way, form = lane(ADDRESSES[0], TOKENS[1]), head_form(SOURCE)
    bound = bind("HeadObject", head_parameters(SOURCE, "k", VersionId("v"), None))
    heads = {way.head(form, ("k", "v"))}
    renewed = Identity(access_key="ASIA", secret_key="other", token="another")
    for identity, now in (
        (renewed, NOW),
        (renewed, f"{NOW[:-2]}9Z"),
        (renewed, "20261123T000000Z"),
    ):
        way.turn(identity, now)
        filled = way.head(form, ("k", "v"))
        assert filled == way.signer.head(bound)
        heads.add(filled)
    assert len(heads) == 4


def test_a_copy_over_a_version_has_no_form() -> None:
    """Its ETag is a precondition: filled in as another's it would write over what nobody saw."""
    replacing = copy_of("k", "v", "e")._replace(precondition=IfReplaces(etag=ETag("seen")))
    renamed = copy_of("k", "v", "e")._replace(key="another")
    assert Forms().copy(replacing) is None
    assert Forms().copy(renamed) is None


def test_each_place_storage_class_and_encryption_has_a_form_of_its_own() -> None:
    """A form taken for its neighbour's copies into another class, or another bucket."""
    forms, request = Forms(), copy_of("k", "v", "e")
    others = [
        request._replace(destination=place("another")),
        request._replace(source=request.source._replace(place=place("another"))),
        request._replace(storage_class="STANDARD"),
        request._replace(encryption=None),
    ]
    for asked in (request, *others, request):
        filled = forms.copy(asked)
        assert filled is not None
        assert filled.parameters == copy_parameters(asked)


@pytest.mark.parametrize(
    "extras",
    [
        Extras(website_redirect="/a"),
        Extras(lock=ObjectLock(has_legal_hold=True)),
        Extras(grants=(Grant("READ", "id", "somebody"),)),
        Extras(checksum_algorithm="SHA256", website_redirect="/a"),
    ],
)
def test_a_copy_with_what_is_its_own_has_no_form(extras: Extras) -> None:
    """If this fails, a neighbour's copy gets its lock, its readers or its redirect."""
    forms, request = Forms(), copy_of("k", "v", "e")
    assert forms.copy(request._replace(extras=extras)) is None
    filled = forms.copy(request)
    assert filled is not None
    assert filled.parameters == copy_parameters(request)


def test_the_campaigns_algorithm_is_part_of_a_form() -> None:
    """If this fails, a chosen algorithm takes every copy the long way, or is on none of them."""
    forms, request = Forms(), copy_of("k", "v", "e")
    for algorithm in ("SHA256", "", "CRC32", "SHA256"):
        asked = request._replace(extras=Extras(checksum_algorithm=algorithm))
        filled = forms.copy(asked)
        assert filled is not None
        assert filled.parameters == copy_parameters(asked)
        assert filled.parameters.get("ChecksumAlgorithm", "") == algorithm


def test_forms_are_kept_for_places_and_not_for_each_request() -> None:
    """A form made for each request costs more than binding does; kept without end, memory."""
    forms = Forms()
    assert forms.head(SOURCE) is forms.head(SOURCE)
    made: list[Form] = [forms.head(place(f"b{number}")) for number in range(3 * FORMS_MAX)]
    assert len({id(form) for form in made}) == len(made)
    assert forms.head(SOURCE).bucket == "source"
