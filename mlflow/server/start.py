"""Start the shared MLflow server from what the environment says; `compose.yaml` runs it inside its container.

Writes the file that MLflow's log-in wants (its database is the tracking database, where it keeps tables of its own),
makes the bucket where there is none, and becomes `mlflow server`. Refuses to start without its secrets.
"""

import os
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote, urlsplit

NEEDED = ("MLFLOW_FLASK_SERVER_SECRET_KEY", "MLFLOW_AUTH_ADMIN_PASSWORD")
PERMISSIONS = ("READ", "USE", "EDIT", "MANAGE", "NO_PERMISSIONS")
LEAST_LETTERS = 12
REMEMBERED_SECONDS = 60
"""A password that was changed, or a user who was removed, may still be let in for so long."""


def database() -> str:
    """The URI of the tracking database, from the variables that PostgreSQL's own tools read, or as it is given."""
    if given := os.environ.get("MLFLOW_BACKEND_STORE_URI"):
        return given
    user, password, host, name = (
        quote(os.environ[f"PG{part}"], safe="") for part in ("USER", "PASSWORD", "HOST", "DATABASE")
    )
    return f"postgresql+psycopg2://{user}:{password}@{host}:{os.environ.get('PGPORT', '5432')}/{name}"


def refuse_weak() -> None:
    """End where a secret is missing or too short, or the permission is none of MLflow's."""
    for name in NEEDED:
        if len(os.environ.get(name, "")) < LEAST_LETTERS:
            sys.exit(f"{name}: is missing or shorter than {LEAST_LETTERS} letters; set it in the environment")
    if permission() not in PERMISSIONS:
        sys.exit(f"MLFLOW_DEFAULT_PERMISSION: '{permission()}' is none of {', '.join(PERMISSIONS)}")


def permission() -> str:
    """What a user may do with experiments and models of others."""
    return os.environ.get("MLFLOW_DEFAULT_PERMISSION") or "READ"


def log_in_file(uri: str) -> Path:
    """The log-in's settings, readable by us alone: the database's password stands in it."""
    folder = Path(tempfile.mkdtemp(prefix="mlflow-auth"))
    file = folder / "basic_auth.ini"
    lines = [
        "[mlflow]",
        f"default_permission = {permission()}",
        f"database_uri = {uri.replace('%', '%%')}",  # a configparser file
        "admin_username = admin",
        # Hashing a password is slow on purpose, and a training asks some hundred times: once a minute is enough.
        f"auth_cache_ttl_seconds = {REMEMBERED_SECONDS}",
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth",
    ]
    file.touch(mode=0o600)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def make_bucket(destination: str) -> None:
    """Make the bucket of an s3:// destination where there is none; other places need nothing."""
    if not destination.startswith("s3://"):
        return
    import boto3
    from botocore.exceptions import ClientError

    client = boto3.client("s3", endpoint_url=os.environ.get("MLFLOW_S3_ENDPOINT_URL") or None)
    bucket = urlsplit(destination).netloc
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise
        client.create_bucket(Bucket=bucket)


def main() -> None:
    """Become the server."""
    refuse_weak()
    uri, destination = database(), os.environ["MLFLOW_ARTIFACTS_DESTINATION"]
    os.environ["MLFLOW_BACKEND_STORE_URI"] = uri  # not an argument: everybody on the machine sees those
    os.environ.setdefault(
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false"
    )  # processes of their own, for judging LLMs
    os.environ["MLFLOW_AUTH_CONFIG_PATH"] = str(log_in_file(uri))
    make_bucket(destination)
    os.execv(
        sys.executable, [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", *sys.argv[1:]]
    )


if __name__ == "__main__":
    main()
