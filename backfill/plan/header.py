"""What holds for a whole plan: where from, where to, as of when.

Never read from a store here. It is the `summary` of the plan artefact, so it survives a restart.
Law: every artefact after the plan takes its places from this header, never from flags again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from backfill.errors import ArtifactDamagedError
from backfill.model.extras import NO_ABILITIES, Abilities
from backfill.model.places import BucketPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanHeader:
    """Source, destinations (indexed by `PlanEntry.destination`) and the horizon.

    Versions created at or after `horizon` belong to live replication. `abilities` are those of the
    destinations, in their order; `checksum_algorithm` is what copies shall have, empty for the
    source's.
    """

    source: BucketPlace
    destinations: tuple[BucketPlace, ...]
    horizon: datetime
    abilities: tuple[Abilities, ...] = ()
    checksum_algorithm: str = ""

    def __post_init__(self) -> None:
        assert len(self.abilities) in (0, len(self.destinations)), "of each destination, or none"

    def abilities_at(self, destination: int) -> Abilities:
        """Return what a destination lets copies keep."""
        return self.abilities[destination] if self.abilities else NO_ABILITIES


def header_document(header: PlanHeader) -> dict[str, object]:
    """Return a header as JSON keeps it."""
    return {
        "source": asdict(header.source),
        "destinations": [asdict(place) for place in header.destinations],
        "horizon": header.horizon.isoformat(),
        "abilities": [each._asdict() for each in header.abilities],
        "checksum_algorithm": header.checksum_algorithm,
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
            abilities=_abilities(document.get("abilities", [])),
            checksum_algorithm=str(document.get("checksum_algorithm", "")),
        )
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise ArtifactDamagedError(
            "the summary of a plan has no readable header", hint="begin a new run directory"
        ) from error


def _mapping(value: object) -> Mapping[str, object]:
    assert isinstance(value, Mapping), "a JSON object"
    return value


def _abilities(value: object) -> tuple[Abilities, ...]:
    assert isinstance(value, list), "a list of abilities"
    return tuple(
        Abilities(
            has_object_lock=bool(each["has_object_lock"]),
            keeps_acls=bool(each["keeps_acls"]),
            owner_id=str(each["owner_id"]),
            blocks_public_acls=bool(each["blocks_public_acls"]),
        )
        for each in map(_mapping, value)
    )


def _place(value: object) -> BucketPlace:
    return BucketPlace(**{name: str(text) for name, text in _mapping(value).items()})
