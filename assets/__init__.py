"""What exists: robots, hands, objects and looks as descriptions in code."""
