"""The only package that knows MLflow: runs, registered versions, aliases, downloads."""

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

# MLflow asks a server for its usage statistics at import unless told not to.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# Two lines for each trial of a search.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

import mlflow
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from lifestage.errors import InputError
from lifestage.tracking.connection import explained, knock, sentences, shown
from lifestage.tracking.lineage import log_dataset
from lifestage.tracking.lock import lock

if TYPE_CHECKING:
    from pandas import DataFrame

logging.getLogger("mlflow").setLevel(logging.ERROR)  # its news is about itself; our scripts say what they do
logging.getLogger("alembic").setLevel(logging.ERROR)
CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
"""Aliases: what serves, what was trained last, what served before."""
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""What MLflow answers where a model, a version or an alias is not there; anything else is a fault."""
PYFUNC = Path(__file__).with_name("pyfunc.py")


@dataclass(frozen=True)
class Version:
    """One registered model version."""

    model: str
    version: str
    run_id: str
    metrics: Mapping[str, float]
    as_of: str = ""
    """The day that it was trained as of."""
    tags: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's own chatter off the terminal."""
    with (
        warnings.catch_warnings(),
        Path(os.devnull).open("w") as sink,
        redirect_stderr(sink),
        redirect_stdout(sink),
    ):
        warnings.simplefilter("ignore")
        yield


class Run:
    """An open MLflow run."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id

    def params(self, values: Mapping[str, Any]) -> None:
        mlflow.log_params({key: str(value)[:500] for key, value in values.items()})

    def metrics(self, values: Mapping[str, float]) -> None:
        mlflow.log_metrics({key: float(value) for key, value in values.items() if np.isfinite(value)})

    def tags(self, values: Mapping[str, Any]) -> None:
        mlflow.set_tags({key: str(value)[:4_000] for key, value in values.items()})

    def figure(self, figure: Any, name: str) -> None:
        mlflow.log_figure(figure, f"plots/{name}.png")

    def table(self, frame: Any, name: str) -> None:
        mlflow.log_text(frame.to_csv(index=False), f"tables/{name}.csv")

    def text(self, content: str, name: str) -> None:
        mlflow.log_text(content, name)

    def dataset(self, name: str, sources: Mapping[str, Any], window: Mapping[str, str]) -> None:
        """Which data it saw (see lineage.log_dataset)."""
        log_dataset(self.run_id, name, sources, window)

    def document(self, value: Mapping[str, Any], name: str) -> None:
        mlflow.log_dict(dict(value), f"{name}.json")

    def child(
        self, name: str, params: Mapping[str, Any], metrics: Mapping[str, float], tags: Mapping[str, Any]
    ) -> None:
        """A run nested in this one, begun and ended at once."""
        with mlflow.start_run(run_name=name, nested=True) as nested:
            child = Run(nested.info.run_id)
            child.params(params)
            child.metrics(metrics)
            child.tags(tags)

    def model(
        self,
        folder: Path,
        name: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        texts: Sequence[str] = (),
        *,
        example: "DataFrame | None" = None,
        tags: Mapping[str, Any] | None = None,
        card: str = "",
    ) -> Version:
        """Log a model folder (no pickle: files and a code file), register it, alias it challenger.

        inputs and outputs are numbers, but for the inputs among `texts`. example: rows of the inputs, kept as JSON.
        tags: of the version; card: its description, Markdown. The alias comes last: a challenger is whole.
        """
        told = {key: str(value)[:4_000] for key, value in (tags or {}).items()}
        signature = ModelSignature(
            Schema([ColSpec("string" if c in texts else "double", c, required=False) for c in inputs]),
            Schema([ColSpec("double", column) for column in outputs]),
        )
        with _quiet():
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(PYFUNC),
                artifacts={"model": str(folder)},
                signature=signature,
                input_example=example,
                pip_requirements=["lifestage"],
            )
            registered = mlflow.register_model(logged.model_uri, name, tags=told)
        version, client = str(registered.version), mlflow.MlflowClient()
        if card:
            client.update_model_version(name, version, description=card)
        client.set_registered_model_alias(name, CHALLENGER, version)
        return Version(name, version, self.run_id, {}, tags=told)


class Tracker:
    """A tracking server or file by its URI; `sqlite:///path.db` needs no server.

    Raises InputError, here and in every method, where a server is away or refuses the user.
    """

    def __init__(self, uri: str) -> None:
        knock(uri)
        self.uri = uri
        self._artifacts: str | None = None
        if uri.startswith("sqlite:///"):
            path = Path(uri.removeprefix("sqlite:///"))
            path.parent.mkdir(parents=True, exist_ok=True)
            self._artifacts = (path.parent / f"{path.stem}-artifacts").absolute().as_uri()
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        self.client = mlflow.MlflowClient()

    def ready(self) -> None:
        """Raises InputError where the server went away since."""
        knock(self.uri)

    def prepare(self, experiment: str) -> None:
        """The experiment is there: two processes that record at once do not both make it."""
        with sentences(self.uri):
            if self.client.get_experiment_by_name(experiment) is None:
                self.client.create_experiment(experiment, artifact_location=self._artifacts)

    @contextmanager
    def run(self, experiment: str, name: str, tags: Mapping[str, Any]) -> Iterator[Run]:
        """An MLflow run; marked failed where the block raises."""
        with sentences(self.uri):
            if self._artifacts is not None and self.client.get_experiment_by_name(experiment) is None:
                self.client.create_experiment(experiment, artifact_location=self._artifacts)
            with _quiet():
                mlflow.set_experiment(experiment)
            told = {key: str(value) for key, value in tags.items()}
            with mlflow.start_run(run_name=name, tags=told) as run:
                yield Run(run.info.run_id)

    def version(self, model: str, alias_or_version: str) -> Version:
        """A registered version by alias or number. Raises InputError where there is none."""
        found = self._found(model, alias_or_version)
        if found is None:
            raise InputError(
                f"{model}: has no version '{alias_or_version}' in {shown(self.uri)}; train it first "
                "(python -m training.train_clv and training.train_churn)"
            )
        with sentences(self.uri):
            data = self.client.get_run(found.run_id).data
        as_of = data.params.get("as_of", "")
        return Version(model, str(found.version), found.run_id, data.metrics, as_of, dict(found.tags))

    def aliased(self, model: str, alias: str) -> str | None:
        """The number of the version that an alias points at; None where it points at none."""
        found = self._found(model, alias)
        return None if found is None else str(found.version)

    def _found(self, model: str, alias_or_version: str) -> Any:
        """The registered version, None where there is none. An outage must not look like a shop without a champion."""
        try:
            if alias_or_version.isdigit():
                return self.client.get_model_version(model, alias_or_version)
            return self.client.get_model_version_by_alias(model, alias_or_version)
        except MlflowException as error:
            if error.error_code in ABSENT:
                return None
            raise InputError(explained(self.uri, error)) from None

    def alias(self, version: Version, alias: str) -> None:
        """Point `alias` at a version."""
        self.point(version.model, alias, version.version)

    def point(self, model: str, alias: str, version: str | None) -> None:
        """Point an alias at a version; None takes the alias away."""
        with sentences(self.uri):
            if version is None:
                self.client.delete_registered_model_alias(model, alias)
            else:
                self.client.set_registered_model_alias(model, alias, version)

    def tag(self, model: str, version: str, tags: Mapping[str, Any]) -> None:
        """Set tags of a registered version; one of None is removed."""
        with sentences(self.uri):
            for key, value in tags.items():
                if value is None:
                    self.client.delete_model_version_tag(model, version, key)
                else:
                    self.client.set_model_version_tag(model, version, key, str(value)[:4_000])

    def log_metrics(self, version: Version, values: Mapping[str, float]) -> None:
        """Further metrics of the run that made a version."""
        with sentences(self.uri):
            for name, value in values.items():
                if np.isfinite(value):
                    self.client.log_metric(version.run_id, name, float(value))

    @contextmanager
    def alone(
        self, shop: str, clock: Callable[[], float], sleep: Callable[[float], object]
    ) -> Iterator[None]:
        """Nobody else moves the aliases of a shop meanwhile, from whatever machine (see lock.lock)."""
        with sentences(self.uri), lock(self.client, f"{shop}-promoting", clock, sleep):
            yield

    def download(self, version: Version, folder: Path) -> Path:
        """The model folder of a version, copied below `folder`."""
        with sentences(self.uri):
            uri = self.client.get_model_version(version.model, version.version).source
            root = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder)))
        return next(path.parent for path in root.rglob("manifest.json"))
