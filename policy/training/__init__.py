"""From files of demonstrations to a trained controller: features, windows, the loop, validation, rollouts."""
