"""Ranges that several settings have."""

from typing import Annotated

from pydantic import Field

Days = Annotated[int, Field(ge=1, le=3650)]
Share = Annotated[float, Field(ge=0, le=1)]
