"""The steps anchor and propagate: SAM 2.1's mask decoder and memory, built from the `sam2` package (spec section 11).

VIRST differs from SAM 2.1 in three things: a prompt is ten vectors instead of clicks; the decoder always predicts three masks, of
which the one with the highest predicted IoU is taken; and the memory of an anchor is encoded from its soft mask. All sentences
about a video are tracked as one batch over one encoded frame.
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

NOTHING_SEEN = NO_OBJ_SCORE  # mask logit of every pixel of a frame in which no object is seen


class FrameFeatures(NamedTuple):
    """SAM 2's image features of B frames, as the mask decoder takes them: maps at strides 4, 8 and 16."""

    fine: Tensor  # B,C/8,4h,4w
    middle: Tensor  # B,C/4,2h,2w
    coarse: Tensor  # B,C,h,w   `vision_features` in the package; the input of both fusions


@dataclass
class Tracked:
    """SAM 2's output for one frame and n sentences."""

    logits: Tensor  # n,1,4h,4w   low-resolution mask logits, float32; all NOTHING_SEEN if the object score is not above 0
    score: Tensor  # n,1   object score; above 0: an object is seen
    pointer: Tensor  # n,C   object pointer
    memory: Tensor  # n,memory width,h,w   memory features, rounded to bfloat16 as in the published code
    ious: Tensor  # n,3   predicted IoU of the three masks


class TensorPromptEncoder(PromptEncoder):
    """Takes prompts as vectors (n,10,C) in place of the package's click coordinates (n,P,2)."""

    def _embed_points(self, points: Tensor, labels: Tensor, pad: bool) -> Tensor:
        if points.shape[-1] == self.embed_dim:
            return points
        return super()._embed_points(points, labels, pad)


class SegModel(SAM2Base):
    """SAM 2.1 with prompts as vectors. Its parameters have the names of the `sam2` package."""

    def __init__(self, config: SegmentationConfig) -> None:
        self.config = config  # before SAM2Base.__init__, which calls _build_sam_heads
        super().__init__(
            image_encoder=_image_encoder(config),
            memory_attention=_memory_attention(config),
            memory_encoder=_memory_encoder(config),
            # The only value that differs from SAM 2.1's own configuration (sam2.1_hiera_l.yaml). SAM 2.1 attends to all anchors
            # (-1); VIRST attends to the nearest ones, because a chunk has many.
            max_cond_frames_in_attn=NEAREST_ANCHORS,
            # Sizes. With the published ones, the values are those of SAM 2.1: 1024, 7 and 16.
            image_size=config.image_size,
            num_maskmem=1 + RECENT_FRAMES,
            max_obj_ptrs_in_encoder=1 + POINTER_FRAMES,
            # As SAM 2.1's own configuration has them. They differ from the defaults of SAM2Base, which are 1 for the scale, 0 for
            # the bias and False for the others (only add_tpos_enc_to_obj_ptrs is True there too).
            sigmoid_scale_for_mem_enc=20.0,
            sigmoid_bias_for_mem_enc=-10.0,
            use_mask_input_as_output_without_sam=True,
            directly_add_no_mem_embed=True,
            no_obj_embed_spatial=True,
            use_high_res_features_in_sam=True,
            multimask_output_in_sam=True,
            multimask_output_for_tracking=True,
            use_multimask_token_for_obj_ptr=True,
            iou_prediction_use_sigmoid=True,
            use_obj_ptrs_in_encoder=True,
            add_tpos_enc_to_obj_ptrs=True,
            proj_tpos_enc_in_obj_ptrs=True,
            use_signed_tpos_enc_to_obj_ptrs=True,
            only_obj_ptrs_in_the_past_for_eval=True,
            use_mlp_for_obj_ptr_proj=True,
            pred_obj_scores=True,
            pred_obj_scores_mlp=True,
            fixed_no_obj_ptr=True,
            # Not given: multimask_min_pt_num and multimask_max_pt_num (0 and 1 in SAM 2.1's configuration), which only the
            # package's `_use_multimask` reads, and ours replaces it; and binarize_mask_from_pts_for_mem_enc, which is False by
            # default as VIRST needs it, though SAM 2's builder of the video predictor sets it.
        )

    def encode(self, images: Tensor) -> FrameFeatures:
        """Normalised images (B,3,S,S) to their features."""
        return FrameFeatures(*self.forward_image(images)["backbone_fpn"])

    def anchor(self, features: FrameFeatures, prompts: Tensor, earlier: Tensor | None = None) -> Tracked:
        """The step anchor: masks of one frame from its prompts alone, without memory.

        features: of that frame (batch 1).
        prompts: (n,10,C) for n sentences.
        earlier: low-resolution logits (n,1,4h,4w) of an earlier prediction for the same frame, used as a mask prompt.
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
        """The step propagate: masks of one frame from the memory of anchors and of the frames before it.

        features: of that frame (batch 1).
        frame: its number.
        anchors, recent: frame number -> output, for the anchors that it attends to and for the frames before it.
        length: number of frames in the video.
        """
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
        """Runs one tracking step of the package for all sentences. arguments: the package's, where the two steps differ."""
        maps = [level.expand(sentences, -1, -1, -1) for level in features]
        flat = [_flat(level) for level in maps]
        sizes = [tuple(level.shape[-2:]) for level in maps]
        encoding = self.image_encoder.neck.position_encoding(maps[-1]).to(maps[-1].dtype)
        out, answer, _, _ = self._track_step(
            current_vision_feats=flat,
            current_vision_pos_embeds=[_flat(encoding)],  # only that of the coarse map is used
            feat_sizes=sizes,
            mask_inputs=None,
            track_in_reverse=False,
            **arguments,
        )
        _, _, ious, logits, high, pointer, score = answer
        if arguments["is_init_cond_frame"]:  # as published; `high` can differ from the upsampled chosen mask in the last bit
            size = (self.image_size, self.image_size)
            high = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        self._encode_memory_in_output(flat, sizes, None, True, high, score, out)
        memory = out["maskmem_features"]
        return Tracked(logits, score, pointer, memory.to(torch.bfloat16).to(memory.dtype), ious)

    def _entry(self, seen: Tracked) -> dict[str, Any]:
        """An output in the form in which the package stores it."""
        return {
            "maskmem_features": seen.memory,
            "maskmem_pos_enc": [self.memory_encoder.position_encoding(seen.memory).to(seen.memory.dtype)],
            "obj_ptr": seen.pointer,
        }

    def _use_multimask(self, is_init_cond_frame: bool, point_inputs: Any) -> bool:
        return True  # always predict three masks; the package then takes the one with the highest predicted IoU

    def _build_sam_heads(self) -> None:
        """Builds the package's heads, with `TensorPromptEncoder`, and with the configuration's sizes in place of constants."""
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
    """Keeps `torch.linspace` on the CPU: Hiera reads values from it while it is built, which fails on the meta device."""

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
