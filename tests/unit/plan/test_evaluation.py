"""Rules against a second evaluator that shares no code and no order of thought with the first."""

from collections.abc import Iterator, Sequence
from itertools import combinations, combinations_with_replacement, product

import pytest

from backfill.errors import CampaignError
from backfill.model.attributes import Pairs
from backfill.plan.evaluation import NoWinner, winning_rule
from backfill.plan.rules import Rule, Rules
from tests.doubles.planning import rule

BUCKETS = ("x", "y")
KEYS = ("a/1", "a/b/2", "c")
T, U = ("t", "1"), ("u", "1")
OBJECT_TAGS: tuple[Pairs, ...] = ((), (T,), (U,), (T, U))
OPTIONS = [
    rule(f"{number}", bucket=bucket, prefix=prefix, tags=tags, priority=priority, is_enabled=is_on)
    for number, (bucket, prefix, tags, priority, is_on) in enumerate(
        product(BUCKETS, ("", "a/", "a/b/"), ((), (T,), (T, U)), (1, 2, 3), (True, False))
    )
]


def naive(rules: Sequence[Rule], bucket: str, key: str, tags: Pairs) -> Rule | None:
    """Return the one matching rule that no other matching rule outranks, by comparing all."""
    matching = []
    for each in rules:
        is_matching = each.destination.bucket == bucket and each.is_enabled
        for position, letter in enumerate(each.prefix):
            is_matching &= key[position : position + 1] == letter
        is_matching &= not set(each.tags).difference(tags)
        if is_matching:
            matching.append(each)
    best = [
        one
        for one in matching
        if not any((other.priority or 0) > (one.priority or 0) for other in matching)
    ]
    assert len(best) <= 1, "an ambiguous configuration was not refused"
    return best[0] if best else None


def is_ambiguous(rules: Sequence[Rule]) -> bool:
    """Whether some key could meet two enabled rules of one priority and bucket, tags aside."""
    return any(
        one.is_enabled
        and other.is_enabled
        and one.destination.bucket == other.destination.bucket
        and one.priority == other.priority
        and any(key.startswith(one.prefix) and key.startswith(other.prefix) for key in KEYS)
        for one, other in combinations(rules, 2)
    )


def configurations(size: int) -> Iterator[list[Rule]]:
    """Give every multiset of options: the order in which rules are listed means nothing."""
    for chosen in combinations_with_replacement(range(len(OPTIONS)), size):
        yield [OPTIONS[number] for number in chosen]


def check(rules: list[Rule]) -> None:
    configuration = Rules(rules=tuple(rules))
    for bucket in {each.destination.bucket for each in rules}:
        ordered = configuration.for_destination(bucket)
        for key in KEYS:
            expected = [naive(rules, bucket, key, tags) for tags in OBJECT_TAGS]
            for tags, best in zip(OBJECT_TAGS, expected, strict=True):
                found = winning_rule(ordered, key, tags)
                assert (found if isinstance(found, Rule) else None) is best, (rules, key, tags)
            unknown = winning_rule(ordered, key, None)
            is_open = len({id(best) for best in expected}) > 1
            assert (unknown is NoWinner.NEEDS_TAGS) == is_open, (rules, key)
            if not is_open:
                assert (unknown if isinstance(unknown, Rule) else None) is expected[0]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_both_evaluators_agree_on_every_configuration(size: int) -> None:
    """If this fails, some object goes by the wrong rule, or tags are fetched in vain or missed."""
    checked = 0
    for rules in configurations(size):
        # Three rules for two buckets: two share one. All pairs were seen alone; a third rule for
        # the other bucket changes nothing, so triples are checked within one bucket.
        if size == 3 and any(each.destination.bucket != BUCKETS[0] for each in rules):
            continue
        if is_ambiguous(rules):
            continue
        check(rules)
        checked += 1
    assert checked > {1: 100, 2: 4_000, 3: 10_000}[size]


def test_rules_for_other_destinations_change_nothing() -> None:
    """If this fails, a destination loses objects because of another destination's priority."""
    for one, other in product(OPTIONS[: len(OPTIONS) // 2], OPTIONS[len(OPTIONS) // 2 :]):
        alone = Rules(rules=(one,)).for_destination("x")
        together = Rules(rules=(other, one)).for_destination("x")
        assert alone == together


def test_every_ambiguous_pair_is_refused() -> None:
    """If this fails, a configuration with two answers gets one of them by chance."""
    refused = 0
    for rules in configurations(2):
        if is_ambiguous(rules):
            refused += 1
            with pytest.raises(CampaignError):
                Rules(rules=tuple(rules))
    assert refused > 200


@pytest.mark.parametrize(
    ("rules", "tags", "expected"),
    [
        ([], (), NoWinner.NO_RULE),
        ([rule(prefix="b")], (), NoWinner.NO_RULE),
        ([rule(is_enabled=False)], (), NoWinner.RULE_DISABLED),
        ([rule(tags=(T,))], (U,), NoWinner.TAG_MISMATCH),
        ([rule(tags=(T,)), rule(is_enabled=False)], (), NoWinner.TAG_MISMATCH),
        ([rule(tags=(T,))], None, NoWinner.NEEDS_TAGS),
        ([rule(tags=(T,), is_enabled=False)], None, NoWinner.RULE_DISABLED),
    ],
)
def test_why_no_rule_wins(rules: list[Rule], tags: Pairs | None, expected: NoWinner) -> None:
    """If this fails, a person widens a filter where a rule is Disabled, or the other way round."""
    assert winning_rule(rules, "a/1", tags) is expected
