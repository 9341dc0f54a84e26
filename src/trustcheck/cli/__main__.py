"""``python -m trustcheck.cli``."""

import sys

from trustcheck.cli import main

sys.exit(main())
