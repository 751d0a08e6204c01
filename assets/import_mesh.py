"""Makes an object of a mesh: `python -m assets.import_mesh mug.obj --name "blue mug" --mass 0.3`.

Afterwards `user_blue_mug` is an object like the built-in ones, and `user:blue_mug` a suite with it as the target.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assets.importing.assemble import Made, Request, check, make_object
from assets.importing.refused import Refused
from assets.objects import imported


@dataclass(frozen=True)
class Options:
    """Import a mesh (OBJ, STL, PLY or GLB) as an object for scenes, suites and demonstrations."""

    mesh: Annotated[Path, tyro.conf.Positional]
    """The file with the mesh."""
    name: str
    """What people call it, such as "blue mug"; its id becomes user_blue_mug."""
    mass: float
    """Its mass in kg, 0.005 to 1.5."""
    friction: float = 0.7
    """Sliding friction of its surface, 0.1 to 1.5."""
    scale: str = "auto"
    """The unit of the file: mm, cm, m, or a number of metres per unit; auto guesses, and says what it guessed."""
    material: str | None = None
    """One word, such as ceramic; without it, the name's material or plastic."""
    upright: tuple[float, float, float] | None = None
    """The direction in the file that points up when it stands; without it, z (y for GLB) if it stands like that."""
    library: Path | None = None
    """Folder of your objects; without it, $DEXCLUTTER_OBJECTS or ~/.dexclutter/objects."""
    max_pieces: int = 8
    """At most this many convex collision pieces, 1 to 16; fewer are quicker, more follow hollows more closely."""
    replace: bool = False
    """Put it in the place of an object of the same name."""
    no_grasp_check: bool = False
    """Do not suggest the check by the scripted expert at the end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 0 imported, 2 refused, with the reason on the error stream."""
    options = tyro.cli(Options, args=arguments, prog="python -m assets.import_mesh", description=__doc__)
    try:
        made, path = import_mesh(options)
    except (Refused, imported.NameTakenError) as fault:
        print(f"{options.mesh.name} was not imported: {fault}", file=sys.stderr)
        return 2
    except OSError as fault:
        print(f"{options.mesh.name} was not imported: {fault.filename}: {fault.strerror}", file=sys.stderr)
        return 2
    _print(Console(), options, made, path)
    return 0


def import_mesh(options: Options) -> tuple[Made, Path]:
    """Make the object and write its file. Raises Refused, NameTakenError, or OSError when the disk refuses."""
    folder = options.library or imported.default_folder()
    request = Request(
        path=options.mesh,
        name=options.name,
        mass_kg=options.mass,
        friction=options.friction,
        scale=options.scale,
        material=options.material,
        upright=options.upright,
        max_pieces=options.max_pieces,
    )
    object_id = check(request).object_id
    if object_id in imported.ids(folder) and not options.replace:
        raise imported.NameTakenError(
            f"{folder} has an object {object_id} already; choose another --name, or say --replace"
        )
    made = make_object(request)
    return made, imported.save(made.spec, made.origin, folder, replace=options.replace)


def _print(console: Console, options: Options, made: Made, path: Path) -> None:
    spec = made.spec
    table = Table(title=f"{spec.id}: {escape(_called(made))}", title_justify="left", show_header=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for topic, sentence in made.notes:
        table.add_row(topic, escape(sentence))
    table.add_row("file", escape(str(path)))
    console.print(table)
    show = partial(console.print, soft_wrap=True, highlight=False, markup=False)
    if path.parent.resolve() != imported.default_folder().resolve():
        show(f"Tell the other commands where it is:\n  export {imported.FOLDER_VARIABLE}={path.parent.resolve()}")
    if not options.no_grasp_check:
        show(f"Next, see whether the hand can lift it:\n  python -m datagen.check_object {spec.id}")
    suite = spec.id.removeprefix(imported.PREFIX)
    show(f"In clutter:\n  python -m benchmarks.run --suite user:{suite} --episodes 20")


def _called(made: Made) -> str:
    spec = made.spec
    return " ".join([*spec.size_words, " and ".join(spec.colors), spec.material, spec.noun])


if __name__ == "__main__":
    sys.exit(main())
