"""The section `churn.settings` of a shop's configuration: LightGBM parameters in place of those chosen by size."""

from typing import Annotated, Any

from pydantic import Field

from lifestage.documents import Model

Fraction = Annotated[float, Field(gt=0, le=1)]


class Boosting(Model):
    """What may be set of the trees; nothing that would bend the probabilities, such as objective or class weights.

    `training.tune` searches for them and prints the section. What is left out is chosen by the number of rows.
    """

    learning_rate: Fraction | None = None
    """Shrinkage of each tree; smaller asks for more trees."""
    num_leaves: Annotated[int, Field(ge=2, le=1_024)] | None = None
    min_data_in_leaf: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Rows (customers x cutoffs) in a leaf; as many in effect where outcomes are even, more where one is rare."""
    lambda_l2: Annotated[float, Field(ge=0, le=1e6)] | None = None
    feature_fraction: Fraction | None = None
    """Share of the features that each tree may use."""
    bagging_fraction: Fraction | None = None
    """Share of the rows that each tree sees, drawn anew for each; 1 = all."""

    def parameters(self) -> dict[str, Any]:
        """LightGBM's names and values, with what a setting needs beside it to take effect."""
        given = self.model_dump(exclude_none=True)
        if (rows := given.get("min_data_in_leaf")) is not None:
            given["min_sum_hessian_in_leaf"] = rows / 10  # the rule of the settings by size
        if given.get("bagging_fraction", 1.0) < 1:
            given["bagging_freq"] = 1
        return given
