"""The code file of a registered model: MLflow runs it to load a version, so that nothing is pickled."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from lifestage.churn.model import ChurnModel
from lifestage.clv.model import ClvModel
from lifestage.clv.summary import Summary


class FolderModel(PythonModel):  # type: ignore[misc]
    """A churn or CLV model folder behind MLflow's predict."""

    def load_context(self, context: PythonModelContext) -> None:
        folder = Path(context.artifacts["model"])
        self.model: ChurnModel | ClvModel
        if (folder / "shipped.txt").is_file():
            self.model = ChurnModel.load(folder)
        else:
            self.model = ClvModel.load(folder)

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: Any = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """One row per input row: churn_probability, or the CLV columns from frequency, recency, T, monetary_value.

        A CLV model with covariates asks for a column of each, one with a season for `cutoff_day`, the day number.
        """
        frame = model_input.rename(columns=str)
        texts = (
            [c.name for c in self.model.covariates if not c.edges] if isinstance(self.model, ClvModel) else []
        )
        columns = {name: frame[name].to_numpy(np.float64) for name in frame.columns if name not in texts}
        if isinstance(self.model, ChurnModel):
            return pd.DataFrame({"churn_probability": self.model.predict(columns)})
        days = columns.pop("cutoff_day", np.array([np.nan]))
        x, t_x, T, m = (columns[name] for name in ("frequency", "recency", "T", "monetary_value"))
        told = {
            name: frame[name].astype(object).where(frame[name].notna(), None)
            for name in texts
            if name in frame
        }
        traits = {name: values.to_numpy(object) for name, values in told.items()}
        traits |= {name: columns[name] for name in self.model.covariate_names if name in columns}
        summary = Summary(x, t_x, T, m, np.isfinite(T), float(days[0]) if len(days) else np.nan, traits)
        return pd.DataFrame(self.model.predict(summary))


set_model(FolderModel())
