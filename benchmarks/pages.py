"""What the pages for people have in common: their templates, and the colours of the outcomes."""

from pathlib import Path
from typing import Any

import jinja2

from benchmarks.statistics import duration, percent

TEMPLATES = Path(__file__).parent / "templates"
COLOURS = {
    "success": "#2f9e5b",
    "disturbed": "#9ccc65",
    "dropped": "#f2b134",
    "slipped": "#ef8a3a",
    "missed": "#d9623b",
    "wrong_object": "#8e5bb5",
    "collision": "#c2324b",
    "timeout": "#8a94a3",
    "planner": "#5b7fc4",
    "error": "#20242b",
}


def drawn(template: str, **values: Any) -> str:
    """A page as text. Words of the values never become markup; a value that the template misses is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, duration=duration)
    return environment.get_template(template).render(colours=COLOURS, **values)
