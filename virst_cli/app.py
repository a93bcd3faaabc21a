"""The `virst` program: registers all commands, and turns every exception into one line on stderr and an exit code."""

import atexit
import codecs
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import typer

from virst_cli.commands import batch, bench, doctor, export_overlay, segment, train, weights, world
from virst_cli.commands.failures import report_error
from virst_cli.commands.options import go_offline
from virst_cli.commands.signals import stop_on_signals
from virst_cli.version import __version__

EPILOG = """\b
Exit codes: 0 done, 1 failed, 2 usage or bad input, 3 nothing found in the video,
4 weights missing or damaged, 5 out of memory or disk, 130/143 interrupted.

\b
Examples:
  virst segment video.mp4 "the dog that jumps last"
  virst export-overlay
"""

app = typer.Typer(
    name="virst",
    help="Turn a video and a sentence into masks.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,  # rich would triple the time that --help takes
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("segment", epilog=segment.EPILOG)(segment.segment)
app.command("batch", epilog=batch.EPILOG)(batch.batch)
app.command("export-overlay", epilog=export_overlay.EPILOG)(export_overlay.export_overlay)
app.command("bench", epilog=bench.EPILOG)(bench.bench)
app.command("world", epilog=world.EPILOG)(world.world)
app.command("train", epilog=train.EXAMPLES)(train.train)
app.command("doctor", epilog=doctor.EPILOG)(doctor.doctor)
app.add_typer(weights.app, name="weights")


def _show_version(show: bool) -> None:
    if show:
        typer.echo(f"virst {__version__}")
        raise typer.Exit


@app.callback()
def _virst(
    version: bool = typer.Option(False, "--version", help="Show the version and exit.", callback=_show_version, is_eager=True),
    offline: bool = typer.Option(False, "--offline", help="Use no network; the same as HF_HUB_OFFLINE=1.", callback=go_offline),
) -> None:
    """Turn a video and a sentence into masks."""


def run(arguments: Sequence[str]) -> int:
    """Run a command; returns its exit code. arguments: the command line without the name of the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # UTF-8 prints file names of other encodings unchanged; a console that lacks letters shows them as \uXXXX
            utf8 = codecs.lookup(stream.encoding).name == "utf-8"
            stream.reconfigure(errors="surrogateescape" if utf8 else "backslashreplace")
    try:
        with stop_on_signals():
            code = app(list(arguments), prog_name="virst", standalone_mode=False)
            sys.stdout.flush()
    except BaseException as error:  # Ctrl-C and sys.exit() too
        return report_error(error)
    return int(code or 0)


def main() -> NoReturn:
    """Run the program and exit.

    It exits with os._exit: Python would take 1.4 s to tear down torch, and Ctrl-C must take effect within two seconds.
    """
    code = run(sys.argv[1:])
    with suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    atexit._run_exitfuncs()  # these stop child processes
    os._exit(code)
