"""Requests of one form: alike but for a few texts, as all HEADs of the versions of a bucket are.

A form says how its parameters are built, by `aws.requests` like all others; a client that can do
better than to build them for each request fills in what it has prepared.
Never sends.
Law: a filled form is the very call that its parameters make.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from backfill.aws.faults import WRITES
from backfill.aws.requests import Parameters, copy_parameters, head_parameters
from backfill.model.attributes import EncryptionKind
from backfill.model.objects import ETag, VersionId
from backfill.model.places import BucketPlace
from backfill.model.store import NO_EXTRAS, CopyObjectRequest, CopySource, Extras, IfAbsent

FORMS_MAX: Final = 64
"""Forms kept of one kind: a place or two, times the storage classes of a plan. Beyond, all go."""

Texts = tuple[str, ...]
"""What is filled in: a key, and then words such as version IDs and ETags."""
TEXTS_MAX: Final = 3


class Form:
    """A form. Compared by identity: whoever keeps one for a place asks by that form."""

    __slots__ = ("bucket", "build", "is_write", "operation", "place", "region")

    def __init__(
        self, operation: str, place: BucketPlace, build: Callable[[Texts], Parameters]
    ) -> None:
        self.operation = operation
        self.bucket = place.bucket
        self.region = place.region
        self.place = (place.bucket, place.region)
        self.build = build
        self.is_write = operation in WRITES


class FilledForm(NamedTuple):
    """A call by a form; it has the attributes of `calls.Call`."""

    form: Form
    texts: Texts

    @property
    def operation(self) -> str:
        """The operation's API name."""
        return self.form.operation

    @property
    def region(self) -> str:
        """The Region that serves it."""
        return self.form.region

    @property
    def parameters(self) -> Parameters:
        """The parameters, built now."""
        return self.form.build(self.texts)

    @property
    def bucket(self) -> str:
        """The bucket that the request is addressed to."""
        return self.form.bucket

    @property
    def service(self) -> str:
        """The service asked."""
        return "s3"

    @property
    def limit_s(self) -> None:
        """As for any call of its operation."""
        return


def head_form(place: BucketPlace) -> Form:
    """Return the form of HeadObject for versions of a bucket: key, version ID."""

    def build(texts: Texts) -> Parameters:
        key, version_id = texts
        return head_parameters(place, key, VersionId(version_id), None)

    return Form("HeadObject", place, build)


def copy_form(alike: CopyObjectRequest) -> Form:
    """Return the form of CopyObject for requests like this one: key, source's version ID and ETag.

    For requests that write where there is nothing: any other precondition is one object's own.
    """
    assert isinstance(alike.precondition, IfAbsent), "a precondition of every object"
    place = alike.source.place

    def build(texts: Texts) -> Parameters:
        key, version_id, etag = texts
        source = CopySource(place, key, VersionId(version_id), ETag(etag))
        return copy_parameters(alike._replace(key=key, source=source))

    return Form("CopyObject", alike.destination, build)


class Forms:
    """The forms of one store.

    A place is known by its identity, for it is the same one every time: to compare two by value
    would take as long as a request's signature.
    """

    def __init__(self) -> None:
        self._heads: dict[int, tuple[BucketPlace, Form]] = {}
        self._copies: dict[
            tuple[int, int, int, str, str], tuple[BucketPlace, BucketPlace, object, Form]
        ] = {}

    def head(self, place: BucketPlace) -> Form:
        """Return the form of HeadObject for a place."""
        known = self._heads.get(id(place))
        if known is None:
            if len(self._heads) >= FORMS_MAX:
                self._heads.clear()
            # The place is kept as well, so that nothing else gets its identity.
            known = self._heads[id(place)] = (place, head_form(place))
        return known[1]

    def copy(self, request: CopyObjectRequest) -> FilledForm | None:
        """Return a copy as a filled form; None where its precondition or extras are its own."""
        destination, key, source, guard, storage_class, encryption, extras = request
        place, source_key, version_id, etag = source
        if source_key != key or type(guard) is not IfAbsent:
            return None
        if extras is not NO_EXTRAS and _are_its_own(extras):
            return None
        algorithm = extras.checksum_algorithm
        asked = (id(destination), id(place), id(encryption), storage_class, algorithm)
        known = self._copies.get(asked)
        if known is None:
            if encryption is not None and encryption.kind is EncryptionKind.SSE_C:
                return None  # no form holds a key
            if len(self._copies) >= FORMS_MAX:
                self._copies.clear()
            kept = (destination, place, encryption, copy_form(request))
            known = self._copies[asked] = kept
        return FilledForm(known[3], (key, version_id, etag))


def _are_its_own(extras: Extras) -> bool:
    """Return whether a copy's extras are one object's: all but the algorithm that a campaign asks.

    They may hold any text, and one that looked like another's place would be filled in wrongly.
    """
    return bool(extras.website_redirect or extras.lock or extras.grants)
