"""What holds for a whole plan: where from, where to, as of when.

Never read from a store here. It is the `summary` of the plan artefact, so it survives a restart.
Law: every artefact after the plan takes its places from this header, never from flags again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from backfill.errors import ArtifactDamagedError
from backfill.model.places import BucketPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanHeader:
    """Source, destinations (indexed by `PlanEntry.destination`) and the horizon.

    Versions created at or after `horizon` belong to live replication.
    """

    source: BucketPlace
    destinations: tuple[BucketPlace, ...]
    horizon: datetime


def header_document(header: PlanHeader) -> dict[str, object]:
    """Return a header as JSON keeps it."""
    return {
        "source": asdict(header.source),
        "destinations": [asdict(place) for place in header.destinations],
        "horizon": header.horizon.isoformat(),
    }


def header_of(summary: Mapping[str, object]) -> PlanHeader:
    """Return the header in the `summary` of a plan or manifest artefact.

    Raises:
        ArtifactDamagedError: It is the summary of something else.
    """
    try:
        document = _mapping(summary["header"])
        places = document["destinations"]
        assert isinstance(places, list), "a list of places"
        return PlanHeader(
            source=_place(document["source"]),
            destinations=tuple(_place(place) for place in places),
            horizon=datetime.fromisoformat(str(document["horizon"])),
        )
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise ArtifactDamagedError(
            "the summary of a plan has no readable header", hint="begin a new run directory"
        ) from error


def _mapping(value: object) -> Mapping[str, object]:
    assert isinstance(value, Mapping), "a JSON object"
    return value


def _place(value: object) -> BucketPlace:
    return BucketPlace(**{name: str(text) for name, text in _mapping(value).items()})
