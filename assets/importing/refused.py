"""Why a mesh cannot become an object."""


class Refused(ValueError):
    """This mesh, or what was said about it, makes no usable object; the message gives the reason and the likely fix."""
