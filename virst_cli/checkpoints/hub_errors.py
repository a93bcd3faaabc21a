"""Turns what goes wrong between this machine and the Hub into errors of one line that say what to do."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from virst_cli.checkpoints.pins import HubName
from virst_cli.errors import DiskFull, VirstError, WeightsError
from virst_cli.files.atomic import is_disk_full

RESUMES = "what was downloaded is kept, and the same command continues from there"


def offline() -> bool:
    """Whether the user forbids the network with HF_HUB_OFFLINE. Read at every call, because --offline sets it late."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


@contextmanager
def translating_hub_errors(name: HubName, cache: Path) -> Iterator[None]:
    """Turns whatever huggingface_hub raises into a WeightsError or DiskFull, and silences its own warnings.

    name: the model that is downloaded.
    cache: the folder that is written to.
    """
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import logging as hub_logging

    verbosity = hub_logging.get_verbosity()
    if os.environ.get("VIRST_DEBUG") != "1":
        hub_logging.set_verbosity(logging.ERROR)  # it warns of every retry, with addresses that contain a signature
    connection_error: Any = HfHubHTTPError.__mro__[1]  # the base class of its HTTP library's errors
    try:
        yield
    except ImportError as error:
        if "socksio" not in str(error):
            raise
        raise WeightsError("a SOCKS proxy is set, and its package is missing; pip install 'virst[socks]', or unset it") from None
    except (connection_error, OSError) as error:
        raise _translated(error, name, cache) from None
    finally:
        hub_logging.set_verbosity(verbosity)


def _translated(error: Exception, name: HubName, cache: Path) -> VirstError:
    from huggingface_hub import constants, errors

    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # why the Hub could not be asked
    hub = constants.ENDPOINT
    if isinstance(error, errors.GatedRepoError):
        return WeightsError(f"{name} is gated: accept its terms on {hub}/{name.repository}, then set HF_TOKEN")
    if isinstance(error, errors.RepositoryNotFoundError):
        return WeightsError(
            f"{str(name)!r} is neither on this machine nor on {hub}; check the name, or set HF_TOKEN if the model is private"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return WeightsError(f"{name.repository} has no revision {name.revision!r}; see {hub}/{name.repository}/commits/main")
    if isinstance(error, errors.EntryNotFoundError) and isinstance(error, errors.HfHubHTTPError):
        return WeightsError(
            f"{name} lists a file that the Hub does not have ({_summary(error)}); ask its owner to upload it again"
        )
    if isinstance(error, errors.HfHubHTTPError):
        return _status_error(error.response.status_code, hub)
    if is_disk_full(error):
        return DiskFull(f"{cache}: the disk is full; free some space, or set HF_HOME to another disk; {RESUMES}")
    if isinstance(error, OSError) and error.filename:  # a local file, not the connection
        return WeightsError(f"{error.filename} can't be written ({error.strerror}); set HF_HOME to another folder")
    return WeightsError(f"{hub}: the download failed ({_summary(error)}); check the connection and the proxy; {RESUMES}")


def _status_error(status: int, hub: str) -> WeightsError:
    """The error for an HTTP status."""
    if status == 401:
        return WeightsError(f"{hub} refuses the token (401); set HF_TOKEN to a valid one, or unset it")
    if status == 403:
        return WeightsError(f"{hub} refuses access (403); use an HF_TOKEN that may read this model")
    if status == 429:
        return WeightsError(f"{hub} refuses more requests for now (429); wait some minutes, or set HF_TOKEN; {RESUMES}")
    return WeightsError(f"{hub} answers with an error ({status}); try again later; {RESUMES}")


def _summary(error: Exception) -> str:
    """The first line of an error message, without addresses, because they may contain a signature."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    words = ("(address)" if "://" in word else word for word in lines[0].split())
    return " ".join(words)[:120]
