"""The arm, the hands and the station, each number with its unit and source."""
