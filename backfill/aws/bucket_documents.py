"""A bucket's configurations as calls: which request reads, puts and takes away each.

Never decides what stands in a document.
Law: a document is put back in the very shape in which the SDK gave it, or not at all.
"""

import json
from collections.abc import Mapping

from backfill.aws.calls import READ_TIMEOUT_S, Call
from backfill.aws.raw_documents import FORMS
from backfill.aws.requests import bucket_parameters
from backfill.model.accounts import BucketDocument
from backfill.model.places import BucketPlace


def reading(place: BucketPlace, document: BucketDocument) -> Call:
    """Return the call that reads a configuration."""
    return _call(f"Get{FORMS[document].name}", place, {})


def writing(place: BucketPlace, document: BucketDocument, fields: Mapping[str, object]) -> Call:
    """Return the call that puts a configuration, all of it."""
    form = FORMS[document]
    body: object = dict(fields)
    more: dict[str, object] = {}
    if document is BucketDocument.POLICY:
        body = json.dumps(fields)
    elif document is BucketDocument.LIFECYCLE:
        # A header of its own, beside the document (S3 API: PutBucketLifecycleConfiguration).
        size_name = "TransitionDefaultMinimumObjectSize"
        body = {name: value for name, value in fields.items() if name != size_name}
        more = {name: value for name, value in fields.items() if name == size_name}
    return _call(f"Put{form.name}", place, {form.parameter: body, **more})


def deleting(place: BucketPlace, document: BucketDocument) -> Call:
    """Return the call that takes a configuration away; an empty one is put where S3 has none."""
    form = FORMS[document]
    if document is BucketDocument.NOTIFICATION:
        return writing(place, document, {})
    assert form.is_deletable, f"{document.value} cannot be taken away"
    return _call(f"Delete{form.name}", place, {})


def _call(operation: str, place: BucketPlace, parameters: Mapping[str, object]) -> Call:
    return Call(
        operation=operation,
        region=place.region,
        parameters={**bucket_parameters(place), **parameters},
        # Small documents: without a limit a hang would last as long as a copy may.
        limit_s=READ_TIMEOUT_S,
    )
