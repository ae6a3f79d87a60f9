"""A flow picture: customers by stage on the left, the same customers by stage on the right, bands between."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findSystemFonts, fontManager
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6D31", "#6A3D9A", "#999933")
"""Okabe & Ito's, and a few more; told apart by colour-blind readers."""
STAYS = "#C8C8C8"
CHINESE = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei"),
    *("WenQuanYi Zen Hei", "SimHei", "Microsoft YaHei", "PingFang SC", "Arial Unicode MS"),
)
CHINESE_FILES = (
    r"(NotoSansCJK-Regular|NotoSansSC-Regular|SourceHanSans.*Regular|wqy-\w+|simhei|msyh)\.(ttc|ttf|otf)$"
)
_GAP, _WIDTH = 0.03, 0.035


@dataclass(frozen=True, slots=True)
class Node:
    """A stage in the picture."""

    name: str
    en: str
    zh: str


@lru_cache(maxsize=1)
def chinese_font() -> str | None:
    """A font of this machine that has Chinese characters; None where there is none."""
    if (found := _listed()) is not None:
        return found
    for file in sorted(findSystemFonts()):  # installed after matplotlib had listed the fonts
        if re.search(CHINESE_FILES, file, re.IGNORECASE):
            fontManager.addfont(file)
    return _listed()


def _listed() -> str | None:
    known = {font.name for font in fontManager.ttflist}
    return next((name for name in CHINESE if name in known), None)


def alluvial(
    flows: Mapping[tuple[str, str], int],
    left: Sequence[Node],
    right: Sequence[Node],
    *,
    title: str = "",
    heads: tuple[str, str] = ("before", "after"),
) -> Figure:
    """Figure of `flows`, (left name, right name) -> customers; nodes from top to bottom in their order.

    Who stays under the same name is grey, everybody else has the colour of where they go. Nodes without
    customers are left out. Without a Chinese font on the machine the labels are English only.
    """
    font = chinese_font()
    family = ["DejaVu Sans", *([font] if font else [])]
    with matplotlib.rc_context({"font.family": family}):
        total = max(1, sum(flows.values()))
        left, right = _present(flows, left, 0), _present(flows, right, 1)
        names = list(dict.fromkeys(node.name for node in (*right, *left)))
        colours = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(names)}
        tall = max(4.5, 0.62 * max(len(left), len(right)) + 1.6)
        figure = Figure(figsize=(10, tall), layout="constrained")
        axes = figure.add_subplot()
        axes.set_axis_off()
        axes.set_xlim(-0.42, 1.42)
        axes.set_ylim(1.05, -0.1)
        if title:
            figure.suptitle(title, fontsize=12)
        many = max(len(left), len(right))
        starts = [_starts(flows, side, nodes, many, total) for side, nodes in enumerate((left, right))]
        for i, (node, head) in enumerate(zip((left, right), heads, strict=True)):
            axes.text(i, -0.05, head, ha="center", va="center", fontsize=11)
            for one in node:
                n = sum(_of(flows, i, one.name))
                name = f"{one.en} {one.zh}" if font and one.zh != one.en else one.en
                _label(axes, i, f"{name}  {n:,}", starts[i][one.name], n)
                _box(axes, i, starts[i][one.name], n, colours[one.name])
        _bands(axes, flows, (left, right), starts, colours)
    return figure


def _of(flows: Mapping[tuple[str, str], int], side: int, name: str) -> list[int]:
    return [n for pair, n in flows.items() if pair[side] == name]


def _present(flows: Mapping[tuple[str, str], int], nodes: Sequence[Node], side: int) -> list[Node]:
    """Nodes with customers; names that `nodes` lacks come last, under their name."""
    named = {node.name for node in nodes}
    more = dict.fromkeys(pair[side] for pair, n in flows.items() if n and pair[side] not in named)
    return [n for n in nodes if sum(_of(flows, side, n.name))] + [Node(n, n, n) for n in more]


def _starts(
    flows: Mapping[tuple[str, str], int], side: int, nodes: Sequence[Node], many: int, total: int
) -> dict[str, tuple[float, float]]:
    """Name -> where its bar begins, and the height of one customer; `many` bars on the fuller side."""
    unit = (1 - _GAP * (many - 1)) / total
    at = _GAP * (many - len(nodes)) / 2
    found = {}
    for node in nodes:
        found[node.name] = (at, unit)
        at += sum(_of(flows, side, node.name)) * unit + _GAP
    return found


def _box(axes: Axes, side: int, start: tuple[float, float], n: int, colour: str) -> None:
    at, unit = start
    tall = max(n * unit, 0.0015)
    axes.add_patch(Rectangle((side - _WIDTH / 2, at), _WIDTH, tall, color=colour, linewidth=0))


def _label(axes: Axes, side: int, text: str, start: tuple[float, float], n: int) -> None:
    at, unit = start
    x = side + (1 if side else -1) * (_WIDTH / 2 + 0.015)
    axes.text(x, at + n * unit / 2, text, ha="left" if side else "right", va="center", fontsize=9)


def _bands(
    axes: Axes,
    flows: Mapping[tuple[str, str], int],
    nodes: tuple[Sequence[Node], Sequence[Node]],
    starts: Sequence[Mapping[str, tuple[float, float]]],
    colours: Mapping[str, str],
) -> None:
    order = [[node.name for node in side] for side in nodes]
    out = {name: at for name, (at, _) in starts[0].items()}
    into: dict[tuple[str, str], float] = {}
    for b in order[1]:
        at, unit = starts[1][b]
        for a in order[0]:
            into[a, b] = at
            at += flows.get((a, b), 0) * unit
    for a in order[0]:
        for b in order[1]:
            n = flows.get((a, b), 0)
            if not n:
                continue
            tall = n * starts[0][a][1]
            stays = a == b
            axes.add_patch(
                PathPatch(
                    _ribbon(out[a], into[a, b], tall),
                    facecolor=STAYS if stays else colours[b],
                    alpha=0.45 if stays else 0.75,
                    edgecolor="white",
                    linewidth=0.6,
                    zorder=1 if stays else 2,
                )
            )
            out[a] += tall


def _ribbon(left: float, right: float, tall: float) -> Path:
    x0, x1 = _WIDTH / 2, 1 - _WIDTH / 2
    points = [(x0, left), (0.5, left), (0.5, right), (x1, right)]
    back = [(x1, right + tall), (0.5, right + tall), (0.5, left + tall), (x0, left + tall)]
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    return Path([*points, *back, (x0, left)], codes)


def picture(figure: Figure, kind: str) -> bytes:
    """The figure as `svg` or `png`; the letters are drawn, so that no reader needs the font."""
    out = BytesIO()
    settings = {"svg.hashsalt": "lifestage", "svg.fonttype": "path"}
    font = chinese_font()
    with matplotlib.rc_context({**settings, "font.family": ["DejaVu Sans", *([font] if font else [])]}):
        figure.savefig(out, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    return out.getvalue()
