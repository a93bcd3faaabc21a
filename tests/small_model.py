"""A model of the published kind, Hiera and linear patches, with random weights and small sizes."""

import dataclasses
from pathlib import Path

import torch

from tests.random_weights import write_model
from virst_cli.model.config import HieraConfig, LanguageConfig, SegmentationConfig, VirstConfig, VisionConfig
from virst_cli.training.vocabulary import word_tokenizer
from virst_cli.world import vocabulary

SMALL = VirstConfig(
    "small",
    VisionConfig(image_size=128, width=64, blocks=2, heads=4, merging_heads=4, frames=8),
    LanguageConfig(width=64, layers=3, heads=4, key_value_heads=2, mlp=128),
    SegmentationConfig(
        image_size=128,
        width=64,
        memory_width=16,
        trunk=HieraConfig(embed_dim=16, heads=1, stages=(1, 1, 2, 1), global_blocks=(3,), windows=(8, 4, 8, 4)),
        memory_mlp=128,
        fusion_strides=(1,),
        initial_fusion=True,
    ),
)


def write(folder: Path, config: VirstConfig = SMALL, dtype: torch.dtype = torch.bfloat16) -> Path:
    """The model's folder, with the words of the synthetic world."""
    tokenizer = word_tokenizer(vocabulary())
    language = dataclasses.replace(config.language, vocabulary=tokenizer.get_vocab_size())
    return write_model(folder, dataclasses.replace(config, language=language), tokenizer, dtype)


def wide(folder: Path) -> Path:
    """A model whose parts are some megabytes each, so that none fits where something smaller was let go."""
    config = dataclasses.replace(
        SMALL,
        vision=dataclasses.replace(SMALL.vision, width=512, heads=8),
        language=dataclasses.replace(SMALL.language, width=512, mlp=2048),
        segmentation=dataclasses.replace(
            SMALL.segmentation, image_size=512, width=128, fusion_strides=(2, 2), initial_fusion=False
        ),
    )
    return write(folder, config)


def middle(folder: Path) -> Path:
    """A model of some hundred megabytes."""
    config = dataclasses.replace(
        SMALL,
        vision=dataclasses.replace(SMALL.vision, image_size=224, width=1024, blocks=8, heads=16, merging_heads=16),
        language=dataclasses.replace(SMALL.language, width=1024, layers=8, heads=8, mlp=4096),
        segmentation=dataclasses.replace(
            SMALL.segmentation,
            image_size=512,
            width=256,
            memory_width=64,
            memory_mlp=2048,
            trunk=dataclasses.replace(HieraConfig(), embed_dim=96, heads=1, stages=(1, 2, 7, 2), global_blocks=(5,)),
            fusion_strides=(2, 2),
        ),
    )
    return write(folder, config)
