"""`virst train`: train virst-nano from random weights, or tune a model to your own videos."""

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
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the new model. The training state is kept in OUTPUT.training.")
    ],
    init: Annotated[
        str | None, typer.Option("--init", metavar="MODEL", help="Model to start from. Default: random weights.")
    ] = None,
    dataset: Annotated[
        str, typer.Option("--dataset", metavar="NAME", help="Data set to train on: one of `virst bench` with masks.")
    ] = "world",
    root: Annotated[
        Path | None, typer.Option("--root", metavar="DIR", help="Folder that holds the data set, as for `virst bench`.")
    ] = None,
    stage: Annotated[
        list[str] | None,
        typer.Option("--stage", metavar="NAME", help="Train only this stage. Repeat the option for several stages."),
    ] = None,
    effort: Annotated[
        float, typer.Option(min=0.0001, help="Share of the recipe's steps. Fewer steps are faster and give worse masks.")
    ] = 1.0,
    device: Device = "auto",
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Number of processes. Default: one per CPU core. With an accelerator they prepare its batches."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random weights and of the batches.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the training state of an earlier run.")] = False,
) -> None:
    """Train virst-nano from random weights on synthetic videos, or tune a model to your own videos.

    The training state is saved every minute in OUTPUT.training. After an interruption, `--resume` continues from it,
    and the losses are the same as without the interruption.

    To tune a model, put your videos in the layout of a data set of `virst bench`, and use `--init` and `--dataset`.
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
        raise OutputError(f"{output} already exists; choose another --output")
    if (state / STATE).exists() and not resume:
        raise OutputError(f"{state} holds the state of an unfinished training; add --resume to continue it, or remove the folder")
    if init is None and (dataset != WORLD or root is not None):
        raise UsageError("your own videos are too few to train from random weights; add --init virst-nano")
    job = TrainingJob(
        state, seed=seed, effort=effort, stages=tuple(stage or ()), init=find_model(init) if init else None, dataset=dataset,
        root=root if dataset == WORLD else data_root(root), device=resolve_device(device),
    )  # fmt: skip
    trainer = run(job, print_training_step, workers=workers)
    typer.echo(save_model(trainer, output))
