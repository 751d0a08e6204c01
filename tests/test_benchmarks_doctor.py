"""The doctor finds what is wrong, says it in plain words, and ends with 1."""

import mujoco
import pytest
from rich.console import Console

from assets import gl, vulkan
from benchmarks import doctor
from benchmarks.doctor import Finding


def test_a_healthy_renderer_is_named():
    finding = doctor.check_gl()
    assert finding.verdict == "ok"
    assert finding.value.startswith(gl.backend_name())


def test_the_command_says_whether_pictures_can_be_drawn(capsys):
    assert doctor.main(["--gl-only"]) == 0
    assert capsys.readouterr().out.startswith(f"OpenGL: {gl.backend_name()}")


def test_a_missing_library_is_broken_and_its_package_is_named(monkeypatch, capsys):
    def no_context():
        raise gl.RenderingError("no OpenGL backend works here. On Debian or Ubuntu: apt-get install libegl1")

    monkeypatch.setattr(gl, "gl_context", no_context)
    assert doctor.main(["--gl-only"]) == 1
    assert "apt-get install libegl1" in " ".join(capsys.readouterr().out.split())


def test_the_whole_examination_of_this_machine_finds_nothing_broken():
    findings = doctor.examine()
    assert [f for f in findings if f.verdict == "broken"] == []
    found = {f.what for f in findings}
    assert {
        "python",
        "mujoco",
        "OpenGL",
        "scene",
        "cores",
        "memory",
        "head 640x480",
        "head 128x128",
        "Filament",
    } <= found
    speeds = [float(f.value.split()[0]) for f in findings if f.what.startswith("head")]
    assert all(speed > 1 for speed in speeds)


def test_filament_that_cannot_draw_is_only_worth_a_note(monkeypatch):
    def no_driver():
        raise gl.RenderingError("there is no Vulkan driver here")

    monkeypatch.setattr(vulkan, "load", no_driver)
    finding = doctor.check_filament()
    assert (finding.value, finding.verdict) == ("does not work", "note")
    assert "renderer_shift" in finding.advice
    assert "no Vulkan driver" in finding.advice
    # A driver that is found but makes the other process fail.
    monkeypatch.setattr(vulkan, "load", lambda: "a card")
    monkeypatch.setattr(doctor.sys, "executable", "/bin/false")
    assert "it ended with 1 on a card" in doctor.check_filament().advice


def test_a_check_that_fails_is_a_finding_and_the_rest_goes_on(monkeypatch):
    def explode():
        raise RuntimeError("the table is missing")

    monkeypatch.setattr(doctor, "check_scene", explode)
    monkeypatch.setattr(doctor, "check_frame_rate", lambda size: Finding(f"head {size}", "90 frames/s"))
    monkeypatch.setattr(doctor, "check_filament", lambda: Finding("Filament", "a card"))
    findings = doctor.examine()
    assert ("broken", "the table is missing") in {(f.verdict, f.advice) for f in findings}
    assert {"memory", "head (128, 128)"} <= {f.what for f in findings}


@pytest.mark.parametrize(
    ("locked", "verdict"),
    [({"mujoco": mujoco.__version__}, "ok"), ({"mujoco": "3.0.0"}, "broken"), ({}, "ok")],
)
def test_another_mujoco_than_the_locked_one_is_broken(locked, verdict):
    (finding,) = (f for f in doctor.check_versions(locked) if f.what == "mujoco")
    assert finding.verdict == verdict
    if verdict == "broken":
        assert "3.0.0" in finding.advice


def test_other_packages_may_differ_and_are_noted():
    (finding,) = (f for f in doctor.check_versions({"numpy": "1.0"}) if f.what == "numpy")
    assert finding.verdict == "note"


def test_missing_packages_are_broken(monkeypatch):
    monkeypatch.setattr(doctor, "installed", lambda name: "not installed")
    broken = {f.what for f in doctor.check_versions({}) if f.verdict == "broken"}
    assert broken == {"mujoco", "mujoco-core", "dm_control", "gymnasium", "numpy"}


def test_the_sparse_solver_of_mujoco_4_0_0_is_explained():
    finding = doctor.check_sparse_bug("4.0.0")
    assert finding.verdict == "note"
    assert "wrong sparse Cholesky" in finding.advice
    assert "dense" in finding.advice
    assert doctor.check_sparse_bug("4.0.1").verdict == "ok"


def test_an_old_interpreter_is_broken():
    assert doctor.check_python((3, 10, 2)).verdict == "broken"
    assert doctor.check_python((3, 11, 0)).verdict == "ok"


def test_the_lock_is_read_and_is_exact():
    locked = doctor.locked_versions(doctor.LOCK)
    assert locked["mujoco"] == locked["mujoco-core"] == locked["mujoco-studio"]
    assert {"dm_control", "gymnasium", "pytest", "robotic-arm"} <= locked.keys()
    assert doctor.locked_versions(doctor.LOCK.with_name("absent.lock")) == {}


def test_words_of_the_system_are_not_taken_for_markup(capsys):
    doctor.show(Console(), [Finding("OpenGL", "[red]llvm[/]", "note", "see [/usr]")])
    printed = capsys.readouterr().out
    assert "[red]llvm[/]" in printed
    assert "see [/usr]" in printed
