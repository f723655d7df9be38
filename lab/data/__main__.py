"""Describe a log: `python -m lab.data log.csv --user visitor --time ts`."""

import sys

from lab.data.describe import main

sys.exit(main())
