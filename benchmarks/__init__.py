"""Claims: suites, evaluation, statistics and reports."""
