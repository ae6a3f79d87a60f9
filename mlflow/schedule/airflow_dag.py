"""The weekly round as an Airflow DAG (Airflow 2.10 or 3): put this file into the folder of DAGs of a worker's machine.

The worker has the checkout with its .venv. A round keeps what each step gave: a retry, or clearing the task, goes on
where it stopped. `--as-of` is the day that the interval ends, so that catching up gives the round of that day.
"""

import shlex
from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator  # before Airflow 3: airflow.operators.bash
from airflow.sdk import DAG  # before Airflow 3: from airflow import DAG

CHECKOUT = "/srv/lifestage"
SHOPS = ("myshop",)
COMMANDS = {
    "retrain": "--config configs/{shop}.yaml --as-of {{{{ data_interval_end | ds }}}}",
    "alerts": "--config configs/{shop}.yaml",
}
"""Script of training/ -> its arguments, in the order in which they run."""

for shop in SHOPS:
    with DAG(
        dag_id=f"lifestage_{shop}",
        schedule="15 2 * * 0",
        start_date=datetime(2026, 1, 4, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,  # a shop's scripts wait for one another: a second round would only sit
        default_args={"retries": 2, "retry_delay": timedelta(minutes=10), "email_on_failure": True},
    ):
        before = None
        for script, arguments in COMMANDS.items():
            task = BashOperator(
                task_id=script,
                cwd=CHECKOUT,
                bash_command=f".venv/bin/python -m training.{script} {arguments.format(shop=shlex.quote(shop))}",
                # MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD come from the worker's environment.
                append_env=True,
                execution_timeout=timedelta(hours=6),
                skip_on_exit_code=None,  # every code but 0 is a failure
            )
            if before is not None:
                before >> task
            before = task
