"""A bar chart of CPU seconds as SVG, small enough to be written by hand.

Never measures. Law: bars are drawn to one linear scale that begins at 0.
"""

from collections.abc import Sequence
from html import escape
from statistics import median

from benchmarks.bench_tables import transports
from benchmarks.contenders import Run

WIDTH, LEFT, RIGHT, BAR, GAP = 820, 300, 80, 22, 10
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#333}.t{font-weight:600;font-size:15px}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}}"
)


def plotted(runs: Sequence[Run]) -> str:
    """Return the picture: CPU seconds per 10,000 objects, one bar a contender and transport."""
    bars = [
        (transport, label, median(run.cpu_us / 100 for run in runs if _is(run, transport, label)))
        for transport in transports(runs)
        for label in dict.fromkeys(run.label for run in runs if run.transport == transport)
        if not label.endswith("sdk")  # so long a bar would make all others dots
    ]
    longest = max((value for _, _, value in bars), default=1.0)
    height = 50 + len(bars) * (BAR + GAP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>CPU seconds per 10,000 copied objects</title><style>{STYLE}</style>",
        '<text class="t" x="10" y="24">CPU seconds per 10,000 copied objects, whole program</text>',
    ]
    for place, (transport, label, value) in enumerate(bars):
        y = 42 + place * (BAR + GAP)
        width = (WIDTH - LEFT - RIGHT) * value / longest
        colour = "#2f7d5b" if label.startswith("backfill") else "#8a94a6"
        name = escape(f"{label} ({transport})")
        lines += [
            f'<text x="{LEFT - 8}" y="{y + 16}" text-anchor="end">{name}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<text x="{LEFT + width + 8:.1f}" y="{y + 16}">{value:.2f}</text>',
        ]
    return "\n".join([*lines, "</svg>\n"])


def _is(run: Run, transport: str, label: str) -> bool:
    return run.transport == transport and run.label == label
