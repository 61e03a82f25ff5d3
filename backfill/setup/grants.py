"""Which actions each party of a set-up is granted: those of the one table, `policies.needs`.

Never words a statement and holds no list of its own. What AWS's documentation advises is granted
with what is required: GenerateDataKey and Decrypt become necessary when somebody switches a Bucket
Key on, and preflight would ask for the rest.
Law: an action that the table does not name for these features is not granted.
"""

from collections.abc import Collection, Iterator
from typing import Final

from backfill.policies.need import Feature, On, Party
from backfill.policies.needs import needs_of
from backfill.policies.replication_needs import ON_DESTINATION_BUCKET
from backfill.setup.lanes import Lane, Route
from backfill.setup.spec import BatchSpec, Spec

DESTINATION_BUCKET_ACTIONS: Final = tuple(sorted(need.action for need in ON_DESTINATION_BUCKET))
"""What the bucket policy of a destination grants on the bucket itself."""


def granted(party: Party, on: On, features: Collection[Feature]) -> tuple[str, ...]:
    """Return the actions of a party on one thing, sorted; none where it needs none."""
    return tuple(sorted(need.action for need in needs_of(party, features) if need.on is on))


def lane_features(spec: Spec, lane: Lane) -> frozenset[Feature]:
    """Return what a lane uses at its source."""
    return frozenset(_at_source(spec, lane))


def _at_source(spec: Spec, lane: Lane) -> Iterator[Feature]:
    yield Feature.TAGS  # Which objects have tags is nobody's to know; without it they get lost.
    if lane.key_arns:
        yield Feature.SSE_KMS
    if spec.source.has_object_lock:
        yield Feature.OBJECT_LOCK
    if spec.source.has_annotations:
        yield Feature.ANNOTATIONS
    if any(route.has_delete_markers for route in lane.routes):
        yield Feature.DELETE_MARKERS


def route_features(route: Route) -> frozenset[Feature]:
    """Return what a route uses at its destination."""
    return frozenset(_at_destination(route))


def _at_destination(route: Route) -> Iterator[Feature]:
    yield Feature.TAGS
    if route.key_arns:
        yield Feature.SSE_KMS
    if route.has_delete_markers:
        yield Feature.DELETE_MARKERS
    if route.overrides_owner:
        yield Feature.OWNER_OVERRIDE


def batch_features(spec: Spec, batch: BatchSpec) -> frozenset[Feature]:
    """Return what the jobs of the source's batch role use."""
    used = {Feature.REPLICATE_JOBS}
    if batch.has_generated_manifests:
        used.add(Feature.GENERATED_MANIFEST)
    if batch.has_checksums:
        used.add(Feature.CHECKSUM_JOBS)
    if spec.source.kms_key_arns:
        used.add(Feature.SSE_KMS)
    return frozenset(used)


CHECKSUM_FEATURES: Final = frozenset({Feature.DESTINATION_CHECKSUM_JOBS, Feature.SSE_KMS})
"""Of the role of checksum jobs on the destination; its keys are those that the rules name."""

REPLICATION_SERVICE: Final = Party.REPLICATION_SERVICE.value
BATCH_SERVICE: Final = Party.BATCH_SERVICE.value
DECRYPT: Final = granted(Party.READER, On.DESTINATION_KEY, {Feature.SSE_KMS})
"""What reading under SSE-KMS needs."""
