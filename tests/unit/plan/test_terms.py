"""What holds for every decision of a plan, as campaign, rules and buckets have it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from backfill.campaign import (
    BatchOptions,
    Campaign,
    ManifestWay,
    OtherWriters,
    RestoreOptions,
    Scope,
    Versions,
)
from backfill.errors import CampaignError
from backfill.model.extras import LONG_AGO, NO_ABILITIES, Abilities
from backfill.plan.rules import Rules
from backfill.plan.terms import (
    COPY_ONLY,
    Delivery,
    DestinationTerms,
    Terms,
    terms_digest,
    terms_of,
    terms_with_abilities,
)
from backfill.settings import COPY_OBJECT_BYTES_MAX, Settings
from tests.doubles.planning import HORIZON, TAG, rule, terms

CAMPAIGN = Campaign(source_bucket="source-bucket")
ABLE = Abilities(has_object_lock=True, owner_id="us")
BOTH = Delivery(batch=True, copy=True)
BATCH_ONLY = Delivery(batch=True, copy=False)


def made(*, campaign: Campaign = CAMPAIGN, ownerships: Any = ("", ""), **changes: Any) -> Terms:
    rules = Rules(rules=(rule("to-y", bucket="y"), rule("to-x", bucket="x")))
    return terms_of(
        rules,
        **{"live_rules": rules, **changes},
        campaign=campaign,
        horizon=HORIZON,
        destination_ownerships=ownerships,
    )


def test_plain_terms_have_these_defaults() -> None:
    """If this fails, a campaign that says nothing is planned as if it had said something."""
    to_x, to_y = rule("to-x", bucket="x"), rule("to-y", bucket="y")
    assert made() == Terms(
        scope=Scope(),
        horizon=HORIZON,
        destinations=(
            DestinationTerms(
                bucket="x", rules=(to_x,), live_rules=(to_x,), has_acls=True, abilities=NO_ABILITIES
            ),
            DestinationTerms(
                bucket="y", rules=(to_y,), live_rules=(to_y,), has_acls=True, abilities=NO_ABILITIES
            ),
        ),
        source_has_acls=True,
        is_quiet=False,
        copy_object_bytes_max=COPY_OBJECT_BYTES_MAX,
        delivery=Delivery(batch=False, copy=True),
        manifest=ManifestWay.OWN,
        is_mending=False,
        as_of=LONG_AGO,
        restore_tier="",
    )


def test_what_a_campaign_says_becomes_terms() -> None:
    """If this fails, scope, quiet, limits, manifests or restores of a campaign do not count."""
    campaign = replace(
        CAMPAIGN,
        scope=Scope(prefix="a", tags=TAG),
        other_writers=OtherWriters.QUIET,
        settings=Settings(copy_object_bytes_max=50 << 20),
        batch=BatchOptions(manifest=ManifestWay.GENERATED),
        restore=RestoreOptions(bytes_max=1, tier="Standard"),
    )
    found = made(campaign=campaign, delivery=BOTH)
    assert found.scope == Scope(prefix="a", tags=TAG)
    assert (found.is_quiet, found.copy_object_bytes_max) == (True, 50 << 20)
    assert (found.delivery, found.manifest) == (BOTH, ManifestWay.GENERATED)
    assert found.restore_tier == "Standard"
    assert made(campaign=campaign).manifest is ManifestWay.OWN


def test_acls_count_everywhere_but_where_the_owner_is_enforced() -> None:
    """If this fails, grants are dropped where they count, or read where they mean nothing."""
    enforced, preferred = "BucketOwnerEnforced", "BucketOwnerPreferred"
    found = made(ownerships=(enforced, preferred))
    assert [each.has_acls for each in found.destinations] == [False, True]
    ways = {name: made(source_ownership=name).source_has_acls for name in (enforced, preferred, "")}
    assert ways == {enforced: False, preferred: True, "": True}


def test_a_rule_of_the_campaign_leaves_the_live_ones_known() -> None:
    """If this fails, nobody knows that S3 itself writes keys which a campaign's rule covers."""
    live = Rules(rules=(rule("live", bucket="x", prefix="a"),))
    found = made(live_rules=live)
    assert [each.live_rules for each in found.destinations] == [live.rules, ()]
    assert found.is_replicated_live("a1", 0)
    assert not found.is_replicated_live("b1", 0)
    assert not found.is_replicated_live("a1", 1)
    off = made(live_rules=Rules(rules=(rule("live", bucket="x", is_enabled=False),)))
    assert not off.is_replicated_live("a1", 0)
    with pytest.raises(AssertionError):
        made(live_rules=live, delivery=BOTH)


def test_without_an_enabled_rule_there_is_nothing_to_plan() -> None:
    """If this fails, a plan for no destination is made, and its manifest is empty."""
    off = Rules(rules=(rule("off", bucket="x", is_enabled=False),))
    with pytest.raises(CampaignError, match="has no enabled rule") as refused:
        terms_of(off, live_rules=off, campaign=CAMPAIGN, horizon=HORIZON, destination_ownerships=())
    assert refused.value.hint == "enable a rule, or name a destination with --destination"
    with pytest.raises(ValueError, match="zip"):
        made(ownerships=("",))
    with pytest.raises(AssertionError):
        Delivery(batch=False, copy=False)


def test_each_destination_has_its_own_abilities() -> None:
    """If this fails, a lock is promised where the bucket has none."""
    as_of = datetime(2026, 1, 9, tzinfo=UTC)
    found = terms_with_abilities(made(), [ABLE, NO_ABILITIES], as_of)
    assert [each.abilities for each in found.destinations] == [ABLE, NO_ABILITIES]
    assert (found.as_of, found.horizon) == (as_of, HORIZON)
    with pytest.raises(ValueError, match="zip"):
        terms_with_abilities(made(), [ABLE], as_of)


@pytest.mark.parametrize(
    ("changes", "tags", "reads"),
    [
        ({"delivery": BOTH, "manifest": ManifestWay.GENERATED}, (), True),
        ({"delivery": BOTH, "manifest": ManifestWay.GENERATED}, TAG, False),
        ({"delivery": BOTH, "manifest": ManifestWay.OWN}, (), False),
        ({"delivery": COPY_ONLY, "manifest": ManifestWay.GENERATED}, (), False),
    ],
)
def test_statuses_are_read_where_a_generated_manifest_asks(
    changes: dict[str, Any], tags: Any, reads: bool
) -> None:
    """If this fails, a plan reads every object for nothing, or generates an inexact manifest."""
    assert terms(rule(bucket="x"), tags=tags, **changes).reads_statuses is reads


@pytest.mark.parametrize(
    ("changes", "versions", "brings", "may"),
    [
        ({"is_quiet": True}, Versions.ALL, True, True),
        ({}, Versions.ALL, True, False),
        ({"is_quiet": True}, Versions.CURRENT, False, False),
        ({"is_quiet": True, "is_mending": True}, Versions.ALL, False, False),
        ({"is_quiet": True, "delivery": BATCH_ONLY}, Versions.ALL, False, False),
    ],
)
def test_histories_go_where_they_are_asked_for_and_nobody_else_writes(
    changes: dict[str, Any], versions: Versions, brings: bool, may: bool
) -> None:
    """If this fails, older versions come to lie in front of what live replication wrote."""
    found = terms(rule(bucket="x"), scope=Scope(versions=versions), **changes)
    assert (found.brings_histories, found.may_bring_history("k", 0)) == (brings, may)
    assert found.has_other_writers("k", 0) is not found.is_quiet


@pytest.mark.parametrize(
    ("rules", "tags", "asks"),
    [
        ([rule(bucket="x")], (), False),
        ([rule(bucket="x")], TAG, True),
        ([rule(bucket="x"), rule(bucket="y", tags=TAG, prefix="k")], (), True),
        ([rule(bucket="x", tags=TAG, is_enabled=False)], (), False),
        ([rule(bucket="x", tags=TAG, prefix="l")], (), False),
    ],
)
def test_tags_are_asked_for_where_scope_or_a_rule_has_them(
    rules: Any, tags: Any, asks: bool
) -> None:
    """If this fails, tags of every object are read for nothing, or never where they decide."""
    assert terms(*rules, tags=tags).has_tag_filters("k") is asks


def test_plans_under_other_terms_are_told_apart() -> None:
    """If this fails, a run goes on with a plan that was made for something else."""
    plain = made()
    others = [
        replace(plain, horizon=HORIZON.replace(year=2027)),
        replace(plain, scope=Scope(prefix="a")),
        replace(plain, is_quiet=True),
        terms_with_abilities(plain, [ABLE, NO_ABILITIES], LONG_AGO),
        made(ownerships=("BucketOwnerEnforced", "")),
        made(live_rules=Rules(rules=())),
    ]
    assert len({terms_digest(each) for each in (plain, *others)}) == 7
    by_other_rules = replace(
        plain, destinations=tuple(replace(each, rules=()) for each in plain.destinations)
    )
    assert terms_digest(by_other_rules) == terms_digest(plain) == terms_digest(made())
