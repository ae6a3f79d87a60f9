"""Where a shop's tables lie, what their columns are, and what works on them."""

from typing import Annotated, Literal

from pydantic import (
    Field,
    model_validator,
)

from lifestage.documents import Model, known
from lifestage.schemas import CANONICAL
from lifestage.settings.ranges import Share

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
