"""Saves a trained model as a folder that `virst_cli.load` opens."""

from pathlib import Path

import torch

from virst_cli.checkpoints.write_folder import new_model_folder
from virst_cli.training.loop import Trainer


def save_model(trainer: Trainer, folder: Path) -> Path:
    """Write a trainer's model to a new folder, without the auxiliary heads; returns the folder.

    The weights are float16: half the size, with the same masks. Raises OutputError if the folder exists.
    """
    tensors = {name: value.to("cpu", torch.float16, copy=True) for name, value in trainer.model.state_dict().items()}
    trained_on = {"data": trainer.source.name, "seed": trainer.seed, "seconds": round(trainer.seconds)}
    recipe = [{"stage": stage.name, "steps": stage.steps, "rate": stage.lr} for stage in trainer.recipe]
    with new_model_folder(folder) as writer:
        writer.write_shard("model", tensors)
        writer.finish(trainer.config, trainer.prompts.tokenizer, {**trained_on, "recipe": recipe})
    return folder
