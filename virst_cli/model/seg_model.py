"""SAM 2.1 as VIRST uses it: the `sam2` package's modules with the differences of spec section 11.

A prompt is ten vectors instead of clicks, all three masks are always offered and the best one by predicted IoU is
taken, and the memory of an anchor is made from its soft mask. All sentences about a video are tracked as one batch over
one encoded frame.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from sam2.modeling.backbones.hieradet import Hiera
from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder
from sam2.modeling.position_encoding import PositionEmbeddingSine
from sam2.modeling.sam.mask_decoder import MaskDecoder
from sam2.modeling.sam.prompt_encoder import PromptEncoder
from sam2.modeling.sam.transformer import RoPEAttention, TwoWayTransformer
from sam2.modeling.sam2_base import NO_OBJ_SCORE, SAM2Base
from sam2.modeling.sam2_utils import MLP
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from virst_cli.model.config import NEAREST_ANCHORS, POINTER_FRAMES, RECENT_FRAMES, HieraConfig, SegmentationConfig
from virst_cli.model.conv_trunk import ConvTrunk

NOTHING_SEEN = NO_OBJ_SCORE  # logit of every pixel where nothing is seen


class FrameFeatures(NamedTuple):
    """SAM2's image features of B frames, as the mask decoder wants them: maps at strides 4, 8 and 16."""

    fine: Tensor  # B,C/8,4h,4w
    middle: Tensor  # B,C/4,2h,2w
    coarse: Tensor  # B,C,h,w   the `vision_features` that both fusions see


@dataclass
class Tracked:
    """What SAM2 makes of one frame for n sentences."""

    logits: Tensor  # n,1,4h,4w   low-resolution mask logits, float32; NOTHING_SEEN everywhere where nothing is seen
    score: Tensor  # n,1   object score; above 0: seen
    pointer: Tensor  # n,C   object pointer
    memory: Tensor  # n,memory width,h,w   rounded to bfloat16, as stored by the published code
    ious: Tensor  # n,3   predicted IoU of the three masks


class TensorPromptEncoder(PromptEncoder):
    """Takes prompts as vectors (n,10,C) where the package takes click coordinates (n,P,2)."""

    def _embed_points(self, points: Tensor, labels: Tensor, pad: bool) -> Tensor:
        if points.shape[-1] == self.embed_dim:
            return points
        return super()._embed_points(points, labels, pad)


class SegModel(SAM2Base):
    """SAM 2.1 with prompts as vectors. Parameters carry the names of the `sam2` package."""

    def __init__(self, config: SegmentationConfig) -> None:
        self.config = config  # before SAM2Base.__init__, which calls _build_sam_heads
        super().__init__(
            image_encoder=_image_encoder(config),
            memory_attention=_memory_attention(config),
            memory_encoder=_memory_encoder(config),
            image_size=config.image_size,
            num_maskmem=1 + RECENT_FRAMES,
            max_cond_frames_in_attn=NEAREST_ANCHORS,
            max_obj_ptrs_in_encoder=1 + POINTER_FRAMES,
            sigmoid_scale_for_mem_enc=20.0,
            sigmoid_bias_for_mem_enc=-10.0,
            use_mask_input_as_output_without_sam=True,
            directly_add_no_mem_embed=True,
            no_obj_embed_spatial=True,
            use_high_res_features_in_sam=True,
            multimask_output_in_sam=True,
            iou_prediction_use_sigmoid=True,
            use_obj_ptrs_in_encoder=True,
            add_tpos_enc_to_obj_ptrs=True,
            proj_tpos_enc_in_obj_ptrs=True,
            use_signed_tpos_enc_to_obj_ptrs=True,
            only_obj_ptrs_in_the_past_for_eval=True,
            pred_obj_scores=True,
            pred_obj_scores_mlp=True,
            fixed_no_obj_ptr=True,
            multimask_output_for_tracking=True,
            use_multimask_token_for_obj_ptr=True,
            use_mlp_for_obj_ptr_proj=True,
        )

    def encode(self, images: Tensor) -> FrameFeatures:
        """Images (B,3,S,S), normalised, to their features."""
        return FrameFeatures(*self.forward_image(images)["backbone_fpn"])

    def anchor(self, features: FrameFeatures, prompts: Tensor, earlier: Tensor | None = None) -> Tracked:
        """Masks of one frame (features of batch 1) from prompts (n,10,C) alone, without memory.

        `earlier`: low-resolution logits (n,1,4h,4w) of a first answer for the same frame, which then serve as a mask prompt.
        """
        labels = torch.zeros(prompts.shape[:2], dtype=torch.int32, device=prompts.device)
        return self._track(
            features,
            sentences=prompts.shape[0],
            frame_idx=0,
            is_init_cond_frame=True,
            point_inputs={"point_coords": prompts, "point_labels": labels},
            output_dict={},
            num_frames=1,
            prev_sam_mask_logits=None if earlier is None else earlier.clamp(-32.0, 32.0),
        )

    def propagate(
        self, features: FrameFeatures, frame: int, anchors: dict[int, Tracked], recent: dict[int, Tracked], length: int
    ) -> Tracked:
        """Masks of frame number `frame` from the memory of anchors and recent frames; `length`: frames in the video."""
        return self._track(
            features,
            sentences=next(iter(anchors.values())).pointer.shape[0],
            frame_idx=frame,
            is_init_cond_frame=False,
            point_inputs=None,
            output_dict={
                "cond_frame_outputs": {number: self._entry(seen) for number, seen in anchors.items()},
                "non_cond_frame_outputs": {number: self._entry(seen) for number, seen in recent.items()},
            },
            num_frames=length,
            prev_sam_mask_logits=None,
        )

    def _track(self, features: FrameFeatures, sentences: int, **arguments: Any) -> Tracked:
        maps = [level.expand(sentences, -1, -1, -1) for level in features]
        flat = [_flat(level) for level in maps]
        sizes = [tuple(level.shape[-2:]) for level in maps]
        encoding = self.image_encoder.neck.position_encoding(maps[-1]).to(maps[-1].dtype)
        out, answer, _, _ = self._track_step(
            current_vision_feats=flat,
            current_vision_pos_embeds=[_flat(encoding)],  # only the coarse map's is read
            feat_sizes=sizes,
            mask_inputs=None,
            track_in_reverse=False,
            **arguments,
        )
        _, _, ious, logits, high, pointer, score = answer
        if arguments["is_init_cond_frame"]:  # as published, from the chosen mask; `high` can differ from it in the last bit
            size = (self.image_size, self.image_size)
            high = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        self._encode_memory_in_output(flat, sizes, None, True, high, score, out)
        memory = out["maskmem_features"]
        return Tracked(logits, score, pointer, memory.to(torch.bfloat16).to(memory.dtype), ious)

    def _entry(self, seen: Tracked) -> dict[str, Any]:
        return {
            "maskmem_features": seen.memory,
            "maskmem_pos_enc": [self.memory_encoder.position_encoding(seen.memory).to(seen.memory.dtype)],
            "obj_ptr": seen.pointer,
        }

    def _use_multimask(self, is_init_cond_frame: bool, point_inputs: Any) -> bool:
        return True  # always three masks, the best by predicted IoU

    def _build_sam_heads(self) -> None:
        """The package's own, with the sizes of the config where it has constants, and with `TensorPromptEncoder`."""
        config, side = self.config, self.image_size // self.backbone_stride
        self.sam_prompt_embed_dim = self.hidden_dim
        self.sam_image_embedding_size = side
        self.sam_prompt_encoder = TensorPromptEncoder(
            embed_dim=self.hidden_dim,
            image_embedding_size=(side, side),
            input_image_size=(self.image_size, self.image_size),
            mask_in_chans=16,
        )
        self.sam_mask_decoder = MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(depth=2, embedding_dim=self.hidden_dim, mlp_dim=config.decoder_mlp, num_heads=8),
            transformer_dim=self.hidden_dim,
            iou_head_depth=3,
            iou_head_hidden_dim=config.iou_hidden,
            use_high_res_features=True,
            iou_prediction_use_sigmoid=True,
            pred_obj_scores=True,
            pred_obj_scores_mlp=True,
            use_multimask_token_for_obj_ptr=True,
        )
        self.obj_ptr_proj = MLP(self.hidden_dim, self.hidden_dim, self.hidden_dim, 3)
        self.obj_ptr_tpos_proj = nn.Linear(self.hidden_dim, self.mem_dim)


def _flat(maps: Tensor) -> Tensor:
    return maps.flatten(2).permute(2, 0, 1)  # h*w,B,C


class _LinspaceOnCpu(TorchFunctionMode):
    """Hiera reads numbers out of a `torch.linspace` while it is built, which the meta device can't give."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.linspace:
            kwargs["device"] = "cpu"
        return func(*args, **kwargs)


def _image_encoder(config: SegmentationConfig) -> ImageEncoder:
    trunk = config.trunk
    if isinstance(trunk, HieraConfig):
        with _LinspaceOnCpu():
            backbone: nn.Module = Hiera(
                embed_dim=trunk.embed_dim,
                num_heads=trunk.heads,
                stages=trunk.stages,
                global_att_blocks=trunk.global_blocks,
                window_pos_embed_bkg_spatial_size=trunk.position_grid,
                window_spec=trunk.windows,
            )
    else:
        backbone = ConvTrunk(trunk)
    neck = FpnNeck(
        position_encoding=_sine(config.width),
        d_model=config.width,
        backbone_channel_list=list(reversed(trunk.channels)),
        fpn_top_down_levels=list(config.fpn_top_down),
        fpn_interp_model="nearest",
    )
    return ImageEncoder(trunk=backbone, neck=neck, scalp=1)


def _memory_attention(config: SegmentationConfig) -> MemoryAttention:
    def attention(**extra: Any) -> RoPEAttention:
        return RoPEAttention(
            rope_theta=10000.0,
            feat_sizes=(config.map_size, config.map_size),
            embedding_dim=config.width,
            num_heads=config.memory_heads,
            downsample_rate=1,
            **extra,
        )

    layer = MemoryAttentionLayer(
        activation="relu",
        dim_feedforward=config.memory_mlp,
        dropout=0.0,  # 0.1 in SAM2's own training; no effect on inference
        pos_enc_at_attn=False,
        self_attention=attention(),
        d_model=config.width,
        pos_enc_at_cross_attn_keys=True,
        pos_enc_at_cross_attn_queries=False,
        cross_attention=attention(rope_k_repeat=True, kv_in_dim=config.memory_width),
    )
    return MemoryAttention(d_model=config.width, pos_enc_at_input=True, layer=layer, num_layers=config.memory_layers)


def _memory_encoder(config: SegmentationConfig) -> MemoryEncoder:
    block = CXBlock(dim=config.width, kernel_size=7, padding=3, layer_scale_init_value=config.fuser_scale, use_dwconv=True)
    return MemoryEncoder(
        out_dim=config.memory_width,
        in_dim=config.width,
        position_encoding=_sine(config.memory_width),
        mask_downsampler=MaskDownSampler(embed_dim=config.width, kernel_size=3, stride=2, padding=1),
        fuser=Fuser(block, num_layers=config.fuser_layers),
    )


def _sine(width: int) -> PositionEmbeddingSine:
    return PositionEmbeddingSine(num_pos_feats=width, normalize=True, scale=None, temperature=10000)
