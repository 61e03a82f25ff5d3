"""Talk: typed events become log lines, totals become progress, on stderr and nowhere else.

Never writes data, never decides anything, and never stops a run because nobody can listen.
Law: no secret leaves here, and no key can forge a line.
"""

from backfill.observe.log import LogFormat, LogLevel, LogOptions, StructuredEvents, open_events

__all__ = ["LogFormat", "LogLevel", "LogOptions", "StructuredEvents", "open_events"]
