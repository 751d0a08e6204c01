"""Grasp candidates: geometry of the hand, slices of objects, the canonical order."""

import numpy as np
import pytest

from assets.objects import library
from assets.objects.types import Piece
from datagen import grasps
from datagen.branch import Branch
from envs.sim import SimEnv


@pytest.fixture(scope="module")
def branch():
    env = SimEnv("unseen_objects")
    env.reset(options={"index": 3})
    made = Branch(env.scene)
    made.snapshot(env.data, env.servo)
    yield made
    env.close()


def test_hand_rotation_follows_the_words():
    level = grasps.hand_rotation(0, 0, 0)
    np.testing.assert_allclose(level[:, 2], [1, 0, 0], atol=1e-12)  # fingers forward
    np.testing.assert_allclose(level[:, 1], [0, 1, 0], atol=1e-12)  # palm to the left
    np.testing.assert_allclose(level[:, 0], [0, 0, -1], atol=1e-12)  # little finger below, thumb on top
    np.testing.assert_allclose(grasps.hand_rotation(0, 0, 90)[:, 1], [0, 0, -1], atol=1e-12)  # palm down
    np.testing.assert_allclose(grasps.hand_rotation(90, 0, 0)[:, 2], [0, 1, 0], atol=1e-12)
    assert grasps.hand_rotation(0, -30, 0)[2, 2] == pytest.approx(-0.5)
    for angles in np.random.default_rng(0).uniform(-90, 90, (20, 3)):
        axes = grasps.hand_rotation(*angles)
        np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
        assert np.linalg.det(axes) == pytest.approx(1)


def test_a_slice_sees_only_what_lies_between_its_planes():
    narrow, wide = Piece("box", (0.01, 0.01, 0.02), (0, 0, 0.02)), Piece("box", (0.05, 0.05, 0.02), (0, 0, 0.3))
    shape = grasps.Shape([narrow, wide])
    axes = grasps.hand_rotation(0, 0, 0)  # x points down: the slice is horizontal
    near_y, near_z = shape.near_edges(axes, np.eye(3), np.zeros(3), middle=-0.02)
    assert near_y == pytest.approx(-0.01)
    assert near_z == pytest.approx(-0.01)
    near_y, near_z = shape.near_edges(axes, np.eye(3), np.zeros(3), middle=-0.3)
    assert near_y == pytest.approx(-0.05)
    assert near_z == pytest.approx(-0.05)


def test_a_slice_cuts_through_pieces_without_points_inside():
    tall = grasps.Shape([Piece("box", (0.02, 0.03, 0.5))])
    near_y, near_z = tall.near_edges(grasps.hand_rotation(0, 0, 0), np.eye(3), np.zeros(3), middle=0.1)
    assert near_y == pytest.approx(-0.03)
    assert near_z == pytest.approx(-0.02)


def test_bounds_and_width_agree_with_the_box():
    shape = grasps.Shape([Piece("box", (0.02, 0.03, 0.04))])
    low, high = shape.bounds(np.eye(3))
    np.testing.assert_allclose(high - low, [0.04, 0.06, 0.08])
    assert shape.width(np.eye(3), np.array([0.0, 1.0, 0.0])) == pytest.approx(0.06)


def test_the_palm_keeps_its_clearance_and_the_object_lies_beyond_the_thumb():
    template = grasps.TEMPLATES[0]
    shape = grasps.Shape([Piece("cylinder", (0.03, 0.06, 0))])
    position = np.array([0.5, -0.1, 0.06])
    pose = grasps.place_hand(template, 0.0, shape, np.eye(3), position)
    turn, height = np.meshgrid(np.linspace(0, 2 * np.pi, 361), np.linspace(-0.06, 0.06, 241))
    surface = np.stack([0.03 * np.cos(turn), 0.03 * np.sin(turn), height], axis=-1).reshape(-1, 3) + position
    in_hand = (surface - pose[:3, 3]) @ pose[:3, :3]
    gx, gap, gz = template.grip_m
    gripped = in_hand[np.abs(in_hand[:, 0] - gx) <= grasps.SLICE_M]
    assert gripped[:, 1].min() == pytest.approx(grasps.PALM_HALF_M + gap, abs=1e-3)
    assert gripped[:, 2].min() == pytest.approx(gz, abs=1e-3)


def test_candidates_come_in_one_order_whatever_happened_before(branch):
    first = [(g.template, g.azimuth_deg) for g in grasps.candidates(branch)]
    branch.blocked(np.zeros(7), np.ones(6))
    again = [(g.template, g.azimuth_deg) for g in grasps.candidates(branch)]
    assert first == again
    assert len(first) > 20


def test_candidates_are_placed_when_their_turn_comes_and_the_order_is_that_of_their_costs(branch, monkeypatch):
    placed, real = [], grasps.place_hand
    monkeypatch.setattr(grasps, "place_hand", lambda *arguments: placed.append(0) or real(*arguments))
    one_by_one = grasps.ranked(branch)
    first = next(one_by_one)
    few = len(placed)
    rest = list(one_by_one)
    assert few < len(placed) / 4
    # The costs once more, of every candidate, as the table has raised it.
    rotation, position = branch.target_pose()
    shape = grasps.Shape(branch.scene.objects[0].pieces)
    low, high = shape.bounds(rotation)
    costed, costs = list(grasps._costed(shape, rotation, float(high[2] - low[2]))), {}
    for candidate in costed:
        pose = real(candidate.template, candidate.azimuth_deg, shape, rotation, position)
        opening = grasps.preshape_of(candidate.template)
        raised = branch.raise_over_table(pose, opening, grasps.TABLE_CLEARANCE_M)
        assert candidate.cost(raised) >= candidate.cost(0.0)
        if raised <= grasps.MAX_RAISE_SHARE * (high[2] - low[2]):
            costs[candidate.template.name, float(candidate.azimuth_deg)] = candidate.cost(raised), candidate.place
    order = [(grasp.template, grasp.azimuth_deg) for grasp in (first, *rest)]
    assert order == sorted(costs, key=costs.get)


def test_no_candidate_puts_the_hand_into_the_table(branch):
    for grasp in grasps.candidates(branch):
        assert branch.raise_over_table(grasp.hand_in_world, grasp.preshape, grasps.TABLE_CLEARANCE_M) < 1e-9


@pytest.mark.parametrize("family", sorted(library.FAMILIES))
def test_every_family_has_candidates_that_fit_the_hand(family, branch):
    member = library.get_object(library.FAMILIES[family].ids()[-1])
    shape = grasps.Shape(member.pieces)
    narrowest = min(shape.width(np.eye(3), np.array([np.cos(a), np.sin(a), 0])) for a in np.linspace(0, np.pi, 19))
    assert 0.015 < narrowest < 0.14
