"""A planner whose model runs in this process, through transformers: Qwen2-VL, Qwen2.5-VL and their like."""

import os
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from policy.planner import prompts
from policy.planner.config import PlannerConfig
from policy.planner.families import AUTO, Family, get_family
from policy.planner.interface import PlannerError
from policy.planner.vlm import Completion, Question, VlmPlanner

EXAMPLE = "Qwen/Qwen2.5-VL-7B-Instruct"


class LocalPlanner(VlmPlanner):
    """Loads `config.model` (a folder, or a name on the hub) at once. Raises PlannerError saying what to fetch."""

    name = "local"

    def __init__(self, config: PlannerConfig) -> None:
        super().__init__(config)
        if not config.model:
            raise PlannerError(f"the local planner needs a model: a folder with weights, or a name such as {EXAMPLE}")
        self._processor, self._network = _load(config)
        self._family = _family(config, self._network.config.model_type)
        self._generation = self._network.generation_config
        if config.temperature == 0:  # the stored settings are for sampling and would be warned about
            self._generation.temperature = self._generation.top_p = self._generation.top_k = None

    @property
    def model(self) -> str:
        """The configured folder or name."""
        return self.config.model

    @property
    def family(self) -> Family:
        """As configured, else by the model's type, else by its name."""
        return self._family

    def complete(self, question: Question) -> Completion:
        """One generated reply."""
        content: list[dict] = []
        for label, picture in zip(question.labels, question.pictures, strict=True):
            content += [{"type": "text", "text": label}, {"type": "image", "image": Image.fromarray(picture)}]
        content.append({"type": "text", "text": question.text})
        messages = [
            {"role": "system", "content": [{"type": "text", "text": prompts.SYSTEM}]},
            {"role": "user", "content": content},
        ]
        inputs = self._processor.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        ).to(self._network.device)
        sampling = {"do_sample": False}
        if self.config.temperature > 0:
            sampling = {"do_sample": True, "temperature": self.config.temperature}
        with torch.inference_mode(), torch.random.fork_rng():
            torch.manual_seed(self.config.seed)  # generate takes no generator of its own
            tokens = self._network.generate(**inputs, max_new_tokens=self.config.max_tokens, **sampling)
        new = tokens[0, inputs["input_ids"].shape[1] :]
        return Completion(self._processor.decode(new, skip_special_tokens=True), cut=len(new) >= self.config.max_tokens)

    def close(self) -> None:
        """Drop the network, and with it its memory."""
        self._network = None


def _load(config: PlannerConfig) -> tuple:
    device = config.device
    if device == AUTO:
        placing = {"device_map": "auto"} if torch.cuda.is_available() else {}
    else:
        placing = {"device_map": {"": device}}
    dtype = config.dtype
    if dtype != AUTO and not isinstance(getattr(torch, dtype, None), torch.dtype):
        raise PlannerError(f"unknown dtype {dtype!r}; choose from: {AUTO}, float32, bfloat16, float16")
    try:
        processor = AutoProcessor.from_pretrained(config.model)
        network = AutoModelForImageTextToText.from_pretrained(config.model, dtype=dtype, **placing)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise PlannerError(_what_to_fetch(config.model, error)) from error
    return processor, network.eval()


def _what_to_fetch(model: str, error: Exception) -> str:
    reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
    if Path(model).is_dir():
        held = ", ".join(sorted(os.listdir(model))[:12]) or "nothing"
        return (
            f"the folder {model} is not a model that transformers loads ({reason}). It must hold config.json, the "
            f"processor's and tokenizer's files and *.safetensors; it holds: {held}. Fetch it anew: "
            f"hf download {EXAMPLE} --local-dir {model}"
        )
    return (
        f"the model {model!r} cannot be loaded ({reason}). Fetch its weights where there is a network: "
        f"hf download {EXAMPLE} --local-dir models/vlm, then --planner-model models/vlm. "
        "Qwen-VL-Chat of 2023 runs on its own code: serve it with vLLM and use --planner server"
    )


def _family(config: PlannerConfig, model_type: str) -> Family:
    """A folder may bear any name, so the type in its config.json comes first: qwen2_5_vl reads as qwen2.5-vl."""
    try:
        return get_family(config.family, model_type.replace("2_5", "2.5"))
    except PlannerError:
        return get_family(config.family, config.model)
