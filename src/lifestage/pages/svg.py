"""A matplotlib figure as SVG text that stands inside a page: nothing is fetched, and its ids meet no other's."""

import re
from io import StringIO

import matplotlib
from matplotlib.figure import Figure

NOTHING = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def inline_svg(figure: Figure, name: str) -> str:
    """The <svg> element of a figure, scaled to the page's width; the same figure and name give the same text.

    name: lower-case letters, digits and hyphens; different for each figure of a page.
    """
    out = StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        figure.savefig(out, format="svg", metadata=NOTHING)
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s(?:width|height)="[\d.]+pt"', "", svg, count=2)  # the viewBox alone scales
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = svg.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    return svg.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)
