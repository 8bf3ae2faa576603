"""What happens to an article: plain functions, and one thin PTransform where Beam must gather."""

import os

# Idle BLAS threads of one worker per core cost 15 to 24 % (measured); it must be said before numpy is imported.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
