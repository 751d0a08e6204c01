"""Settings for the whole test run."""

import os

# One thread for each test process: the runner already starts one process per core. Set before numpy is imported.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
