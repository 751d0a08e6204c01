"""SAM 2 masks: the real classes of transformers, with a tiny random configuration saved as a folder of weights."""

import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from safetensors.torch import load_file, save_file  # noqa: E402

from policy.masks.interface import MaskError  # noqa: E402
from policy.masks.sources import make_masks  # noqa: E402

SIDE, WIDE = 128, 128  # the memory has 64 channels, and transformers wants the rest to be wider
BOX = (40.0, 30.0, 90.0, 80.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sam2")
    torch.manual_seed(0)
    model = transformers.Sam2VideoModel(tiny())
    with torch.no_grad():  # by chance the random model sees no object, and then it would draw nothing
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(5.0)
    model.save_pretrained(path)
    size = {"height": SIDE, "width": SIDE}
    images = transformers.Sam2ImageProcessor(size=size, mask_size={"height": SIDE // 4, "width": SIDE // 4})
    videos = transformers.Sam2VideoVideoProcessor(size=size)
    transformers.Sam2VideoProcessor(images, videos, target_size=SIDE).save_pretrained(path)
    return path


def tiny():
    feature = SIDE // 16
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "image_size": [SIDE, SIDE], "hidden_size": 8, "embed_dim_per_stage": [8, 16, 32, 64],
        "blocks_per_stage": [1, 1, 2, 1], "num_attention_heads_per_stage": [1, 1, 1, 1],
        "window_size_per_stage": [4, 4, 4, 4], "global_attention_blocks": [3],
    }  # fmt: skip
    vision = {
        "backbone_config": backbone, "backbone_channel_list": [64, 32, 16, 8], "fpn_hidden_size": WIDE,
        "backbone_feature_sizes": [[SIDE // 4, SIDE // 4], [SIDE // 8, SIDE // 8], [feature, feature]],
    }  # fmt: skip
    return transformers.Sam2VideoConfig(
        vision_config={"model_type": "sam2_vision_model", **vision},
        prompt_encoder_config={"hidden_size": WIDE, "image_size": SIDE, "mask_input_channels": 4},
        mask_decoder_config={"hidden_size": WIDE, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 32},
        image_size=SIDE, memory_attention_hidden_size=WIDE, memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32, memory_attention_rope_feat_sizes=[feature, feature],
        memory_encoder_hidden_size=WIDE, memory_encoder_output_channels=64, mask_downsampler_embed_dim=WIDE,
        memory_fuser_embed_dim=WIDE, memory_fuser_intermediate_dim=32, num_maskmem=3, max_object_pointers_in_encoder=4,
    )  # fmt: skip


def frames(count):
    rng = np.random.default_rng(0)
    head = np.full((120, 160, 3), 200, np.uint8) + rng.integers(0, 20, (120, 160, 3), dtype=np.uint8)
    pictures = [head.copy() for _ in range(count)]
    for step, picture in enumerate(pictures):
        picture[30:80, 40 + step : 90 + step] = (180, 20, 30)
    return pictures


def follow(masks, pictures):
    return np.stack([masks.start(pictures[0], BOX), *(masks.track(picture) for picture in pictures[1:])])


@pytest.fixture(scope="module")
def masks(folder):
    return make_masks("sam2", weights=folder, device="cpu")


def test_masks_have_the_pictures_size_and_hold_0_and_1(masks):
    found = follow(masks, frames(3))
    assert found.shape == (3, 120, 160)
    assert found.dtype == np.uint8
    assert set(np.unique(found)) == {0, 1}  # random weights, so something is in and something is out
    assert masks.lost == (not found[-1].any())


def test_the_same_pictures_give_the_same_masks_and_a_start_forgets(masks):
    pictures = frames(4)
    first = follow(masks, pictures)
    follow(masks, frames(2)[::-1])
    np.testing.assert_array_equal(follow(masks, pictures), first)


def test_the_first_mask_is_the_candidate_that_the_image_model_scores_highest(masks, folder):
    head = frames(1)[0]
    processor = transformers.Sam2Processor.from_pretrained(folder)
    inputs = processor(images=head, input_boxes=[[[40.0, 30.0, 89.0, 79.0]]], return_tensors="pt")
    with torch.inference_mode():
        output = transformers.Sam2Model.from_pretrained(folder).eval()(**inputs)
    candidates = processor.post_process_masks(output.pred_masks, inputs["original_sizes"])[0][0]
    scores = output.iou_scores[0, 0]
    assert len(scores) == 3
    assert scores.argmax() != scores.argmin()
    np.testing.assert_array_equal(masks.start(head, BOX), candidates[scores.argmax()].numpy())


def test_forgetting_old_frames_changes_no_mask(masks, monkeypatch):
    pictures = frames(10)
    lean = follow(masks, pictures)
    kept = masks._session
    assert not kept.processed_frames
    monkeypatch.setattr(masks, "_forget", lambda frame: None)
    np.testing.assert_array_equal(follow(masks, pictures), lean)
    outputs = [s.output_dict_per_obj[0]["non_cond_frame_outputs"] for s in (kept, masks._session)]
    assert len(outputs[0]) < len(outputs[1]) == 9


def test_half_precision_runs(folder):
    assert follow(make_masks("sam2", weights=folder, device="cpu", dtype="bfloat16"), frames(2)).shape == (2, 120, 160)


def test_an_object_out_of_view_is_lost(folder):
    masks = make_masks("sam2", weights=folder, device="cpu")
    pictures = frames(3)
    masks.start(pictures[0], BOX)
    with torch.no_grad():
        masks._video.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(-50.0)
    assert not masks.track(pictures[1]).any()
    assert masks.lost


def test_an_empty_first_mask_is_lost_until_the_next_box(folder):
    masks = make_masks("sam2", weights=folder, device="cpu")
    pictures = frames(3)
    decoder = masks._image.mask_decoder
    real = decoder.forward
    decoder.forward = lambda *args, **kwargs: (real(*args, **kwargs)[0] * 0 - 1, *real(*args, **kwargs)[1:])
    assert not masks.start(pictures[0], BOX).any()
    assert not masks.track(pictures[1]).any()
    assert masks.lost
    decoder.forward = real
    assert masks.start(pictures[0], BOX).any()
    assert not masks.lost


@pytest.mark.parametrize("weights", ["no/such/folder/at/all", "somebody/no-such-model"])
def test_missing_weights_say_what_to_fetch(weights):
    with pytest.raises(MaskError, match=r"hf download facebook/sam2.1-hiera-tiny --local-dir DIR.*weights=DIR"):
        make_masks("sam2", weights=weights, download=False)


def test_a_folder_without_weights_says_what_is_missing(tmp_path, folder):
    for file in folder.glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(MaskError, match=r"cannot load Sam2Model from the folder .*hf download"):
        make_masks("sam2", weights=tmp_path)


def test_weights_with_missing_tensors_are_refused(tmp_path, folder):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    tensors = load_file(folder / "model.safetensors")
    save_file(
        {name: t for name, t in tensors.items() if "memory_attention" not in name}, tmp_path / "model.safetensors"
    )
    with pytest.raises(MaskError, match=r"cannot load Sam2VideoModel .*\d+ of its tensors are not in the file"):
        make_masks("sam2", weights=tmp_path)


def test_an_unknown_precision_lists_the_choices(folder):
    with pytest.raises(MaskError, match="bfloat16, float16, float32"):
        make_masks("sam2", weights=folder, dtype="int8")
