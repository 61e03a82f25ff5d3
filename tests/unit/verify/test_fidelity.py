"""Fidelity, field by field."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from backfill.model.attributes import ContentHeaders, Encryption, EncryptionKind
from backfill.verify.fidelity import (
    ANY,
    Expected,
    TagPair,
    differing_fields,
    is_metadata_readable,
    needs_tags,
)
from backfill.verify.verdicts import Field
from tests.unit.verify.two_buckets import PLAIN, Stored, kms

SOURCE = Stored(
    version_id="one",
    data=b"data",
    metadata=(("owner", "anna"),),
    headers=ContentHeaders(content_type="text/csv", cache_control="no-store"),
)
KEY = kms("one")
ALIAS = replace(KEY, kms_key_arn="arn:aws:kms:x:1:alias/backup")


def header_cases() -> list[ContentHeaders]:
    return [SOURCE.headers._replace(**{name: "another"}) for name in ContentHeaders._fields]


@pytest.mark.parametrize(
    ("changes", "expected", "differing"),
    [
        ({}, ANY, ()),
        ({"metadata": ()}, ANY, (Field.METADATA,)),
        ({"metadata": (("owner", "berta"),)}, ANY, (Field.METADATA,)),
        *(({"headers": headers}, ANY, (Field.CONTENT_HEADERS,)) for headers in header_cases()),
        ({"tags": (("a", "1"),)}, ANY, (Field.TAGS,)),
        ({"storage_class": "GLACIER_IR"}, ANY, ()),
        ({"storage_class": "GLACIER_IR"}, Expected(storage_class="STANDARD"),
         (Field.STORAGE_CLASS,)),
        ({"storage_class": ""}, Expected(storage_class="STANDARD"), ()),
        ({"storage_class": "STANDARD_IA"}, Expected(storage_class="STANDARD_IA"), ()),
        ({"encryption": KEY}, ANY, ()),
        ({"encryption": KEY}, Expected(encryption=Encryption(kind=EncryptionKind.NONE)), ()),
        ({"encryption": KEY}, Expected(encryption=PLAIN), (Field.ENCRYPTION,)),
        ({"encryption": PLAIN}, Expected(encryption=KEY), (Field.ENCRYPTION,)),
        ({"encryption": kms("two")}, Expected(encryption=KEY), (Field.ENCRYPTION,)),
        ({"encryption": KEY}, Expected(encryption=KEY), ()),
        ({"encryption": KEY}, Expected(encryption=replace(KEY, kms_key_arn="one")), ()),
        ({"encryption": KEY}, Expected(encryption=replace(KEY, kms_key_arn="on")),
         (Field.ENCRYPTION,)),
        ({"encryption": KEY}, Expected(encryption=ALIAS), ()),
        ({"encryption": KEY}, Expected(encryption=replace(KEY, kms_key_arn=None)), ()),
        ({"encryption": replace(KEY, kind=EncryptionKind.DSSE_KMS)}, Expected(encryption=KEY),
         (Field.ENCRYPTION,)),
        ({"metadata": (), "headers": ContentHeaders(), "tags": (("a", "1"),), "encryption": PLAIN,
          "storage_class": "STANDARD_IA"}, Expected(storage_class="STANDARD", encryption=KEY),
         (Field.METADATA, Field.CONTENT_HEADERS, Field.TAGS, Field.STORAGE_CLASS,
          Field.ENCRYPTION)),
    ],
)  # fmt: skip
def test_each_field_that_differs_is_named_and_no_other(
    changes: Mapping[str, object], expected: Expected, differing: tuple[Field, ...]
) -> None:
    """If this fails, a copy loses an attribute silently, or a faithful one is called damaged."""
    destination = replace(SOURCE, version_id="two", **changes)  # type: ignore[arg-type] # a table of fields
    assert differing_fields(SOURCE.head(), destination.head(), expected, None) == differing


@pytest.mark.parametrize(
    ("ours", "theirs", "asks", "differ"),
    [
        ((), (), False, False),
        ((("a", "1"),), (), False, True),
        ((), (("a", "1"),), False, True),
        ((("a", "1"),), (("a", "1"),), True, False),
        ((("a", "1"),), (("a", "2"),), True, True),
        ((("a", "1"), ("b", "2")), (("b", "2"), ("a", "1")), True, False),
    ],
)
def test_tags_are_fetched_only_where_their_counts_do_not_decide(
    ours: tuple[tuple[str, str], ...],
    theirs: tuple[tuple[str, str], ...],
    asks: bool,
    differ: bool,
) -> None:
    """If this fails, verify misses a changed tag or pays for two requests an object."""
    source, destination = replace(SOURCE, tags=ours).head(), replace(SOURCE, tags=theirs).head()
    assert needs_tags(source, destination) is asks
    tags = TagPair(source=ours, destination=theirs) if asks else None
    found = differing_fields(source, destination, ANY, tags)
    assert found == ((Field.TAGS,) if differ else ())


def test_metadata_that_http_cannot_show_is_not_called_equal() -> None:
    """If this fails, metadata that S3 hides (x-amz-missing-meta) passes unseen."""
    head = SOURCE.head()
    hidden = head._replace(missing_metadata_count=1)
    assert is_metadata_readable(head, head)
    assert not is_metadata_readable(hidden, hidden)
    assert differing_fields(head, hidden, ANY, None) == (Field.METADATA,)
