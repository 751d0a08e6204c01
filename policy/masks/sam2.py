"""Masks by SAM 2: the image model cuts the object out of its box, the video model follows it with its memory.

Both are the classes of `transformers` and load from one set of weights: a folder, or a name on the hub such as
facebook/sam2.1-hiera-tiny (Ravi et al., "SAM 2: Segment Anything in Images and Videos", 2024).
"""

from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from transformers import Sam2Model, Sam2Processor, Sam2VideoModel, Sam2VideoProcessor

from policy.masks.interface import MaskError, Tracker

DEFAULT_WEIGHTS = "facebook/sam2.1-hiera-tiny"
_OBJECT = 1
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

Loaded = TypeVar("Loaded")


class Sam2Masks(Tracker):
    """SAM 2 on any device.

    Args:
        weights: a folder with config.json, model.safetensors and the processors' files, or a name on the hub.
        device: "cpu", "cuda", ...; None takes a GPU where there is one.
        dtype: "float32", "bfloat16" or "float16"; None is bfloat16 on a GPU and float32 elsewhere.
        download: ask the hub when a name is not in the local cache. False never touches the network.

    Raises MaskError when the weights are not there or are of another model; it says what to fetch.
    """

    name = "sam2"

    def __init__(
        self,
        weights: str | Path = DEFAULT_WEIGHTS,
        device: str | None = None,
        dtype: str | None = None,
        download: bool = True,
    ) -> None:
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        wanted = dtype or ("bfloat16" if self._device.type == "cuda" else "float32")
        if wanted not in _DTYPES:
            raise MaskError(f"unknown dtype {wanted!r}; choose from: {', '.join(sorted(_DTYPES))}")
        self._dtype = _DTYPES[wanted]
        self._image_processor = _load(Sam2Processor, weights, download)
        self._video_processor = _load(Sam2VideoProcessor, weights, download)
        self._image = self._placed(_load(Sam2Model, weights, download, dtype=self._dtype))
        self._video = self._placed(_load(Sam2VideoModel, weights, download, dtype=self._dtype))
        self._session: Any = None
        self._frame = 0

    def _placed(self, model: Any) -> Any:
        return model.to(self._device).eval().requires_grad_(False)

    @torch.inference_mode()
    def _start(self, head: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
        # SAM's boxes name the corners' pixels, so theirs end one pixel before ours.
        corners = [box[0], box[1], box[2] - 1, box[3] - 1]
        inputs = self._image_processor(images=head, input_boxes=[[[float(v) for v in corners]]], return_tensors="pt")
        sizes = inputs.pop("original_sizes")
        inputs = {name: tensor.to(self._device) for name, tensor in inputs.items()}
        inputs["pixel_values"] = inputs["pixel_values"].to(self._dtype)
        found = self._image(**inputs, multimask_output=True)
        # As published: three candidates, the one that the model itself scores highest.
        best = int(found.iou_scores[0, 0].argmax())
        candidates = self._image_processor.post_process_masks([found.pred_masks[0].float().cpu()], sizes)[0]
        mask = candidates[0, best].numpy().astype(np.uint8)
        self._session, self._frame = None, 0
        if mask.any():
            self._session = self._video_processor.init_video_session(
                inference_device=self._device, dtype=self._dtype, max_vision_features_cache_size=1
            )
            self._session.video_height, self._session.video_width = head.shape[:2]
            self._video_processor.add_inputs_to_inference_session(
                self._session, frame_idx=0, obj_ids=_OBJECT, input_masks=mask
            )
            self._step(head)
        return mask

    @torch.inference_mode()
    def _track(self, head: np.ndarray) -> np.ndarray:
        if self._session is None:  # nothing was found in the box
            return np.zeros(head.shape[:2], np.uint8)
        logits = self._step(head)
        mask = self._video_processor.post_process_masks([logits.float().cpu()], [head.shape[:2]])[0]
        return mask[0, 0].numpy().astype(np.uint8)

    def _step(self, head: np.ndarray) -> torch.Tensor:
        """Logits (1, 1, h, w) of the object in the next picture; far below zero everywhere when it is not in view."""
        pixels = self._video_processor(images=head, return_tensors="pt")["pixel_values"]
        output = self._video(
            inference_session=self._session,
            frame=pixels[0].to(self._device, self._dtype),
            frame_idx=self._frame,
        )
        self._forget(self._frame)
        self._frame += 1
        return output.pred_masks

    def _forget(self, frame: int) -> None:
        """Drop what the memory no longer reads; transformers keeps every picture of a session, 12 MB each."""
        session, config = self._session, self._video.config
        session.processed_frames.pop(frame, None)
        reach = max(config.num_maskmem, config.max_object_pointers_in_encoder) + 1
        outputs = session.output_dict_per_obj[session.obj_id_to_idx(_OBJECT)]["non_cond_frame_outputs"]
        for old in [number for number in outputs if number <= frame - reach]:
            del outputs[old]


def _load(kind: type[Loaded], weights: str | Path, download: bool, **options: object) -> Loaded:
    """An instance of a class of transformers: from the folder or the local cache, else from the hub if allowed."""
    name, folder = str(weights), Path(weights)
    if folder.is_dir():
        attempts: tuple[dict[str, bool], ...] = ({"local_files_only": True},)
    elif _is_hub_name(name):
        attempts = ({"local_files_only": True}, {"local_files_only": False})[: 2 if download else 1]
    else:
        raise MaskError(f"there is no folder {name!r} with weights of SAM 2, and it is no name on the hub. {_ADVICE}")
    fault: Exception | None = None
    for attempt in attempts:
        try:
            if not options:
                return kind.from_pretrained(name, **attempt)
            model, report = kind.from_pretrained(name, output_loading_info=True, **attempt, **options)
            if report["missing_keys"]:  # transformers would go on with random numbers in their place
                raise ValueError(f"{len(report['missing_keys'])} of its tensors are not in the file")
            return model
        except (OSError, ValueError, RuntimeError, ImportError) as reason:
            fault = reason
    where = f"the folder {name!r}" if folder.is_dir() else f"{name!r}, from the local cache{' or the hub' * download}"
    raise MaskError(f"cannot load {kind.__name__} from {where}: {_first_line(fault)}. {_ADVICE}") from fault


def _is_hub_name(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith((".", "/", "~"))


def _first_line(fault: Exception | None) -> str:
    return (str(fault).strip().splitlines() or [type(fault).__name__])[0].rstrip(".")


_ADVICE = (
    f"Fetch a set once with `hf download {DEFAULT_WEIGHTS} --local-dir DIR` (or sam2.1-hiera-small, -base-plus, "
    "-large) and give weights=DIR: config.json, model.safetensors, preprocessor and processor files are needed"
)
