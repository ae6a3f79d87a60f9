"""A user's own features: a function `view -> {name: array}` that the configuration names as "module:function".

It gets a copy of the block that holds nothing at or after the cutoff, so that it cannot leak even by mistake.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from lifestage.errors import InputError
from lifestage.features.feature import Feature
from lifestage.features.spec import FeatureSpec
from lifestage.history import Before, History
from lifestage.ragged import Floats

FAMILY = "custom"
Own = Callable[[Before], Mapping[str, Any]]
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def describe(spec: FeatureSpec) -> list[Feature]:
    """The catalogue's entries, in the order in which the function gave them at training."""
    return [
        Feature(name, FAMILY, "own", f"'{name}' of {spec.custom}", f"{spec.custom} 自定义特征“{name}”")
        for name in spec.custom_names
    ]


@lru_cache(maxsize=8)
def own_function(named: str) -> Own:
    """The function "module:function", imported as from the working directory. Raises InputError."""
    module, _, name = named.partition(":")
    where = f"features.custom '{named}'"
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", named):
        raise InputError(f"{where}: is no module:function; write e.g. my_features:compute")
    try:
        found = getattr(import_module(module), name, None)
    except ImportError as error:
        raise InputError(
            f"{where}: module '{module}' cannot be imported ({error}); run from the directory that holds "
            "it, or put that directory on PYTHONPATH"
        ) from None
    if not callable(found):
        raise InputError(f"{where}: module '{module}' has no function '{name}'; correct the name")
    own: Own = found
    return own


def compute(view: Before, spec: FeatureSpec) -> dict[str, Floats]:
    """One value per customer of the user's features, name -> float64[n], the names those of training."""
    if spec.custom is None:
        return {}
    found = call(view, spec.custom)
    if set(found) != set(spec.custom_names):
        odd = sorted(set(found) ^ set(spec.custom_names))
        raise InputError(
            f"features.custom '{spec.custom}': gave {', '.join(found) or 'nothing'}, at training "
            f"{', '.join(spec.custom_names)} (differing: {', '.join(odd)}); return the same names for every block"
        )
    return {name: found[name] for name in spec.custom_names}


def call(view: Before, named: str) -> dict[str, Floats]:
    """What the function gives for a view, checked. Raises InputError that names the function and the value."""
    where = f"features.custom '{named}'"
    try:
        found = own_function(named)(view.alone())
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{where}: failed with {type(error).__name__}: {error}; correct the function"
        ) from error
    if not isinstance(found, Mapping):
        raise InputError(f"{where}: gave a {type(found).__name__}; return a dict of name to array")
    for name, values in found.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise InputError(f"{where}: '{name}' is no name; use lower-case letters, digits and underscores")
        if not isinstance(values, np.ndarray) or values.dtype != np.float64 or values.shape != (len(view),):
            got = (
                f"{values.dtype}{list(values.shape)}"
                if isinstance(values, np.ndarray)
                else type(values).__name__
            )
            raise InputError(f"{where}: '{name}' is {got}; expected float64[{len(view)}], one a customer")
        if np.isinf(values).any():
            raise InputError(f"{where}: '{name}' holds an infinite value; use NaN for missing")
    return dict(found)


def learn(history: History, cutoff: int, named: str, taken: Iterable[str]) -> tuple[str, ...]:
    """The names that the function gives for a block, in its order.

    Raises InputError where a name is one of `taken`, or where a customer alone gets another value than in the
    block: a feature must depend on that customer's own rows only, else batch and service would differ.
    """
    found = call(history.before(cutoff), named)
    where = f"features.custom '{named}'"
    if clash := sorted(set(found) & set(taken)):
        raise InputError(f"{where}: '{clash[0]}' is the name of another feature; choose another name")
    if not found:
        raise InputError(f"{where}: gave no feature; return at least one, or remove features.custom")
    known = np.flatnonzero(history.known(cutoff))
    checked = known[[0, len(known) // 3, len(known) // 2, -1]] if len(known) else known
    for index in np.unique(checked).tolist():
        alone = call(history.one(index).before(cutoff), named)
        for name, values in found.items():
            one = alone.get(name, np.empty(0))
            if one.tobytes() != values[index : index + 1].tobytes():
                customer = history.customer_id[index].as_py()
                raise InputError(
                    f"{where}: '{name}' of customer '{customer}' is {values[index]} in a block of {len(values)} "
                    f"but {one[0] if len(one) else 'absent'} alone; it must not depend on other customers"
                )
    return tuple(found)
