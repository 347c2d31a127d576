"""Writes pages from the templates beside this module: all that came from outside is escaped, and no page is ever half."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def write_page(page: Path, template: str, content: Mapping[str, Any], *, filters: Mapping[str, Callable[..., Any]]) -> Path:
    """Render a template and put the page in its place at once; whoever reads it sees the page before or this one.

    Parameters
    ----------
    page : Path
        Its folder is made if it is not there.
    template : str
        File name beside this module.
    content : mapping of str to object
        Every name that the template uses.
    filters : mapping of str to callable

    Returns
    -------
    Path
        `page`.
    """
    page.parent.mkdir(exist_ok=True)
    unfinished = page.with_name(f".{page.stem}.{os.getpid()}.html")
    unfinished.write_text(_pages(tuple(filters.items())).get_template(template).render(content), encoding="utf-8")
    unfinished.replace(page)
    return page


@lru_cache(maxsize=8)
def _pages(filters: tuple[tuple[str, Callable[..., Any]], ...]) -> Environment:
    """Templates that are translated once for all pages: a batch may have hundreds of clips."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = FileSystemLoader(Path(__file__).parent)
    pages = Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    pages.filters |= dict(filters)
    return pages
