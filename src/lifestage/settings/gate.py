"""When a newly trained model takes the place of the one that serves."""

from typing import Annotated

from pydantic import Field

from lifestage.documents import Model
from lifestage.settings.ranges import Share


class Gate(Model):
    """What a challenger must show beside the champion on the same customers, neither having seen their outcome."""

    min_gain: Annotated[float, Field(ge=-1, le=1)] = 0.0
    """Relative gain in churn.grade_measure (CLV: in the deviance of orders) that the lower end of its 95 % interval
    must exceed for a replacement at once; 0.02 = 2 % better, surely. A churn model that does not surely rank worse may
    show it in the Brier score instead."""
    max_loss: Share = 0.01
    """A younger challenger that is not surely better still replaces the champion where it is surely not worse by more
    than this share: it has seen newer data. 0 = only a better one does."""
    max_calibration_error: Share = 0.05
    """Expected calibration error of the challenger, unless true probabilities would show as much on so few customers,
    or the champion's is larger still."""
    max_slowdown: Annotated[float, Field(ge=1)] = 2.0
    """Times as long as the champion that the challenger may take to score the same customers."""
    fast_enough_ms: Annotated[float, Field(ge=0)] = 50.0
    """Milliseconds for 1,000 customers up to which a challenger is never too slow, whatever the champion takes."""
    max_segment_loss: Share = 0.1
    """Share of the champion's figure that any one segment may lose, surely."""
    max_total_loss: Share = 0.1
    """CLV: by how much further from what came the challenger's total of orders or spend may surely be, as a share of
    what came; 0.1 = ten points."""
