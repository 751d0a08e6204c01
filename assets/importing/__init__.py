"""From a mesh file to an ObjectSpec, one step to a module; needs the packages of the extra "import"."""
