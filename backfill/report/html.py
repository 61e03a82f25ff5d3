"""report.html: one self-contained page that needs no network and no script.

Never trusts a word: control characters become visible escapes, everything is escaped by jinja2's
autoescape, and the page's own policy allows neither scripts nor requests.
Law: the page shows the report document and nothing else.
"""

import functools

import jinja2

from backfill.model.escaping import visible_text
from backfill.model.units import counted, readable_size
from backfill.report.document import Report


def page(report: Report) -> bytes:
    """Return the page as UTF-8."""
    return template().render(report=report).encode()


@functools.cache
def template() -> jinja2.Template:
    """Return what pages are made from, compiled once."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("backfill.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible,
    )
    environment.filters["thousands"] = counted
    environment.filters["size"] = readable_size
    return environment.get_template("page.html.jinja")


def _visible(value: object) -> object:
    # Markup is what a macro of the template itself made: escaped already.
    return visible_text(value) if type(value) is str else value
