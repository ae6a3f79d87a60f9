"""Whether a key is asked for. Secure by default: without one only this machine is answered, and only where we know it.

LIFESTAGE_ACCESS says it in so many words; the launcher sets it by the address it binds to:

* `keys`: always. The default wherever BentoML starts the service itself (`bentoml serve`, a container): the address
  is not ours to know there.
* `local`: as soon as a file of keys exists; until then only callers on this machine are answered. The launcher's
  default on loopback.
* `open`: never; for a service behind something that checks its callers.
"""

import ipaddress
import os

from lifestage.errors import InputError
from lifestage.settings import Shop
from serving.keyfile import KEYS_FILE, path_of, read

ACCESS = "LIFESTAGE_ACCESS"
KEYS, LOCAL, OPEN = "keys", "local", "open"
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def mode() -> str:
    """What LIFESTAGE_ACCESS says, else `keys`. Raises InputError."""
    said = os.environ.get(ACCESS) or KEYS
    if said not in (KEYS, LOCAL, OPEN):
        raise InputError(
            f"{ACCESS} is '{said}'; set it to {KEYS} (a key is needed), {LOCAL} (only callers on this machine, "
            f"until there are keys) or {OPEN} (nobody is asked)"
        )
    return said


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def launched_on(host: str) -> str:
    """The mode of a service that the launcher binds to `host`. Raises InputError."""
    said = mode() if os.environ.get(ACCESS) else LOCAL
    return KEYS if said == LOCAL and not is_loopback(host) else said


def check(shop: Shop, access: str, config: str | None = None) -> None:
    """Raises InputError where nobody could get in, or the file of keys is broken."""
    if access == OPEN:
        return
    path = path_of(shop)
    keys = read(path)
    if access == KEYS and not keys:
        config = config or os.environ.get("LIFESTAGE_CONFIG") or "FILE"
        raise InputError(
            f"the service needs an API key here, and {path} holds none; make one by: python -m serving.keys "
            f"--config {config} add NAME --scopes read,score (or name another file in {KEYS_FILE}; or, behind "
            f"something that checks the callers, set {ACCESS}={OPEN})"
        )


def key_asked(shop: Shop) -> bool:
    """Whether a caller needs a key now."""
    return mode() == KEYS or (mode() == LOCAL and path_of(shop).exists())


def from_this_machine(client: str, host: str) -> bool:
    """Whether a caller at address `client` who asked for `host` (the Host header) is on this machine.

    The name matters: a foreign web page can make a browser here call 127.0.0.1 under a name of its own.
    """
    name = host.rsplit(":", 1)[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
    return is_loopback(client) and name.strip("[]").lower() in LOCAL_NAMES
