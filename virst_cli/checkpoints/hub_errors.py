"""What goes wrong between this machine and the Hub, in one line each that says what helps."""

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from virst_cli.checkpoints.pins import HubName
from virst_cli.errors import DiskFull, VirstError, WeightsError

KEPT = "what was downloaded is kept, and the same command goes on with it"
FULL = (errno.ENOSPC, errno.EDQUOT)


def offline() -> bool:
    """Whether the user forbids the network: HF_HUB_OFFLINE, read when it matters."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


@contextmanager
def translating_hub_errors(name: HubName, cache: Path) -> Iterator[None]:
    """Turns whatever huggingface_hub raises into a WeightsError (or DiskFull), and keeps it from talking itself."""
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import logging as talk

    said = talk.get_verbosity()
    if os.environ.get("VIRST_DEBUG") != "1":
        talk.set_verbosity(logging.ERROR)  # it warns of every retry, with addresses that hold a signature
    transport: Any = HfHubHTTPError.__mro__[1]  # what its HTTP library raises for a line that is down
    try:
        yield
    except (transport, OSError) as error:
        raise _explained(error, name, cache) from None
    finally:
        talk.set_verbosity(said)


def _explained(error: Exception, name: HubName, cache: Path) -> VirstError:
    from huggingface_hub import constants, errors

    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # why it was looked for here
    hub = constants.ENDPOINT
    if isinstance(error, errors.GatedRepoError):
        return WeightsError(f"{name} is gated: accept its terms on {hub}/{name.repository}, then set HF_TOKEN")
    if isinstance(error, errors.RepositoryNotFoundError):
        return WeightsError(
            f"there is no model {str(name)!r} here and none on {hub} for you: check the name, or set HF_TOKEN if it is private"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return WeightsError(f"{name.repository} has no revision {name.revision!r}; see {hub}/{name.repository}/commits/main")
    if isinstance(error, errors.EntryNotFoundError) and isinstance(error, errors.HfHubHTTPError):
        return WeightsError(f"{name} lacks a file that it lists; its owner has to mend it ({_short(error)})")
    if isinstance(error, errors.HfHubHTTPError):
        return _status(error.response.status_code, hub)
    if isinstance(error, OSError) and error.errno in FULL:
        return DiskFull(f"{cache}: the disk is full; free some space, or set HF_HOME to another disk; {KEPT}")
    if isinstance(error, OSError) and error.filename:  # of this machine, not of the line
        return WeightsError(f"{error.filename}: can't be written ({error.strerror}); set HF_HOME to another folder")
    return WeightsError(f"{hub}: the download broke off ({_short(error)}); check connection and proxy; {KEPT}")


def _status(status: int, hub: str) -> WeightsError:
    if status == 401:
        return WeightsError(f"{hub} refuses the token (401); set HF_TOKEN to a valid one, or unset it")
    if status == 403:
        return WeightsError(f"{hub} refuses access (403); HF_TOKEN needs the right to read this model")
    if status == 429:
        return WeightsError(f"{hub} is asked too often (429); wait some minutes, or set HF_TOKEN; {KEPT}")
    return WeightsError(f"{hub} has a problem ({status}); try again later; {KEPT}")


def _short(error: Exception) -> str:
    """The first line of what a library says, without addresses: they may hold a signature."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    words = ("(address)" if "://" in word else word for word in lines[0].split())
    return " ".join(words)[:120]
