"""Requests that a plan will take beyond its listings, counted before the first is sent."""

from typing import Any

import pytest

from backfill.campaign import Scope, Versions
from backfill.model.objects import ListedEntry
from backfill.plan.forecast import Requests, forecast_of
from backfill.plan.key_plan import KeyPlan
from backfill.plan.terms import Delivery
from tests.doubles.planning import TAG, marker, rule, terms, version

NOW = version("k", "v2", "e2", 30, is_latest=True)
OLD = version("k", "v1", "e1", 20)
NULL = version("k", "null", "e2", 30, is_latest=True)
TO_X = rule(bucket="x")
BOTH = Delivery(batch=True, copy=True)
HISTORY = {"scope": Scope(versions=Versions.ALL), "is_quiet": True}


def test_requests_add_up_kind_by_kind() -> None:
    """If this fails, a person agrees to another number of requests than are sent."""
    one = Requests(heads=1, destination_heads=2, taggings=3, acls=4)
    assert one + Requests(heads=10, destination_heads=20, taggings=30, acls=40) == Requests(
        heads=11, destination_heads=22, taggings=33, acls=44
    )
    assert one * 5 == Requests(heads=5, destination_heads=10, taggings=15, acls=20)
    assert one + Requests() == one


@pytest.mark.parametrize(
    ("rules", "source", "there", "changes", "expected"),
    [
        ([TO_X], [NOW], [], {}, Requests(heads=1)),
        ([TO_X], [NOW, OLD], [], {}, Requests(heads=1)),
        ([TO_X], [NOW], [NOW], {}, Requests()),
        ([TO_X], [marker("k", "m", is_latest=True)], [], {}, Requests()),
        ([TO_X], [NOW], [], {"tags": TAG}, Requests(heads=1, taggings=1)),
        ([rule(bucket="x", tags=TAG)], [NOW], [], {}, Requests(heads=1, taggings=1)),
        ([TO_X, rule("off", bucket="x", tags=TAG, is_enabled=False)], [NOW], [], {},
         Requests(heads=1)),
        ([TO_X], [NOW], [], {"has_acls": True}, Requests(heads=1, acls=1)),
        ([TO_X], [NOW], [], {"has_acls": True, "source_has_acls": False}, Requests(heads=1)),
        ([rule(bucket="x", is_owner_translated=True)], [NOW], [], {"has_acls": True},
         Requests(heads=1)),
        ([rule(bucket="x", is_owner_translated=True), rule("off", bucket="x", is_enabled=False)],
         [NOW], [], {"has_acls": True}, Requests(heads=1)),
        ([rule(bucket="x", is_owner_translated=True), rule("far", bucket="x", prefix="l")],
         [NOW], [], {"has_acls": True}, Requests(heads=1)),
        # A job keeps ACLs itself, and nothing is read for it.
        ([TO_X], [NOW], [], {"has_acls": True, "delivery": BOTH}, Requests(heads=1)),
        # Equal size, another ETag: both sides are looked at.
        ([TO_X], [NOW], [version("k", "x1", "f2", 30, is_latest=True)], {},
         Requests(heads=1, destination_heads=1)),
        # A null version may be a replica; where it is not, a job may ask for it.
        ([TO_X], [NULL], [NULL], {}, Requests(heads=0, destination_heads=1)),
        ([TO_X], [NULL], [NULL], {"delivery": BOTH}, Requests(heads=1, destination_heads=1)),
        # All versions go, and each is read.
        ([TO_X], [NOW, OLD], [], HISTORY, Requests(heads=2)),
    ],
)  # fmt: skip
def test_what_a_key_takes_is_counted(
    rules: Any,
    source: list[ListedEntry],
    there: list[ListedEntry],
    changes: dict[str, Any],
    expected: Requests,
) -> None:
    """If this fails, planning costs more than it was said to, or frightens for nothing."""
    made = terms(*rules, **changes)
    assert forecast_of(KeyPlan(source, [there], made), made) == expected
