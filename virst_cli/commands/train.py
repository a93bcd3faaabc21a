"""`virst train`: make virst-nano from nothing."""

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """
Examples:

  virst train --output my-nano

  virst train --output my-nano --effort 0.05 --workers 1
"""


def train(
    output: Annotated[Path, typer.Option("--output", "-o", help="Model folder to make; the state is kept beside it.")],
    effort: Annotated[float, typer.Option(min=0.0001, help="Share of the recipe's steps; less is faster and worse.")] = 1.0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: one a core.")] = None,
    seed: Annotated[int, typer.Option(help="Of the clips and of the first weights.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the state that an earlier run left.")] = False,
) -> None:
    """Train virst-nano from nothing on the synthetic world.

    The state is saved every minute in OUTPUT.training; stopped at any moment, `--resume` goes on from there to the same losses.
    """
    from virst_cli.commands.progress import TrainingProgress
    from virst_cli.errors import OutputError
    from virst_cli.training.export import export
    from virst_cli.training.loop import STATE
    from virst_cli.training.workers import train as run

    state = output.with_name(output.name + ".training")
    if output.exists():
        raise OutputError(f"{output} exists already; choose another --output")
    if (state / STATE).exists() and not resume:
        raise OutputError(f"{state} holds an unfinished training; go on with --resume, or remove it")
    with TrainingProgress() as progress:
        trainer = run(state, progress.report, workers=workers, effort=effort, seed=seed)
    typer.echo(export(trainer, output))
