"""Tiny, randomly initialised vision-language models of the Qwen families in a folder, as a hub would hold them."""

from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
)

SPECIAL = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    """One token for each byte, and the families' special tokens."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(letters)}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"\n|[^\n]+"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    raw.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<|im_end|>")
    fast.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    return fast


def build(folder: Path, family: str = "qwen2_5_vl") -> Path:
    """Write processor and model; a picture of 112x84 takes 12 tokens. `family`: qwen2_5_vl or qwen2_vl."""
    words = tokenizer()
    ids = {token: words.convert_tokens_to_ids(token) for token in SPECIAL}
    text = {
        "vocab_size": len(words),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 8192,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]},
        "bos_token_id": ids["<|im_start|>"],
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|im_end|>"],
    }
    common = {
        "text_config": text,
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
    }
    eyes = {"depth": 2, "num_heads": 2}
    torch.manual_seed(0)
    if family == "qwen2_5_vl":
        vision = {
            **eyes,
            "hidden_size": 16,
            "intermediate_size": 24,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [1],
        }
        network = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(**common, vision_config=vision))
        processor_class = Qwen2_5_VLProcessor
    else:
        vision = {**eyes, "embed_dim": 16, "hidden_size": 32, "mlp_ratio": 2}
        network = Qwen2VLForConditionalGeneration(Qwen2VLConfig(**common, vision_config=vision))
        processor_class = Qwen2VLProcessor
    processor = processor_class(Qwen2VLImageProcessor(), words, Qwen2VLVideoProcessor(), chat_template=TEMPLATE)
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
