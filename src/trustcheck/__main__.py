"""``python -m trustcheck``."""

import sys

from trustcheck.cli import main

sys.exit(main())
