"""`virst train`: make virst-nano from nothing, or tune it to your own videos."""

from pathlib import Path
from typing import Annotated

import typer

from virst_cli.commands.options import Device, data_root

EXAMPLES = """
Examples:

  virst train --output my-nano

  virst train --output my-nano --effort 0.05 --workers 1

  virst train --init virst-nano --dataset mevis --root my-clips --output mine
"""


def train(
    output: Annotated[Path, typer.Option("--output", "-o", help="Model folder to make; the state is kept beside it.")],
    init: Annotated[str | None, typer.Option("--init", metavar="MODEL", help="Start from this model, not from nothing.")] = None,
    dataset: Annotated[
        str, typer.Option("--dataset", metavar="NAME", help="Any of `virst bench` with masks; default: the synthetic world.")
    ] = "world",
    root: Annotated[Path | None, typer.Option("--root", metavar="DIR", help="Holds the data set, as for `virst bench`.")] = None,
    stage: Annotated[list[str] | None, typer.Option("--stage", metavar="NAME", help="Only this stage; repeatable.")] = None,
    effort: Annotated[float, typer.Option(min=0.0001, help="Share of the recipe's steps; less is faster and worse.")] = 1.0,
    device: Device = "auto",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; default: one a core. For an accelerator they draw its clips.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the clips and of the first weights.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the state that an earlier run left.")] = False,
) -> None:
    """Train virst-nano from nothing on the synthetic world, or tune a model to your own videos.

    The state is saved every minute in OUTPUT.training; stopped at any moment, `--resume` goes on from there to the same losses.
    Your own videos: in the layout of a data set of `virst bench`, with `--init`.
    """
    from virst_cli.checkpoints.find import find_model
    from virst_cli.commands.progress import print_training_step
    from virst_cli.errors import OutputError, UsageError
    from virst_cli.machine.devices import resolve_device
    from virst_cli.training.loop import STATE
    from virst_cli.training.save_model import save_model
    from virst_cli.training.setup import WORLD, TrainingJob
    from virst_cli.training.workers import train as run

    state = output.with_name(output.name + ".training")
    if output.exists():
        raise OutputError(f"{output} exists already; choose another --output")
    if (state / STATE).exists() and not resume:
        raise OutputError(f"{state} holds an unfinished training; go on with --resume, or remove it")
    if init is None and (dataset != WORLD or root is not None):
        raise UsageError("your own videos are too few to learn from nothing; add --init virst-nano")
    job = TrainingJob(
        state, seed=seed, effort=effort, stages=tuple(stage or ()), init=find_model(init) if init else None, dataset=dataset,
        root=root if dataset == WORLD else data_root(root), device=resolve_device(device),
    )  # fmt: skip
    trainer = run(job, print_training_step, workers=workers)
    typer.echo(save_model(trainer, output))
