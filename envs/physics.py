"""Solver options of every model that is stepped; part of the suite version."""

from collections.abc import Iterator
from contextlib import contextmanager

import mujoco

from envs import spec

ARENA_BYTES = 2**25  # room for the contacts of a hand that a collision query puts deep inside a heap


def set_options(world: mujoco.MjSpec) -> None:
    """Write the physics settings of the benchmark into a model under construction.

    The dense Jacobian is not a matter of taste: MuJoCo 4.0.0's sparse Newton solver factorises wrongly.
    An elliptic cone with impratio 100 keeps a held object from creeping through the fingers.
    """
    world.memory = ARENA_BYTES
    option = world.option
    option.timestep = spec.TIMESTEP_S
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    option.impratio = 100.0
    option.iterations = 50
    option.tolerance = 1e-8


@contextmanager
def resting_objects_sleep(model: mujoco.MjModel) -> Iterator[None]:
    """Spare the solver every object that lies still and is touched by nothing that moves, while the block runs.

    For the long hold at the end of an attempt: it halves its cost and changes the held target by less than a
    micrometre. Not for the motion itself, because which bodies sleep is no part of the state that can be saved.
    """
    sleep = int(mujoco.mjtEnableBit.mjENBL_SLEEP)
    model.opt.enableflags |= sleep
    try:
        yield
    finally:
        model.opt.enableflags &= ~sleep
