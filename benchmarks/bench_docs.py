"""Puts what was measured into docs/internals/BENCHMARKS.md, between two comments of its own.

Never touches a line outside of them. Law: a section that the page does not have is an error, not a
new section.
"""

from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "internals/BENCHMARKS.md"
PLOT = DOCS / "assets/side-by-side.svg"


def put(section: str, text: str) -> None:
    """Replace what stands between `<!-- section -->` and `<!-- /section -->`."""
    begin, end = f"<!-- {section} -->", f"<!-- /{section} -->"
    page = PAGE.read_text()
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise SystemExit(f"{PAGE.name} has no section {begin} … {end}")
    PAGE.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}")
