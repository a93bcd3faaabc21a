"""The first half of the step look: the vision tower turns clips of four frames into patch tokens (UMT-HD-large; spec section 5).

It is a plain vision transformer with attention over all patches of a clip at once. Its position table is not learned: it is a
fixed sinusoid over 4 maps of 14x14 positions, each resized to the patch grid.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from virst_cli.model.config import CLIP_FRAMES, VisionConfig
from virst_cli.model.conv_trunk import ConvTrunk

TABLE_SIDE = 14  # the tower was pre-trained on 224 pixels: 14x14 patches of 16


def position_table(frames: int, side: int, width: int) -> Tensor:
    """The sinusoid position table of a clip, (frames*side*side, width) float32, ordered frame, row, column.

    Channel j at position p has the angle p / 10000^(2*floor(j/2)/width): sine for even j, cosine for odd j.
    """
    place = torch.arange(frames * TABLE_SIDE**2, dtype=torch.float64)
    channel = torch.arange(width, dtype=torch.float64)
    angle = place[:, None] / 10000 ** (2 * torch.floor(channel / 2) / width)
    table = torch.where(channel % 2 == 0, angle.sin(), angle.cos()).float()
    maps = table.view(frames, TABLE_SIDE, TABLE_SIDE, width).permute(0, 3, 1, 2)
    maps = F.interpolate(maps, size=(side, side), mode="bicubic", align_corners=False)
    return maps.permute(0, 2, 3, 1).reshape(frames * side * side, width)


class LinearPatches(nn.Module):
    """Patch tokens from one linear layer, as published."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        size = (1, config.patch, config.patch)
        self.proj = nn.Conv3d(3, config.width, kernel_size=size, stride=size)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B,F,3,H,W) to patch tokens (B,F*h*w,width)."""
        patches = self.proj(clips.transpose(1, 2))  # B,C,F,h,w
        return patches.flatten(2).transpose(1, 2)  # B,F*h*w,C


class Motion(nn.Module):
    """Motion features of every patch, from the stride-8 maps of a frame and its two neighbours; not in the published model.

    Attention between patches can't see an object that moves by less than a patch between two frames.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // 2, 1)
        self.mix = nn.Sequential(
            nn.Conv2d(3 * (channels // 2), width, 3, stride=2, padding=1),
            nn.GroupNorm(8, width),
            nn.ReLU(),
            nn.Conv2d(width, width, 1),
        )

    def forward(self, maps: Tensor, frames: int) -> Tensor:
        """Maps (B*F,C,2h,2w) of clips of F frames to (B*F,width,h,w). The first and the last frame are their own neighbours."""
        here = self.reduce(maps).unflatten(0, (-1, frames))  # B,F,C/2,2h,2w
        before = torch.cat([here[:, :1], here[:, :-1]], dim=1)
        after = torch.cat([here[:, 1:], here[:, -1:]], dim=1)
        return self.mix(torch.cat([before, here, after], dim=2).flatten(0, 1))


class TrunkPatches(nn.Module):
    """Patch tokens from a convolutional trunk's stride-16 map; unlike the linear layer, it can be trained from scratch."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        assert config.stem is not None and config.patch == 16
        self.trunk = ConvTrunk(config.stem)
        self.proj = nn.Linear(config.stem.channels[2], config.width)
        self.motion = Motion(config.stem.channels[1], config.width) if config.motion else None

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B,F,3,H,W) to patch tokens (B,F*h*w,width)."""
        return self.project(self.trunk.down_to(clips.flatten(0, 1), stride=16), frames=clips.shape[1])

    def project(self, maps: Sequence[Tensor], frames: int) -> Tensor:
        """The trunk's maps (B*F,C,...) at strides 4, 8 and 16 to patch tokens (B,F*h*w,width)."""
        tokens = self.proj(maps[2].flatten(2).transpose(1, 2))  # B*F,h*w,C
        if self.motion is not None:
            tokens = tokens + self.motion(maps[1], frames).flatten(2).transpose(1, 2)
        return tokens.reshape(-1, frames * tokens.shape[1], tokens.shape[2])


class Attention(nn.Module):
    """Self-attention over all tokens of a clip. Keys have no bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        bias = torch.cat([self.q_bias, torch.zeros_like(self.v_bias), self.v_bias])
        qkv = F.linear(x, self.qkv.weight, bias)  # B,P,3C
        q, k, v = qkv.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # B,heads,P,d
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """Two linear layers with a GELU between them, named as in the published tower."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=1e-6)
        self.attn = Attention(config.width, config.heads)
        self.norm2 = nn.LayerNorm(config.width, eps=1e-6)
        self.mlp = Mlp(config.width, config.width * config.mlp_ratio)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTower(nn.Module):
    """Normalised clips (B,F,3,H,W) to tokens (B,F*h*w,width), ordered frame, row, column. F is 4, or 1 for a single image."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed: TrunkPatches | LinearPatches = TrunkPatches(config) if config.stem else LinearPatches(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.vision_layernorm = nn.LayerNorm(config.width, eps=1e-12)
        self._tables: dict[int, Tensor] = {}

    def forward(self, clips: Tensor) -> Tensor:
        return self.attend(self.patch_embed(clips), frames=clips.shape[1])

    def attend(self, patches: Tensor, frames: int) -> Tensor:
        """The transformer: patch tokens (B,F*h*w,width) of clips of F frames to tokens of the same shape."""
        x = patches + self.positions(frames).to(patches)
        for block in self.blocks:
            x = block(x)
        return self.vision_layernorm(x)

    def positions(self, frames: int = CLIP_FRAMES) -> Tensor:
        """The position table of a clip, (frames*h*w, width), computed at first use."""
        if frames not in self._tables:
            self._tables[frames] = position_table(frames, self.config.image_size // self.config.patch, self.config.width)
        return self._tables[frames]
