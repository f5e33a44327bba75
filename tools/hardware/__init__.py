"""The panel's hardware, from one source: circuits as text in hardware/, solved, checked, and made into drawings and pages."""

import os

# Before numpy is loaded: the matrices are small, and threads only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
