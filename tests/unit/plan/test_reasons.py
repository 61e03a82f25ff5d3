from backfill.plan.reasons import REASON_TEXTS, ROUTE_TEXTS
from backfill.plan.routes import Reason, Route

NEEDS_NOTHING = {
    Reason.ALREADY_REPLICATED,
    Reason.ALREADY_COPIED,
    Reason.ALREADY_DELETED,
    Reason.AFTER_HORIZON,
    Reason.OUT_OF_SCOPE,
}


def test_every_route_and_reason_has_its_sentence() -> None:
    """If this fails, a report line says nothing to the person who must act on it."""
    assert set(REASON_TEXTS) == set(Reason)
    assert set(ROUTE_TEXTS) == set(Route)
    for text in (*REASON_TEXTS.values(), *ROUTE_TEXTS.values()):
        assert text.sentence.endswith(".")
        assert not text.remedy or text.remedy.endswith(".")


def test_only_what_needs_nothing_has_no_remedy() -> None:
    """If this fails, a person is told of a trouble and not what to do about it."""
    without = {reason for reason, text in REASON_TEXTS.items() if not text.remedy}
    assert without == NEEDS_NOTHING
