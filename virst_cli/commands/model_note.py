"""What is said about the model before it is used: which, why, what it is for, and what it will not understand."""

from collections.abc import Sequence

import typer


def say_model(model: str | None, unknown_words: Sequence[str]) -> None:
    """On stderr. model: as `--model` has it; unknown_words: of the sentences, that the model has never seen."""
    from virst_cli.checkpoints.find import choose_model
    from virst_cli.checkpoints.registry import EMBEDDED, PUBLISHED

    chosen = choose_model(model)
    typer.echo(f"model: {chosen.name}, {chosen.reason} ({chosen.path})", err=True)
    if chosen.path.name == EMBEDDED:
        known = "dogs, cats, birds, cars, balls and boxes in six colours"
        get = PUBLISHED["virst-7b"].pull_command
        typer.echo(f"{EMBEDDED} knows only its synthetic world ({known}); for real videos: {get}", err=True)
    if unknown_words:
        typer.echo(f"virst: warning: the model does not know: {', '.join(unknown_words)}", err=True)
