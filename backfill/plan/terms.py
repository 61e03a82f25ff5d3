"""What holds for every decision of a plan, and the digest that tells two plans apart.

Never changes while a plan is made.
Law: equal digests mean that equal inventories give equal plans.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import lru_cache

from backfill.campaign import Campaign, ManifestWay, OtherWriters, Scope, Versions
from backfill.errors import CampaignError
from backfill.model.extras import LONG_AGO, NO_ABILITIES, Abilities
from backfill.plan.rules import Rule, Rules
from backfill.settings import COPY_OBJECT_BYTES_MAX

OWNER_ENFORCED = "BucketOwnerEnforced"


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationTerms:
    """One destination: its rules (highest priority first, Disabled ones too) and its ownership.

    `live_rules` are those that S3 itself follows: they tell which keys have another writer, and
    differ from `rules` only where the campaign states its own. `has_acls` says whether an object's
    ACL means anything there: everywhere but under BucketOwnerEnforced, also where the setting
    cannot be read; `abilities` what else a copy can keep there.
    """

    bucket: str
    rules: tuple[Rule, ...]
    live_rules: tuple[Rule, ...]
    has_acls: bool
    abilities: Abilities = NO_ABILITIES


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Which engines may deliver: S3 Batch Replication, copy workers, or both.

    `batch` is only possible where the bucket's own rules decide, because a job follows these, all
    of them, whatever a campaign states (S3 User Guide: s3-batch-replication-batch).
    """

    batch: bool
    copy: bool

    def __post_init__(self) -> None:
        assert self.batch or self.copy, "one engine at least"


COPY_ONLY = Delivery(batch=False, copy=True)
"""Copy workers alone: possible everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Scope, horizon and limits of a plan, and its destinations in the header's order.

    `source_has_acls` is False under BucketOwnerEnforced, where every ACL is the default one.
    `is_quiet`: the campaign states that nobody else writes either side.
    `manifest` is who shall list the versions of Batch Replication jobs, as the campaign asks.
    `is_mending`: verify found what the destination shows to be wrong or gone, so only whether a
    copy of the current version can be made whole is decided (repair), not whether it is needed.
    Retention that had ended `as_of` protects nothing; when the run began, by S3's clock.
    `restore_tier` is how archived versions are restored; empty: they stay.
    """

    scope: Scope
    horizon: datetime
    destinations: tuple[DestinationTerms, ...]
    source_has_acls: bool = True
    is_quiet: bool = False
    copy_object_bytes_max: int = COPY_OBJECT_BYTES_MAX
    delivery: Delivery = COPY_ONLY
    manifest: ManifestWay = ManifestWay.OWN
    is_mending: bool = False
    as_of: datetime = LONG_AGO
    restore_tier: str = ""

    def __post_init__(self) -> None:
        if self.delivery.batch:
            for each in self.destinations:
                assert each.rules == each.live_rules, "Batch Replication follows the bucket's rules"

    @property
    def reads_statuses(self) -> bool:
        """Whether versions are read only for their replication status: a generated manifest asks.

        Under a scope of tags no generated manifest can be exact, so nothing is read for it.
        """
        is_asked = self.delivery.batch and self.manifest is ManifestWay.GENERATED
        return is_asked and not self.scope.tags

    def is_replicated_live(self, key: str, destination: int) -> bool:
        """Return whether S3 itself replicates the key there, as far as its prefix tells."""
        rules = self.destinations[destination].live_rules
        return any(rule.is_enabled and rule.covers(key) for rule in rules)

    def has_other_writers(self, key: str, destination: int) -> bool:
        """Return whether live replication may write the key there (architecture decision 3)."""
        return not self.is_quiet and self.is_replicated_live(key, destination)

    @property
    def brings_histories(self) -> bool:
        """Whether copy workers bring all versions of a key, where nobody else writes it."""
        is_asked = self.scope.versions is Versions.ALL
        return is_asked and self.delivery.copy and not self.is_mending

    def may_bring_history(self, key: str, destination: int) -> bool:
        """Return whether a key may go there with all of its versions (see `history`)."""
        return self.brings_histories and not self.has_other_writers(key, destination)

    def has_tag_filters(self, key: str) -> bool:
        """Return whether the scope, or a rule that covers the key, asks for object tags."""
        return bool(self.scope.tags) or any(
            rule.tags and rule.is_enabled and rule.covers(key)
            for destination in self.destinations
            for rule in destination.rules
        )


def terms_of(
    rules: Rules,
    *,
    live_rules: Rules,
    campaign: Campaign,
    horizon: datetime,
    destination_ownerships: Sequence[str],
    source_ownership: str = "",
    delivery: Delivery = COPY_ONLY,
) -> Terms:
    """Return a plan's terms.

    Args:
        rules: What decides: the bucket's own rules or the campaign's one.
        live_rules: What S3 itself follows.
        campaign: Its scope, its word on other writers, and its copy size limit.
        horizon: Versions created at or after it are live replication's.
        destination_ownerships: Object Ownership of each of `rules.destination_buckets()`, empty
            where it cannot be read.
        source_ownership: Object Ownership of the source bucket, as above.
        delivery: The engines that may deliver. Its `batch` must be False where the campaign states
            a rule of its own.

    Raises CampaignError when no rule is enabled: there is nothing to plan for.
    """
    buckets = rules.destination_buckets()
    if not buckets:
        raise CampaignError(
            "the source bucket's replication configuration has no enabled rule",
            hint="enable a rule, or name a destination with --destination",
        )
    return Terms(
        scope=campaign.scope,
        horizon=horizon,
        destinations=tuple(
            DestinationTerms(
                bucket=bucket,
                rules=rules.for_destination(bucket),
                live_rules=live_rules.for_destination(bucket),
                has_acls=ownership != OWNER_ENFORCED,
            )
            for bucket, ownership in zip(buckets, destination_ownerships, strict=True)
        ),
        source_has_acls=source_ownership != OWNER_ENFORCED,
        is_quiet=campaign.other_writers is OtherWriters.QUIET,
        copy_object_bytes_max=campaign.settings.copy_object_bytes_max,
        delivery=delivery,
        manifest=campaign.batch.manifest if delivery.batch else ManifestWay.OWN,
        restore_tier=campaign.restore.tier if campaign.restore else "",
    )


def terms_with_abilities(terms: Terms, abilities: Sequence[Abilities], as_of: datetime) -> Terms:
    """Return terms that know what each destination lets a copy keep; `as_of`: see `Terms`."""
    destinations = tuple(
        replace(each, abilities=able)
        for each, able in zip(terms.destinations, abilities, strict=True)
    )
    return replace(terms, destinations=destinations, as_of=as_of)


@lru_cache(maxsize=8)  # each stage of a run asks for the same one
def terms_digest(terms: Terms) -> str:
    """Return the digest of all but the rules that decide, which have `configuration_digest`."""
    document = asdict(terms)
    for destination in document["destinations"]:
        del destination["rules"]
    canonical = json.dumps(document, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()
