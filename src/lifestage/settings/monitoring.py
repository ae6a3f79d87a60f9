"""When a change of the data, the scores or the stages is worth a word."""

from typing import Annotated

from pydantic import Field, model_validator

from lifestage.documents import Model
from lifestage.settings.ranges import Share


class Monitoring(Model):
    """Limits of the watch over what the model reads and says, each against the release's training reference."""

    warn_stability_index: Annotated[float, Field(gt=0, le=10)] = 0.1
    """Population stability index, beyond chance, from which a distribution counts as moved."""
    retrain_stability_index: Annotated[float, Field(gt=0, le=10)] = 0.25
    """The same from which it counts as another one."""
    normal_movement_factor: Annotated[float, Field(ge=1, le=100)] = 1.5
    """Times the shop's normal movement over as long a time that a column must exceed as well."""
    least_importance: Share = 0.02
    """Share of the churn model's importance below which a feature's movement is listed, but warns nobody."""
    retrain_importance: Share = 0.1
    """Share that the features beyond retrain_stability_index must carry together to ask for retraining."""
    warn_days_silent: Annotated[int, Field(ge=1)] = 3
    """Whole days without a row up to as_of, where the table's own gaps were not longer before."""
    warn_volume_change: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Relative change of the rows of the last 28 days against what the shop's own past lets expect."""
    warn_rejects_share: Share = 0.05
    """Share of rejects among the rows that came since the release."""
    retrain_after_days: Annotated[int, Field(ge=1)] = 30
    """Age of what serves from which `training.retrain --when-needed` trains although nothing has moved."""

    @model_validator(mode="after")
    def _in_order(self) -> "Monitoring":
        if self.warn_stability_index > self.retrain_stability_index:
            raise ValueError(
                f"warn_stability_index ({self.warn_stability_index:g}) is above retrain_stability_index "
                f"({self.retrain_stability_index:g}); a warning must come first: give it the smaller limit"
            )
        return self
