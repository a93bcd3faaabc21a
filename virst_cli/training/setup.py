"""Sets up a training: a new model on the synthetic world, or an existing model on the user's videos."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from virst_cli.bench import Sample, open_dataset
from virst_cli.checkpoints.weights import ModelFolder
from virst_cli.model.config import VIRST_NANO
from virst_cli.model.prompt import PromptBuilder
from virst_cli.model.virst import Virst
from virst_cli.training.data import WorldClips
from virst_cli.training.loop import CPU, Trainer
from virst_cli.training.recipe import FINE_TUNING, RECIPE, TrainingStage, chosen, scaled
from virst_cli.training.teacher import Teacher
from virst_cli.training.user_videos import UserVideos
from virst_cli.training.vocabulary import with_words, word_tokenizer
from virst_cli.training.world_teacher import WorldTeacher, from_nothing
from virst_cli.world import vocabulary

WORLD = "world"  # the data set that is the synthetic world, if no root is given


@dataclass(frozen=True)
class TrainingJob:
    """What to train, on which data.

    folder: of the training state.
    effort: share of the recipe's steps.
    stages: names of the stages to train; all if empty.
    init: folder of the model to start from; None: random weights.
    dataset: name of the data set, as for `virst bench`.
    root: folder that holds the data set.
    """

    folder: Path
    seed: int = 0
    effort: float = 1.0
    stages: tuple[str, ...] = ()
    init: Path | None = None
    dataset: str = WORLD
    root: Path | None = None
    device: torch.device = CPU

    def trainer(self, num_workers: int = 0) -> Trainer:
        """A trainer with the model and the data of the job. Raises UsageError if the model or the data can't be trained.

        num_workers: as for `Trainer`.
        """
        samples = None if self.dataset == WORLD and self.root is None else _read_samples(self.dataset, self.root)
        whole: Sequence[TrainingStage] = RECIPE if samples is None else FINE_TUNING
        recipe = scaled(chosen(whole, self.stages) if self.stages else whole, self.effort)
        if self.init is None:
            prompts = PromptBuilder(word_tokenizer(vocabulary()))
            teacher: Teacher = from_nothing(VIRST_NANO, prompts, self.seed)
        else:
            torch.manual_seed(self.seed)
            model, prompts = _open_with_words(ModelFolder.open(self.init), samples)
            teacher = WorldTeacher(model, prompts) if samples is None else Teacher(model)
        size = teacher.model.config.segmentation.image_size
        source = WorldClips(prompts, size) if samples is None else UserVideos(self.dataset, samples, prompts, size)
        return Trainer(teacher, source, prompts, recipe, self.folder, seed=self.seed, device=self.device, num_workers=num_workers)


def _read_samples(name: str, root: Path | None) -> list[Sample]:
    """All videos of a data set; frames and masks are only read when they are used."""
    dataset = open_dataset(name, root)
    return [dataset[index] for index in range(len(dataset))]


def _open_with_words(folder: ModelFolder, samples: Sequence[Sample] | None) -> tuple[Virst, PromptBuilder]:
    """The model and its prompts, with new rows in its embeddings for the words of the samples' sentences that it lacks."""
    prompts = folder.prompt_builder
    model = folder.build(lambda: Virst(folder.config), "", device="cpu", dtype=torch.float32)
    if samples is None:
        return model, prompts
    sentences = (prompts.normalise(expression.text) for sample in samples for expression in sample.expressions)
    words = sorted({word for sentence in sentences for word in re.findall(r"[\w']+|[^\w\s]", sentence)})
    prompts = PromptBuilder(with_words(prompts.tokenizer, words))
    known = model.language_model.get_parameter("embed_tokens.weight")
    missing = prompts.tokenizer.get_vocab_size() - len(known)
    if missing > 0:
        rows = torch.cat([known, 0.1 * torch.randn(missing, known.shape[1])])
        model.language_model.embed_tokens = nn.Embedding.from_pretrained(rows, freeze=False)
        model.config = replace(model.config, language=replace(model.config.language, vocabulary=len(rows)))
    return model, prompts
