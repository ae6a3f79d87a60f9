"""The frozen configuration models: one YAML file a shop, typos refused with the nearest right name."""

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

from lifestage.boosting import Boosting
from lifestage.campaign import Profit
from lifestage.documents import Model, known, read_yaml, validate
from lifestage.errors import InputError
from lifestage.schemas import CANONICAL

Days = Annotated[int, Field(ge=1, le=3650)]
Share = Annotated[float, Field(ge=0, le=1)]
ENGINES = ("duckdb", "pyspark")
"""Besides the URLs of databases."""


class Source(Model):
    """Where one canonical table comes from and how its columns read."""

    path: str | None = None
    """File or glob, .csv, .csv.gz or .parquet, relative to the directory the command runs in."""
    dataset: Literal["cdnow"] | None = None
    """A data set that comes with an installed package, instead of a path."""
    table: str | None = None
    """A table of the engine, `schema.table` or `catalog.schema.table`, instead of a path."""
    columns: dict[str, str] = Field(min_length=1)
    """Our column name: theirs, or a SQL expression over theirs."""
    where: str | None = None
    """SQL condition over their columns; rows for which it is not true are left out and counted."""
    grain: Literal["order", "line"] = "order"
    """transactions only: `line` sums the lines of one order_id into the order."""
    delimiter: str = ","
    """CSV only."""

    @model_validator(mode="after")
    def _one_place(self) -> "Source":
        if sum(place is not None for place in (self.path, self.dataset, self.table)) != 1:
            raise ValueError(
                "give exactly one of 'path' (a file or glob), 'table' (of the engine) and 'dataset' (cdnow)"
            )
        return self


class Sources(Model):
    transactions: Source | None = None
    """Needed where churn is about purchases; without it there is no CLV model."""
    events: Source | None = None
    customers: Source | None = None
    feedback: Source | None = None
    identities: Source | None = None
    """Aliases: rows of one customer under several ids become one."""
    subscriptions: Source | None = None
    labels: Source | None = None
    """Churn as the shop itself knows it, for churn.definition given."""

    @model_validator(mode="after")
    def _columns_fit(self) -> "Sources":
        for name, source in self.given.items():
            table = CANONICAL[name]
            for column in source.columns:
                if column not in table.names and name != "customers":
                    raise ValueError(f"{name}: unknown column '{column}'{known(table.names, column)}")
            for column in table.required:
                if column not in source.columns:
                    raise ValueError(
                        f"{name}: column '{column}' is required: say which of your columns it is"
                    )
            if name != "transactions" and source.grain != "order":
                raise ValueError(f"{name}: 'grain' is for transactions only")
        orders = self.transactions
        if orders is not None and orders.grain == "line" and "order_id" not in orders.columns:
            raise ValueError("transactions: grain 'line' needs the column 'order_id' to sum the lines by")
        return self

    @property
    def given(self) -> dict[str, Source]:
        """The tables this shop has."""
        return {
            name: getattr(self, name) for name in type(self).model_fields if getattr(self, name) is not None
        }


class Intake(Model):
    max_reject_share: Share = 0.05
    """Share of rejected rows of one table above which the run stops."""


class Features(Model):
    """What the churn model reads beside the purchases; each family is on where its table is given."""

    max_event_types: Annotated[int, Field(ge=0, le=100)] = 12
    """Event types with columns of their own; the others count in totals."""
    min_event_type_share: Share = 0.001
    """Of all events; rarer types get no columns of their own."""
    funnel: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Event types in the order of a customer's way to an order, e.g. [view, cart, checkout]."""
    max_levels: Annotated[int, Field(ge=1, le=250)] = 30
    """Levels kept of a text attribute; the rest are 'other'."""
    min_level_share: Share = 0.002
    """Of the customers; rarer levels are 'other', and a column of rare ones only is left out."""
    custom: Annotated[str, Field(min_length=3)] | None = None
    """A function of your own, "module:function", importable from the working directory: view -> {name: array}."""
    max_single_auc: Annotated[float, Field(gt=0.5, le=1)] = 0.97
    """A feature that alone tells leavers from stayers better than this stops training; 1 = never."""

    @field_validator("funnel")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("names an event type twice; give each step once")
        return value


DEFINED_BY = {
    "purchase": "transactions",
    "activity": "events",
    "subscription": "subscriptions",
    "given": "labels",
}
"""Churn definition -> the table it needs."""


class Churn(Model):
    """What leaving means, how far ahead, and from which cutoffs it is learnt."""

    definition: Literal["purchase", "activity", "subscription", "given"] = "purchase"
    """purchase: no order in the horizon; activity: no event; subscription: the term ends and is not renewed;
    given: as the shop's own label table says."""
    horizon_days: Days = 90
    active_within_days: Days = 365
    """purchase and activity: eligible = an order (event) within so many days before the cutoff."""
    grace_days: Annotated[int, Field(ge=0, le=3650)] = 0
    """subscription: a new term that starts so many days after an end, or sooner, renews it."""
    train_cutoffs: Annotated[int, Field(ge=1, le=60)] = 6
    """Training cutoffs of the evaluation fit, as far as the data reach back."""
    step_days: Days = 30
    """Days between training cutoffs."""
    min_history_days: Annotated[int, Field(ge=0, le=3650)] = 90
    """No cutoff earlier than so many days after the first purchase."""
    max_rows: Annotated[int, Field(ge=1_000)] = 1_000_000
    """Rows (customers x cutoffs) of a fit; of a larger shop that many are drawn, by a hash of customer_id."""
    grade_measure: Literal["average_precision", "roc_auc"] = "average_precision"
    """What the grade compares with the plain rule; average_precision is that of the class rarer in training."""
    settings: Boosting = Boosting()
    """LightGBM parameters in place of those chosen by size; training.tune finds and prints them."""
    monotone: bool = False
    """Hold the trees, which correct the linear base, to the directions on which the field agrees: longer silence
    never less churn, more orders or active days never more. Not for a shop of yearly gifts."""
    segments: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Attributes of the customers by which the report gives figures too, beside value, tenure and channel."""
    seed: int = 7


class Readiness(Model):
    """Minimums that data must meet before anything is trained on them: beyond a `refuse_` figure training stops,
    beyond the plain one it warns."""

    accept_unready: bool = False
    """Train all the same; what is missing is printed."""
    min_customers: Annotated[int, Field(ge=1)] = 500
    """Eligible customers at each cutoff."""
    refuse_customers: Annotated[int, Field(ge=1)] = 100
    min_per_class: Annotated[int, Field(ge=1)] = 50
    """Customers of the rarer outcome (churned, stayed) at each cutoff."""
    refuse_per_class: Annotated[int, Field(ge=1)] = 10
    max_missing_share: Share = 0.5
    """Share of customers without a value, each attribute column."""
    max_gap_days: Days = 7
    """Days in a row without any row of any customer; a gap as long as the horizon is refused."""
    max_duplicate_share: Share = 0.02
    """Share of rows that repeat another row of the same customer in every column."""
    refuse_duplicate_share: Share = 0.3
    max_burst: Annotated[int, Field(ge=2)] = 100
    """Rows that carry one and the same second."""
    max_midnight_share: Share = 0.1
    """Share of orders at exactly midnight, unless all are dates without a time."""
    horizon_factor: Annotated[float, Field(ge=1)] = 3
    """How many times longer or shorter than suggested a horizon may be."""


class Clv(Model):
    horizon_days: Days = 365
    yearly_discount_rate: Annotated[float, Field(ge=0, le=1)] = 0.10
    """0.10 = 10 % a year."""
    margin: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of an order's value that is contribution margin; clv is multiplied by it."""


class Reasons(Model):
    """Which customers get the reasons of their churn probability: each costs several times what its score does."""

    top: Annotated[int, Field(ge=0, le=20)] = 3
    """Reasons a customer; 0 = none."""
    highest_risk_share: Share = 0.02
    """Share of the eligible customers, the riskiest by the release's distribution; 1 = all of them."""
    highest_value_share: Share = 0.02
    """Share of the buyers, the most valuable by the release's distribution, who get them whatever their risk."""


class Scoring(Model):
    block_customers: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    flow_months: Annotated[int, Field(ge=0, le=60)] = 12
    """How many past months `training.pipeline` stages too, for the flow between stages."""
    reasons: Reasons = Reasons()
    """Written into the release, so that batch and service give the same."""


class EngineOptions(Model):
    """For engine pyspark; no secrets here: Spark and database drivers read those from the environment."""

    master: str = "local[*]"
    """Spark's master URL."""
    spark: dict[str, str] = Field(default_factory=dict)
    """Spark's own settings, e.g. spark.executor.memory: 8g."""
    partitions: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Partitions of whole customers; by default four for each core that Spark has."""
    worker_memory: Annotated[str, Field(pattern=r"^[0-9]+(MB|GB)$")] = "1GB"
    """What one worker process may hold in memory before it spills to disk."""


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
    output_dir: str = ""
    """Folder of history, quarantine and runs; by default var/<shop>."""
    release_dir: str = ""
    """Folder of the releases; by default <output_dir>/releases."""
    store: str = ""
    """Score store: sqlite:///path; by default <output_dir>/store.db."""
    tracking_uri: str = "sqlite:///var/mlflow.db"

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
