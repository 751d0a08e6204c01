"""Trains a controller on demonstrations: `python -m policy.train --config small --data demos.h5 --out runs/train`."""

import json
import os
import platform
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata

import tyro

from envs.interface import DexClutterError
from policy.controller.config import ConfigError, ControllerConfig
from policy.training.errors import TrainingError
from policy.training.settings import Options, Recipe, chosen_config

STATE = "state.pt"
STOPPED, BAD = 130, 2
_PACKAGES = ("dexclutter", "torch", "accelerate", "diffusers", "timm", "numpy")
_LAUNCHED = "LOCAL_RANK"  # set by any launcher in each of its processes
_OURS = "DEXCLUTTER_LAUNCHED"  # set by ours: what it starts never starts another


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 0 trained to the end, 2 a fault that is named, 130 stopped before the end."""
    options = tyro.cli(Options, args=arguments, prog="python -m policy.train", description=__doc__)
    try:
        device, processes = _devices(options.devices)
        config, recipe = chosen_config(options), options.recipe
        if processes > 1 and not {_LAUNCHED, _OURS} & os.environ.keys():
            return _launch(device, processes, sys.argv[1:] if arguments is None else arguments)
        return _train(options, config, recipe, device)
    except DexClutterError as fault:
        print(f"policy.train: {fault}", file=sys.stderr)
        return BAD


def _train(options: Options, config: ControllerConfig, recipe: Recipe, device: str) -> int:
    # Threads of the arithmetic must not spin while they wait: other processes need the cores. Read when torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # tensorboard's other half
    import torch
    from rich.console import Console

    from policy.training.journal import Journal, frames_shown
    from policy.training.loop import LATEST, Trainer
    from policy.training.memory import keep_freed
    from policy.training.prepare import prepare

    keep_freed()
    accelerator = _accelerator(options, device)
    torch.set_num_threads(options.threads or max(1, _cores() // accelerator.num_processes))
    console = Console(stderr=True)
    if not options.resume and (options.out / STATE).exists():
        raise TrainingError(f"{options.out} holds a run already; go on with it by --resume, or name another --out")
    show, end = frames_shown(console)
    try:
        with accelerator.main_process_first():
            data = prepare(options, config, accelerator.device.type, show if accelerator.is_main_process else _nothing)
    finally:
        end()
    torch.manual_seed(options.seed)
    controller = _controller(options, config, data.train)
    identity = _identity(options, config, recipe, data.hashes, accelerator.num_processes)
    trainer = Trainer(options, recipe, data, controller, accelerator, identity, _versions())
    if options.resume:
        trainer.resume()
    journal = Journal()
    if accelerator.is_main_process:
        journal = Journal.opened(options.out, console, recipe.batch, recipe.updates, trainer.update)
        validation = "none" if data.valid is None else f"{len(data.valid)} windows"
        journal.say(
            f"{config.name}: {controller.trainable_parameters():,} parameters · {len(data.train)} windows, validation "
            f"{validation} · updates {trainer.update} to {recipe.updates} of {recipe.batch} · {accelerator.device}"
        )
    stops = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: setattr(trainer, "stop_wanted", True)) for number in stops]
    try:
        finished = trainer.run(journal)
    finally:
        for number, handler in zip(stops, before, strict=True):
            signal.signal(number, handler)
        journal.close()
        accelerator.end_training()
    if accelerator.is_main_process:
        path = options.out / LATEST
        console.print(f"{path}" if finished else f"Stopped at update {trainer.update}; go on with --resume. {path}")
    return 0 if finished else STOPPED


def _accelerator(options: Options, device: str):
    from datetime import timedelta

    from accelerate import Accelerator, InitProcessGroupKwargs

    patience = InitProcessGroupKwargs(timeout=timedelta(hours=24))  # the others wait while one makes features
    precision = "no" if options.precision == "fp32" else options.precision
    return Accelerator(cpu=device == "cpu", mixed_precision=precision, kwargs_handlers=[patience])


def _controller(options: Options, config: ControllerConfig, windows):
    from policy.controller.checkpoint import load
    from policy.controller.controller import Controller

    if options.init is None:
        controller = Controller(config)
        windows.fit(controller.actions, options.limits_quantile)
        if controller.hints is not None:
            windows.fit_goals(controller.hints)
        return controller
    controller, _ = load(options.init)
    if controller.config != config:
        raise ConfigError(f"{options.init} has another configuration than the one that is asked for")
    return controller


def _identity(options: Options, config: ControllerConfig, recipe: Recipe, hashes: Sequence[str], world: int) -> dict:
    """What must be the same when a run goes on, as plain JSON values."""
    same = ("seed", "precision", "ema", "stride", "jitter_views", "limits_quantile", "online")
    identity = {key: getattr(options, key) for key in same} | asdict(recipe)
    identity |= {"config": config.as_dict(), "data": list(hashes), "processes": world}
    identity["init"] = None if options.init is None else options.init.name
    return json.loads(json.dumps(identity))


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _devices(word: str) -> tuple[str, int]:
    """("auto", "cpu" or "cuda", number of processes). Raises ConfigError for other words."""
    kind, _, count = word.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (count and (not count.isdigit() or int(count) < 1)):
        raise ConfigError(f"--devices is auto, cpu, cuda, cpu:N or cuda:N, not {word!r}")
    return kind, int(count or 1)


def _launch(device: str, processes: int, arguments: Sequence[str]) -> int:
    """The same command in several processes on this machine; accelerate finds itself in them."""
    import subprocess

    if device != "cpu":
        import torch

        if torch.cuda.device_count() < processes:
            raise ConfigError(f"{processes} processes need as many GPUs; there are {torch.cuda.device_count()}")
    environment = os.environ | {_OURS: "1"}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.run([*launcher, "-m", "policy.train", *arguments], env=environment, check=False).returncode


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _nothing(done: int, total: int) -> None:
    del done, total  # Unused: another process tells.


if __name__ == "__main__":
    sys.exit(main())
