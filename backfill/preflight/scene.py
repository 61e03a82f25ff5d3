"""The scene of a run: both sides, their owners and Regions, and the rules that decide.

Never asks AWS (see `run`). It is kept in the run directory, so that a stage can be run alone, and
so that a resumed run notices when the rules have changed meanwhile.
Law: a scene that exists names at least one destination, and every place has an expected owner.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from backfill.campaign import Campaign
from backfill.errors import ArtifactDamagedError, CampaignError
from backfill.model.extras import Abilities
from backfill.model.json_values import json_value, spelled_json
from backfill.model.places import BucketFacts, BucketPlace
from backfill.plan.configuration import parse_configuration, rules_of_campaign
from backfill.plan.header import PlanHeader
from backfill.plan.rules import Rules
from backfill.plan.terms import OWNER_ENFORCED

DOCUMENT = "scene.json"
SCHEMA = "backfill.scene/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationScene:
    """One destination bucket and what its control plane told."""

    place: BucketPlace
    facts: BucketFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """How this run delivers, and why so; settled when it begins.

    `has_batch`: by Batch Replication jobs, whose manifests and reports lie in `batch_bucket`;
    `has_copy`: by copy workers.
    """

    has_batch: bool
    has_copy: bool
    why: str
    batch_bucket: BucketPlace | None = None

    def __post_init__(self) -> None:
        assert self.has_batch or self.has_copy, "there is a way to deliver"
        assert self.has_batch == (self.batch_bucket is not None), "jobs have a bucket"


COPY_ONLY = EngineChoice(has_batch=False, has_copy=True, why="copy workers were asked for")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that a plan stands on besides the listings.

    `configuration` is the source bucket's raw replication configuration (None: it has none).
    `rules` decide: the bucket's own, or the one that a campaign with a destination states.
    `copy_checksum_algorithm` is the campaign's, empty for the source's.
    """

    source: BucketPlace
    source_facts: BucketFacts
    destinations: tuple[DestinationScene, ...]
    horizon: datetime
    configuration: Mapping[str, object] | None
    rules: Rules
    engine: EngineChoice = COPY_ONLY
    copy_checksum_algorithm: str = ""

    def __post_init__(self) -> None:
        assert self.destinations, "a scene has a destination"
        assert self.horizon.tzinfo is not None, "a horizon is a moment anywhere"

    @property
    def replicates_delete_markers(self) -> bool:
        """Return whether any enabled rule replicates delete markers."""
        return any(r.is_enabled and r.replicates_delete_markers for r in self.rules.rules)

    def claims(self, key: str, destination: int) -> bool:
        """Return whether an enabled rule of a destination covers a key."""
        rules = self.rules.for_destination(self.destinations[destination].place.bucket)
        return any(rule.is_enabled and rule.covers(key) for rule in rules)

    @property
    def header(self) -> PlanHeader:
        """Return the places and the horizon, as the plan keeps them."""
        return PlanHeader(
            source=self.source,
            destinations=tuple(scene.place for scene in self.destinations),
            horizon=self.horizon,
            abilities=self.abilities,
            checksum_algorithm=self.copy_checksum_algorithm,
        )

    @property
    def abilities(self) -> tuple[Abilities, ...]:
        """Return what each destination lets copies keep."""
        keepers = {
            rule.destination.bucket
            for rule in self.rules.rules
            if rule.is_enabled and not rule.destination.is_owner_translated
        }
        has_acls = self.source_facts.object_ownership != OWNER_ENFORCED
        return tuple(
            Abilities(
                has_object_lock=each.facts.has_object_lock,
                keeps_acls=has_acls
                and each.facts.object_ownership != OWNER_ENFORCED
                and each.place.bucket in keepers,
                owner_id=each.facts.owner_id,
                blocks_public_acls=each.facts.blocks_public_acls,
            )
            for each in self.destinations
        )

    @property
    def needs_acls(self) -> bool:
        """Return whether some object's own ACL may decide: ACLs mean something on both sides."""
        return any(each.keeps_acls for each in self.abilities)


def scene_lines(scene: Scene) -> Iterator[str]:
    """Give the places for a terminal: Region, expected owner and who said so, horizon."""
    yield f"from {_words(scene.source)}"
    for destination in scene.destinations:
        yield f"to {_words(destination.place)}"
    yield f"horizon: versions created before {scene.horizon.isoformat(timespec='seconds')}"
    yield f"engine: {engine_words(scene.engine)}"


def engine_words(engine: EngineChoice) -> str:
    """Return the engine and why it is that one, as one line."""
    if not engine.has_batch:
        return f"copy workers ({engine.why})"
    rest = ", copy workers for the rest" if engine.has_copy else " only"
    return f"S3 Batch Replication{rest} ({engine.why})"


def _words(place: BucketPlace) -> str:
    owner = f"expected owner {place.expected_owner} by {place.owner_origin}"
    return f"{place.bucket} ({place.region}, {owner})"


def rules_of(campaign: Campaign, configuration: Mapping[str, object] | None) -> Rules:
    """Return the rules that decide.

    Raises:
        CampaignError: Neither the campaign nor the bucket says where to replicate to.
    """
    if campaign.destination is not None:
        return rules_of_campaign(campaign.destination, campaign.scope)
    live = parse_configuration(configuration) if configuration is not None else Rules(rules=())
    if not live.destination_buckets():
        lack = "has no enabled rule" if live.rules else "has no replication configuration"
        raise CampaignError(
            f"source bucket {campaign.source_bucket!r} {lack}",
            hint="switch replication on first, or name a destination: --destination BUCKET",
        )
    return live


def scene_document(scene: Scene) -> dict[str, object]:
    """Return a scene's places and horizon as JSON keeps them."""
    return {
        "source": asdict(scene.source),
        "destinations": [asdict(destination.place) for destination in scene.destinations],
        "horizon": scene.horizon.isoformat(),
    }


def scene_bytes(scene: Scene) -> bytes:
    """Return a scene as it is kept in the run directory."""
    document = {
        "schema": SCHEMA,
        "source": asdict(scene.source),
        "source_facts": asdict(scene.source_facts),
        "destinations": [asdict(destination) for destination in scene.destinations],
        "horizon": scene.horizon.isoformat(),
        "configuration": scene.configuration,
        "engine": asdict(scene.engine),
    }
    return spelled_json(document, indent=2).encode()


def scene_of(data: bytes, campaign: Campaign) -> Scene:
    """Return the scene that a run directory holds.

    Raises:
        ArtifactDamagedError: The document is cut, altered or of another schema.
    """
    try:
        document = json_value(data)
        if document["schema"] != SCHEMA:
            raise ArtifactDamagedError(
                f"{DOCUMENT} has schema {document['schema']!r}, this program reads {SCHEMA!r}",
                hint="go on with the version of backfill that began this run",
            )
        return Scene(
            source=BucketPlace(**document["source"]),
            source_facts=BucketFacts(**document["source_facts"]),
            destinations=tuple(
                DestinationScene(
                    place=BucketPlace(**item["place"]), facts=BucketFacts(**item["facts"])
                )
                for item in document["destinations"]
            ),
            horizon=datetime.fromisoformat(document["horizon"]),
            configuration=document["configuration"],
            rules=rules_of(campaign, document["configuration"]),
            engine=_engine_of(document.get("engine")),
            copy_checksum_algorithm=campaign.copy_checksum_algorithm,
        )
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise ArtifactDamagedError(
            f"{DOCUMENT} in the run directory is damaged", hint="begin a new run directory"
        ) from error


def _engine_of(document: Mapping[str, object] | None) -> EngineChoice:
    """Return the engine that a run settled on; runs before there was a choice had copy workers."""
    if document is None:
        return COPY_ONLY
    bucket = document["batch_bucket"]
    return EngineChoice(
        has_batch=bool(document["has_batch"]),
        has_copy=bool(document["has_copy"]),
        why=str(document["why"]),
        batch_bucket=BucketPlace(**bucket) if isinstance(bucket, dict) else None,
    )
