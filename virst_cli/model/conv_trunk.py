"""A convolutional trunk with the interface of SAM 2's Hiera: an image in, maps at strides 4, 8, 16 and 32 out.

Not part of the published model; virst-nano uses it in SAM 2 and in the vision tower. Trained from scratch on little data, a
transformer trunk and a linear patch layer do not learn shapes; plain residual convolutions do. Convolutions do not know absolute
positions, so a learned position map is added at stride 16.
"""

import torch
from torch import Tensor, nn

from virst_cli.model.config import ConvTrunkConfig

POSITION_SIDE = 8  # the learned position map is 8x8, and is resized to the stride-16 map


class ResidualBlock(nn.Module):
    """Two convolutions with a shortcut, (B,C,h,w) to the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(8, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(8, channels)
        nn.init.zeros_(self.norm2.weight)  # starts as the identity

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(x + self.norm2(self.conv2(y)))


class Down(nn.Sequential):
    """A convolution that halves the resolution, and then residual blocks: (B,C,h,w) to (B,out,h/2,w/2)."""

    def __init__(self, channels: int, out: int, blocks: int = 0) -> None:
        super().__init__(
            nn.Conv2d(channels, out, 3, stride=2, padding=1, bias=False),
            nn.GroupNorm(8, out),
            nn.ReLU(),
            *(ResidualBlock(out) for _ in range(blocks)),
        )


class ConvTrunk(nn.Module):
    """Images (B,3,S,S) to four maps, finest first. `channel_list` is deepest first, as the `sam2` package's neck needs it."""

    def __init__(self, config: ConvTrunkConfig) -> None:
        super().__init__()
        widths = config.channels
        self.channel_list = list(reversed(widths))
        self.stem = Down(3, widths[0])  # stride 2
        self.stages = nn.ModuleList(
            Down(before, after, blocks)
            for before, after, blocks in zip((widths[0], *widths), widths, config.blocks, strict=False)
        )
        self.position = nn.Parameter(0.02 * torch.randn(1, widths[2], POSITION_SIDE, POSITION_SIDE))

    def forward(self, images: Tensor) -> list[Tensor]:
        return self._maps(images, last=len(self.stages) - 1)

    def down_to(self, images: Tensor, stride: int) -> list[Tensor]:
        """The maps down to a stride; deeper ones are not computed."""
        return self._maps(images, last=(stride // 8).bit_length())

    def _maps(self, images: Tensor, last: int) -> list[Tensor]:
        maps, x = [], self.stem(images)
        for level, stage in enumerate(self.stages[: last + 1]):
            x = stage(x)
            if level == 2:  # stride 16
                x = x + self._position_like(x)
            maps.append(x)
        return maps

    def _position_like(self, x: Tensor) -> Tensor:
        if x.shape[-2:] == self.position.shape[-2:]:
            return self.position
        return nn.functional.interpolate(self.position, size=x.shape[-2:], mode="bilinear", align_corners=False)
