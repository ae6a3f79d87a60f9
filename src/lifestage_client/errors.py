"""The one exception of this package."""

from lifestage_client.answers import Fault


class LifestageError(Exception):
    """An answer other than 2xx, or none: `status` is then 0."""

    def __init__(
        self,
        detail: str,
        *,
        status: int = 0,
        type: str = "",
        path: str | None = None,
        errors: list[Fault] | None = None,
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        """One sentence that says what to mend."""
        self.status = status
        self.type = type
        """urn:lifestage:problem:<kind>; stable, for programs."""
        self.path = path
        """The field at fault, such as customers[0].purchases[3].amount."""
        self.errors: list[Fault] = errors or []
        """Every fault found, the first twenty."""
        self.request_id = request_id
        """Stands in the service's log too."""
        self.retry_after = retry_after
        """Seconds after which the service asks to try again."""

    def __str__(self) -> str:
        status = f"{self.status} " if self.status else ""
        return f"{status}{self.detail} (request {self.request_id})"
