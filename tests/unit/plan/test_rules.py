"""Rules as nouns: whom they cover, whose they are, and what tells two configurations apart."""

from dataclasses import replace

import pytest

from backfill.errors import CampaignError
from backfill.plan.rules import Rule, RuleDestination, Rules, configuration_digest
from tests.doubles.planning import TAG, rule


def owned(rule_id: str, account: str, *, is_enabled: bool = True, priority: int = 1) -> Rule:
    destination = RuleDestination(bucket="x", account=account)
    return replace(rule(rule_id, priority=priority, is_enabled=is_enabled), destination=destination)


def test_rules_of_a_destination_come_highest_priority_first() -> None:
    """If this fails, a rule wins that S3 would not let win."""
    unranked, first = rule("v1", bucket="x", priority=None), rule("v2", bucket="x", priority=1)
    off = rule("off", bucket="x", priority=9, is_enabled=False)
    elsewhere = rule("far", bucket="y", priority=7)
    rules = Rules(rules=(unranked, elsewhere, first, off))
    assert rules.for_destination("x") == (off, first, unranked)
    assert rules.destination_buckets() == ("x", "y")
    assert Rules(rules=(off,)).destination_buckets() == ()


def test_a_rule_without_priority_has_the_lowest_one() -> None:
    """If this fails, two rules of the V1 schema overlap and nobody says which one decides."""
    v1 = rule("a", bucket="x", priority=None, prefix="k")
    assert Rules(rules=(v1, rule("b", bucket="x", priority=1)))
    for other in (rule("b", bucket="x", priority=0), replace(v1, id="b", prefix="k/deeper")):
        with pytest.raises(CampaignError, match="'a' and 'b' both replicate to 'x'") as refused:
            Rules(rules=(v1, other))
        assert refused.value.hint == "give each a priority of its own: the highest number wins"


def test_the_owner_is_whom_an_enabled_rule_names() -> None:
    """If this fails, requests are sent to whoever owns the bucket, or refused for a stale rule."""
    ours, theirs = "111122223333", "444455556666"
    off = owned("off", theirs, is_enabled=False, priority=2)
    unnamed = owned("plain", "", priority=3)
    assert Rules(rules=(owned("a", ours), off, unnamed)).owner_of("x") == ours
    assert Rules(rules=(off, unnamed)).owner_of("x") == ""
    assert Rules(rules=(owned("a", ours),)).owner_of("y") == ""
    both = Rules(rules=(owned("a", ours), owned("b", theirs, priority=2)))
    with pytest.raises(CampaignError, match="rules name 2 different Accounts for 'x'"):
        both.owner_of("x")


def test_a_filter_is_met_by_all_of_its_tags() -> None:
    """If this fails, an object with one of two tags goes where both are asked for."""
    two = rule(tags=(*TAG, ("u", "2")))
    assert two.meets((("u", "2"), ("w", "3"), *TAG))
    assert not two.meets(TAG)
    assert rule().meets(())


def test_a_digest_changes_with_role_and_rules_alone() -> None:
    """If this fails, a run goes on under other rules than it was planned by."""
    one, other = rule("a"), rule("b", priority=2)
    plain = configuration_digest(Rules(rules=(one, other), role="r"))
    # What run directories of the first release hold.
    assert plain == configuration_digest(Rules(rules=(other, one), role="r"))
    others = [Rules(rules=(one,), role="r"), Rules(rules=(one, other), role="s")]
    assert len({plain, *map(configuration_digest, others)}) == 3
