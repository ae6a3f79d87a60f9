"""Stand-in until the policy language's own module is merged."""

from typing import Annotated

from pydantic import Field

from lifestage.documents import Model

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Condition = Annotated[str, Field(min_length=1)]


class Texts(Model):
    """The same words in English and Chinese."""

    en: Annotated[str, Field(min_length=1)]
    zh: Annotated[str, Field(min_length=1)]
