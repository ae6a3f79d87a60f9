"""What the lifecycle pictures share: a stage's colour and label, fonts that hold Chinese, dates."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.colors import Colormap, ListedColormap, to_hex, to_rgb
from matplotlib.figure import Figure

from lifestage.clv.plots.canvas import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    canvas,
    thousands,
)
from lifestage.lifecycle.metrics.moves import GONE
from lifestage.lifecycle.policy import NEW, Policy
from lifestage.ragged import Floats

__all__ = ["BLACK", "BLUE", "GREY", "canvas", "cells", "label", "palette", "readable", "thousands"]

OF_ROLE = {"prospect": PURPLE, "new": SKY, "active": GREEN, "at_risk": ORANGE, "lost": VERMILION}
PALER = 0.45
"""How far a role's last stage is from its colour to white."""
CHINESE = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "Microsoft YaHei",
    "PingFang SC",
    "SimHei",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
)
P = ParamSpec("P")
R = TypeVar("R", bound=Figure)


@lru_cache(maxsize=1)
def _families() -> list[str]:
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in CHINESE if name in installed)]


def readable(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw with a font for Chinese names behind the usual one, where the machine has any; `$` is no formula."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.rc_context({"font.family": _families(), "text.parse_math": False}):
            return draw(*args, **kwargs)

    return drawn


def palette(policy: Policy, stages: list[str]) -> dict[str, str]:
    """Stage -> colour: a role's own, the paler the later the stage; a stage that the policy lacks is grey."""
    role = {stage.name: stage.role for stage in policy.stages}
    found = {NEW: SKY, GONE: GREY}
    for name in stages:
        if name not in role:
            found[name] = GREY
            continue
        alike = [n for n in stages if role.get(n) == role[name]]
        step = PALER * alike.index(name) / max(len(alike) - 1, 1)
        red, green, blue = to_rgb(OF_ROLE[role[name]])
        found[name] = to_hex((red + (1 - red) * step, green + (1 - green) * step, blue + (1 - blue) * step))
    return found


def label(policy: Policy, stage: str) -> str:
    """A stage's English label."""
    found = {s.name: s.labels.en for s in policy.stages}
    return found.get(stage, stage)


def cells(axes: Any, values: Floats, colours: Colormap, top: float) -> None:
    """A heat map, cell (i, j) around x = j and y = i, the first row on top; NaN in the colour map's `bad`."""
    # Not imshow: its picture would be an <image> of pixels within the SVG.
    rows, columns = values.shape
    grid = (np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5)
    axes.pcolormesh(*grid, np.zeros_like(values), cmap=ListedColormap([colours.get_bad()]))
    axes.pcolormesh(
        *grid, np.ma.masked_invalid(values), cmap=colours, vmin=0, vmax=top, edgecolors="white", lw=0.4
    )
    axes.invert_yaxis()
