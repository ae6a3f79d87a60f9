"""A shop's whole configuration, as a YAML file gives it."""

from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from lifestage.campaign import Profit
from lifestage.documents import Model, read_yaml, validate
from lifestage.errors import InputError
from lifestage.settings.alerts import Alerts
from lifestage.settings.gate import Gate
from lifestage.settings.models import DEFINED_BY, Churn, Clv, Features, Readiness
from lifestage.settings.monitoring import Monitoring
from lifestage.settings.privacy import Privacy
from lifestage.settings.scoring import Scoring
from lifestage.settings.serving import Serving
from lifestage.settings.tables import ENGINES, EngineOptions, Intake, Sources


class Shop(Model):
    """A shop's whole configuration."""

    shop: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    timezone: str
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    as_of: Literal["data_end", "now"] | date = "data_end"
    """data_end = the local midnight after the last purchase (or event, start or end of a term, labelled window,
    as churn is defined); now = the last local midnight."""
    observed_until: date | None = None
    """Labels are complete up to this local midnight; by default the start of the last local day seen."""
    engine: str = "duckdb"
    """duckdb, pyspark, or the URL of a database that holds the tables, e.g. postgres://user@host:5432/shop."""
    engine_options: EngineOptions = EngineOptions()
    sources: Sources
    intake: Intake = Intake()
    features: Features = Features()
    churn: Churn = Churn()
    readiness: Readiness = Readiness()
    clv: Clv = Clv()
    profit: Profit | None = None
    """Costs and success of a retention campaign: with it, training grades by profit and training.contact lists whom to
    contact."""
    policy: str = "ecommerce"
    """Name of a preset, or path of a policy file (.yaml)."""
    scoring: Scoring = Scoring()
    alerts: Alerts = Alerts()
    """Where training.alerts delivers the alerts of the policy."""
    gate: Gate = Gate()
    """When training.retrain replaces the model that serves."""
    monitoring: Monitoring = Monitoring()
    serving: Serving = Serving()
    privacy: Privacy = Privacy()
    output_dir: str = ""
    """Folder of history, quarantine and runs; by default var/<shop>."""
    release_dir: str = ""
    """Folder of the releases; by default <output_dir>/releases."""
    store: str = ""
    """Score store: sqlite:///path, or postgresql://user@host:5432/database; by default <output_dir>/store.db."""
    tracking_uri: str = "sqlite:///var/mlflow.db"
    """Runs and registered models: a SQLite file, or the address of a shared MLflow server, http(s)://host:5000."""

    @model_validator(mode="after")
    def _defined(self) -> "Shop":
        name = self.churn.definition
        table = DEFINED_BY[name]
        if table not in self.sources.given:
            raise ValueError(f"sources.{table}: is required for churn.definition {name}; say where it lies")
        if set(self.sources.given) <= {"labels", "identities"}:
            raise ValueError(
                "sources: labels alone tell nothing about a customer; add customers (with attributes), "
                "transactions, events or subscriptions"
            )
        if self.profit is not None and self.profit.value == "clv" and self.sources.transactions is None:
            raise ValueError(
                "profit.value: clv needs orders (sources.transactions), and this shop has none; give the amount "
                "that is lost with a customer who leaves, e.g. value: 120"
            )
        return self

    @field_validator("timezone")
    @classmethod
    def _timezone_exists(cls, value: str) -> str:
        zones = available_timezones()
        if value not in zones:
            close = get_close_matches(value, zones, n=1)
            advice = f"did you mean '{close[0]}'?" if close else "give an IANA name such as Europe/London"
            raise ValueError(f"timezone '{value}' does not exist; {advice}")
        return value

    @field_validator("engine")
    @classmethod
    def _engine_known(cls, value: str) -> str:
        if "://" not in value and value not in ENGINES:
            close = get_close_matches(value, ENGINES, n=1)
            advice = f"did you mean '{close[0]}'?" if close else "give duckdb, pyspark or a database's URL"
            raise ValueError(f"engine '{value}' is not known; {advice}")
        return value

    @model_validator(mode="after")
    def _engine_without_secrets(self) -> "Shop":
        url = urlsplit(self.engine)
        if url.password is not None or "password" in url.query.lower():
            # Not a matter of the field alone: its error would show the value.
            raise ValueError(
                "engine: a password does not belong into a file; take it out of the URL and set PGPASSWORD "
                "(PostgreSQL) or LIFESTAGE_ENGINE_PASSWORD (others) in the environment"
            )
        return self

    @model_validator(mode="after")
    def _store_without_secrets(self) -> "Shop":
        url = urlsplit(self.store)
        if url.password is not None or "password" in url.query.lower():
            raise ValueError(
                "store: a password does not belong into a file; take it out of the URL and set PGPASSWORD in the "
                "environment, or write it into ~/.pgpass"
            )
        return self

    @model_validator(mode="after")
    def _tracking_without_secrets(self) -> "Shop":
        url = urlsplit(self.tracking_uri)
        if url.password is not None or "password" in url.query.lower():
            raise ValueError(
                "tracking_uri: a password does not belong into a file; take it out of the URI and set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment"
            )
        return self

    @model_validator(mode="after")
    def _engine_holds_tables(self) -> "Shop":
        for name, source in self.sources.given.items():
            if source.table is not None and self.engine == "duckdb":
                raise ValueError(
                    f"sources.{name}.table: engine 'duckdb' has no tables of its own; give 'path', or set "
                    "'engine' to pyspark or to a database's URL"
                )
        return self

    @field_validator("as_of", "observed_until", mode="before")
    @classmethod
    def _day(cls, value: Any, info: ValidationInfo) -> Any:
        words = ("data_end", "now") if info.field_name == "as_of" else ()
        if value is None or value in words or type(value) is date:
            return value
        try:
            return date.fromisoformat(value)
        except (TypeError, ValueError):
            expected = ", ".join((*words, "a day such as 2025-12-31"))
            raise ValueError(f"expected {expected}") from None

    @property
    def output(self) -> Path:
        return Path(self.output_dir or f"var/{self.shop}")

    @property
    def releases(self) -> Path:
        return Path(self.release_dir) if self.release_dir else self.output / "releases"

    @property
    def alerts_folder(self) -> Path:
        return Path(self.alerts.folder) if self.alerts.folder else self.output / "alerts"

    @property
    def keys_file(self) -> Path:
        return Path(self.serving.keys) if self.serving.keys else self.output / "keys.json"

    @property
    def store_url(self) -> str:
        return self.store or f"sqlite:///{(self.output / 'store.db').as_posix()}"


def parse(document: Any, where: str) -> Shop:
    """A checked configuration; `where` names it in errors. Raises InputError with one line per mistake."""
    return validate(Shop, document, where)


def load(path: str | Path) -> Shop:
    """Read and check a shop's YAML file. Raises InputError."""
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give the path of a shop's YAML file"
        ) from None
    return parse(read_yaml(content, str(path)), str(path))
