"""Numbers as people read them.

Never parses; what is written here is for eyes only.
Law: decimal units (MB = 1,000,000 bytes), as AWS bills and its console shows.
"""

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def readable_size(size_bytes: int) -> str:
    """Return a byte count with three significant digits, e.g. `1.23 GB`."""
    size = float(size_bytes)
    for unit in _UNITS[:-1]:
        if size < 999.5:
            return f"{size_bytes} B" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} {_UNITS[-1]}"


def counted(number: int) -> str:
    """Return a count with thin grouping, e.g. `1,234,567`."""
    return f"{number:,}"


def readable_duration(duration_s: float) -> str:
    """Return a duration in its two largest units, e.g. `2 h 05 min`."""
    seconds = round(duration_s)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02d} h"
