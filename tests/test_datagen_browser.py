"""The viewer in the browser: it serves its page, scrubbing moves pictures and bodies; with and without a browser."""

import socket
import urllib.request
import warnings
from dataclasses import replace

import fake_demos
import numpy as np
import pytest

from datagen import recording

with warnings.catch_warnings():  # of the packages' own making
    warnings.simplefilter("ignore")
    pytest.importorskip("viser", reason="the extra 'viewer' is not installed: viser is missing")
    pytest.importorskip("trimesh", reason="the extra 'viewer' is not installed: trimesh is missing")
    import headless
    from headless import wait_for

    from datagen.browser import Browser, mesh_of
    from datagen.reel import shapes

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with recording.opened(fake_demos.shared(tmp_path_factory)) as file:
        shown = Browser(file, "demo_5", "127.0.0.1", free_port())
        yield shown
        shown.close()


def test_the_page_is_served(browser):
    with urllib.request.urlopen(f"http://127.0.0.1:{browser.port}/", timeout=10) as answer:
        page = answer.read().decode()
    assert answer.status == 200
    assert "<html" in page


def test_a_port_that_is_taken_is_no_obstacle(browser):
    with Browser(browser.file, "demo_2", "127.0.0.1", browser.port) as other:
        assert other.port != browser.port


def test_scrubbing_moves_pictures_curves_words_and_bodies(browser):
    browser.demo.value = "demo_5"
    browser.step.value = 0
    seen = {}
    for step in (0, 40):
        browser.step.value = step
        wait_for(lambda step=step: browser.shown_step == step)
        target = browser.frame_of("target")
        seen[step] = (browser.head.image.copy(), browser.curves.image.copy(), browser.moment.content, target.position)
    assert not np.array_equal(seen[0][0], seen[40][0])
    assert not np.array_equal(seen[0][1], seen[40][1])
    assert seen[0][2].startswith("**0.00 s**")
    assert seen[40][2].startswith("**2.00 s**")
    np.testing.assert_allclose(seen[40][3], browser.reel.poses[40, browser.reel.model.body("target").id, :3])


def test_another_demonstration_can_be_chosen(browser):
    browser.step.value = 30
    browser.demo.value = "demo_2"
    wait_for(lambda: browser.reel.demo.name == "demo_2" and browser.shown_step == 0)
    assert browser.step.max == browser.reel.steps - 1
    assert browser.step.value == 0
    assert browser.reel.demo.attributes["instruction"] in browser.words.content
    browser.demo.value = "demo_5"
    wait_for(lambda: browser.reel.demo.name == "demo_5")


def test_playing_goes_on_and_begins_again(browser):
    last = browser.reel.steps - 1
    browser.step.value = last - 1
    browser.playing.value = True
    assert browser.tick() == pytest.approx(0.05)
    assert browser.step.value == last
    browser.tick()
    assert browser.step.value == 0
    browser.playing.value = False
    browser.speed.value = "0.5"
    assert browser.tick() == pytest.approx(0.1)
    assert browser.step.value == 0
    browser.speed.value = "1"


def test_meshes_keep_their_shape_and_their_texture(browser):
    for shape in shapes(browser.reel.model):
        mesh = mesh_of(shape)
        np.testing.assert_allclose(mesh.vertices, shape.vertices)
        assert len(mesh.faces) == len(shape.vertices) // 3
        if shape.texture is not None:
            # v = 0 is the lower edge of the picture, where the texture's first row has to be.
            np.testing.assert_array_equal(np.asarray(mesh.visual.material.baseColorTexture)[-1], shape.texture[0])


def test_plain_colours_are_given_as_light(browser):
    shape = next(shape for shape in shapes(browser.reel.model) if shape.texture is None)
    half = mesh_of(replace(shape, rgba=(0.5, 0.0, 1.0, 1.0))).visual.material.baseColorFactor
    np.testing.assert_allclose(half / 255, [0.214, 0.0, 1.0, 1.0], atol=0.003)


def test_failures_kept_apart_are_listed_and_marked(tmp_path, tmp_path_factory):
    def fail(file):
        file.copy("data/demo_2", file.create_group("data_failed"), name="demo_7")
        file["data_failed/demo_7"].attrs.update(success=False, outcome="slipped")

    path = fake_demos.broken(fake_demos.shared(tmp_path_factory), tmp_path, fail)
    with recording.opened(path) as file, Browser(file, "demo_2", "127.0.0.1", free_port()) as shown:
        assert shown.demo.options == ("demo_2", "demo_5", "demo_7 · failed: slipped")
        assert "failed" not in shown.words.content
        shown.demo.value = "demo_7 · failed: slipped"
        wait_for(lambda: shown.reel.demo.name == "demo_7")
        assert "**failed: slipped**" in shown.words.content
        shown.demo.value = "demo_2"
        wait_for(lambda: shown.shown == "demo_2")
    with recording.opened(path) as file, Browser(file, "demo_7 · failed: slipped", "127.0.0.1", free_port()) as shown:
        assert "**failed: slipped**" in shown.words.content


@pytest.mark.slow
@pytest.mark.skipif(headless.BROWSER is None, reason="there is no Chromium here: `make browser` installs it")
def test_in_a_real_browser_the_slider_scrubs_and_the_scene_is_drawn(browser, tmp_path):
    with headless.Page(tmp_path, f"http://127.0.0.1:{browser.port}/") as page:
        told = lambda: page.value("document.body?.innerText ?? ''")  # noqa: E731
        wait_for(lambda: browser.reel.demo.attributes["instruction"] in told(), 60)
        wide = "[...document.images].filter(i => i.naturalWidth >= 300).length"
        wait_for(lambda: page.value(wide) == 4, 30)  # head, wrist, mask and curves have arrived
        page.value("[...document.querySelectorAll('input.mantine-NumberInput-input')].at(-1).select()")
        page.type("40")
        wait_for(lambda: "2.00 s" in told(), 30)
        assert browser.step.value == 40
        wait_for(lambda: colours(page.picture("canvas")) > 500, 60)


def colours(picture):
    """How many different colours a picture has: a scene has many, an empty canvas few."""
    return len(np.unique(picture.reshape(-1, 3), axis=0))
