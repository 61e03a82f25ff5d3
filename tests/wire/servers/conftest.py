"""The command, forked and not started anew."""

from tests.doubles.at_work import nursery

__all__ = ["nursery"]
