"""When a change of the data, the scores or the stages is worth a word."""

from typing import Annotated

from pydantic import Field

from lifestage.documents import Model


class Monitoring(Model):
    """Limits of the watch over what the model reads and says, each against the release's training reference."""

    warn_stability_index: Annotated[float, Field(gt=0)] = 0.1
    """Population stability index from which a distribution counts as moved."""
    retrain_stability_index: Annotated[float, Field(gt=0)] = 0.25
    """The same from which it counts as another one."""
    warn_days_silent: Annotated[int, Field(ge=1)] = 3
    """Days between the newest row and as_of."""
    warn_volume_change: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Relative change of the rows of the last 30 days against what the shop's own earlier months let expect."""
    retrain_after_days: Annotated[int, Field(ge=1)] = 30
    """Age of what serves from which `training.retrain --when-needed` trains although nothing has moved."""
